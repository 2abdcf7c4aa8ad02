"""What the shop owes in points: per day or month, in money, and how much of it nobody will ever spend. Also as a file."""

from datetime import date, timedelta

from flask import Blueprint, request
from flask.wrappers import Response
from sqlmodel import Session

from loyalty import liability, programs
from loyalty.core.moments import add_months
from loyalty.liability import Liability
from loyalty.models import Shop
from loyalty.statement.home import Day
from shopify_app.admin.chart import draw
from shopify_app.admin.fresh import FreshEnough
from shopify_app.admin.page import Pages, points_name, program_in_force

_SPANS = {"day": 30, "month": 11}
COLUMNS = (
    ("Earned", "earned"),
    ("Taken back", "reversed"),
    ("Redeemed", "redeemed"),
    ("Returned", "returned"),
    ("Expired", "expired"),
    ("Written off", "forgiven"),
    ("Adjusted", "adjusted"),
    ("Imported", "imported"),
)


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /liability`` and the same as CSV."""
    kept: FreshEnough[Liability | None] = FreshEnough()

    @blueprint.get("/liability")
    def show_liability() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            unit, first, last = _span(pages, shop)
            found = kept.get(
                (shop.id, unit, first, last), lambda: _read(pages, session, shop, unit, first, last)
            )
            if found is None:
                return pages.missing(shop, "There is no program yet, so nothing is owed.", back="/program")
            told, program = found.to_json(), program_in_force(session, shop.id or 0)
            says = program.reward(told["point_worth_from"] or "") if program else None
            return pages.render(
                "admin/liability.html",
                shop,
                unit=unit,
                first=first.isoformat(),
                last=last.isoformat(),
                found=found,
                told=told,
                worth_from=says.title if says else "",
                columns=COLUMNS,
                chart=draw([_bars(line) for line in found.lines]),
                points_name=points_name(program),
            )

    @blueprint.get("/liability.csv")
    def download_liability() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            unit, first, last = _span(pages, shop)
            found = _read(pages, session, shop, unit, first, last, members=0)
        text = "".join(liability.csv_lines(found)) if found else ""
        return Response(text, mimetype="text/csv")


def _span(pages: Pages, shop: Shop) -> tuple[str, date, date]:
    """What was asked for; whatever makes no sense is taken as the usual."""
    unit = request.args.get("by", "")
    unit = unit if unit in liability.UNITS else "month"
    today = pages.formats(shop).today(pages.runtime.clock())
    last = min(_day(request.args.get("to", "")) or today, today)
    usual = last - timedelta(days=_SPANS["day"]) if unit == "day" else add_months(last, -_SPANS["month"])
    first = _day(request.args.get("from", "")) or usual
    longest = (
        timedelta(days=liability.MOST - 1) if unit == "day" else timedelta(days=30 * (liability.MOST - 2))
    )
    return unit, max(min(first, last), last - longest), last


def _read(
    pages: Pages, session: Session, shop: Shop, unit: str, first: date, last: date, members: int | None = None
) -> Liability | None:
    how_many = {} if members is None else {"members": members}
    try:
        return liability.liability(
            session, shop, first=first, last=last, unit=unit, now=pages.runtime.clock(), **how_many
        )
    except programs.NoProgram:
        return None


def _bars(line: liability.Line) -> Day:
    moved = line.moved
    return Day(line.period.first, earned=moved["earned"], spent=moved["redeemed"] - moved["returned"])


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if date(2000, 1, 1) <= found else None
