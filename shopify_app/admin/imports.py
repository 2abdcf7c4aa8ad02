"""The imports' page: customers and past orders, each a long job that is begun here and followed."""

from datetime import date, timedelta

from flask import Blueprint, request
from flask.wrappers import Response

from loyalty import runs
from loyalty.statement import runs as statement
from shopify_app.admin.answers import done, mistakes, refused
from shopify_app.admin.page import Pages
from shopify_app.config import ALL_ORDERS, VISIBLE_DAYS

CUSTOMERS = "customer_import"
ORDERS = "order_import"
_USUAL_DAYS = 365
_EARLIEST = date(2006, 1, 1)
_BUSY = "An import of past orders from another day on is under way. Wait until it has ended, or cancel it."


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /imports`` and the two beginnings."""

    @blueprint.get("/imports")
    def show_imports() -> Response:
        now = pages.runtime.clock()
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            assert shop.id is not None
            found = statement.latest(session, shop.id, (CUSTOMERS, ORDERS), now=now)
            sees_all = ALL_ORDERS in shop.scopes.split(",")
            today = pages.formats(shop).today(now)
            return pages.render(
                "admin/imports.html",
                shop,
                open_runs=[run for run in found if run.is_open],
                open_kinds={run.kind for run in found if run.is_open},
                finished=[run for run in found if not run.is_open],
                customers_imported=any(run.kind == CUSTOMERS and run.state == "done" for run in found),
                since=(today - timedelta(days=_USUAL_DAYS if sees_all else VISIBLE_DAYS)).isoformat(),
                missing_scope=None if sees_all else ALL_ORDERS,
                visible_days=VISIBLE_DAYS,
            )

    @blueprint.post("/imports/customers")
    def import_customers() -> Response | tuple[Response, int]:
        return _start(pages, CUSTOMERS, {}, "The import of your customers has begun")

    @blueprint.post("/imports/orders")
    def import_orders() -> Response | tuple[Response, int]:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
        since = _day(request.form.get("since", ""))
        today = pages.formats(shop).today(pages.runtime.clock())
        if since is None or not _EARLIEST <= since <= today:
            return mistakes({"since": "Enter a day that is not in the future."})
        return _start(pages, ORDERS, {"since": since.isoformat()}, "The import of past orders has begun")


def _start(pages: Pages, kind: str, params: dict[str, str], told: str) -> Response | tuple[Response, int]:
    merchant = pages.merchant()
    with pages.runtime.transaction() as session:
        run = runs.start(session, merchant.shop_id, kind, dict(params), now=pages.runtime.clock())
        if run.params != params:
            return refused(_BUSY)
        run_id = run.id or 0
    pages.runtime.nudge("advance_run", run_id)
    return done(told, redirect=pages.link("/imports"))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None
