"""The home page: what is left to set up, how the program does, and what needs somebody."""

from dataclasses import dataclass, replace

from flask import Blueprint
from flask.wrappers import Response
from sqlmodel import Session

from loyalty.models import Shop
from loyalty.statement import home, messages, rewards, runs
from loyalty.statement.home import Figures, Setup
from shopify_app.admin.chart import draw
from shopify_app.admin.fresh import FreshEnough
from shopify_app.admin.page import Pages, points_name, program_in_force
from shopify_app.admin.program_saving import INSTALLER
from shopify_app.admin.reward_access import missing_scopes
from shopify_app.config import ALL_ORDERS, VISIBLE_DAYS

# The file of the theme app extension that shows the program in every page of the store.
EMBED = "launcher"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the set-up, with what to do for it. ``first`` marks the one that is next."""

    key: str
    title: str
    text: str
    action: str
    href: str
    done: bool
    top: bool = False
    first: bool = False


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /``."""
    kept: FreshEnough[Figures] = FreshEnough()

    @blueprint.get("/")
    def show_home() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            figures = kept.get(shop.id, lambda: _figures(pages, session, shop))
            return _render(pages, session, shop, figures)


def _figures(pages: Pages, session: Session, shop: Shop) -> Figures:
    assert shop.id is not None
    formats = pages.formats(shop)
    return home.figures(session, shop.id, formats, now=pages.runtime.clock())


def _render(pages: Pages, session: Session, shop: Shop, figures: Figures) -> Response:
    assert shop.id is not None
    now = pages.runtime.clock()
    state = home.setup(session, shop.id, installer=INSTALLER)
    steps = _steps(pages, state)
    program = program_in_force(session, shop.id)
    return pages.render(
        "admin/home.html",
        shop,
        waiting_rewards=rewards.waiting(session, shop.id),
        missing_scopes=missing_scopes(shop, program),
        unreadable_orders=0
        if ALL_ORDERS in shop.scopes.split(",")
        else home.unreadable_orders(session, shop.id),
        visible_days=VISIBLE_DAYS,
        all_orders=ALL_ORDERS,
        steps=steps,
        steps_done=state.done,
        only_embed_left=state.done == len(steps) - 1,
        figures=figures,
        chart=draw(figures.days),
        points_name=points_name(program),
        runs=runs.open_runs(session, shop.id, now=now),
        parked=messages.parked(session, shop.domain),
    )


def _embed_step(pages: Pages) -> Step:
    """Whether it is done only App Bridge knows, in the merchant's browser."""
    path = f"/themes/current/editor?context=apps&template=index&activateAppId={pages.config.api_key}/{EMBED}"
    return Step(
        "embed",
        "Show the program in your store",
        "Switch the Laurel app embed on in your theme and save the theme.",
        "Open the theme editor",
        pages.in_admin(path),
        done=False,
        top=True,
    )


def _steps(pages: Pages, state: Setup) -> tuple[Step, ...]:
    steps = (
        Step(
            "program",
            "Decide how customers earn and what they get",
            "A program is ready to go with. Look it over, make it yours and save it.",
            "Open the program",
            pages.link("/program"),
            state.program_saved,
        ),
        _embed_step(pages),
        Step(
            "customers",
            "Import your customers",
            "Everybody with a customer account becomes a member, in silence. This begins by itself with the installation.",
            "Open imports",
            pages.link("/imports"),
            state.customers_imported,
        ),
        Step(
            "klaviyo",
            "Connect Klaviyo",
            "Events start your flows, and every profile shows its balance.",
            "Connect Klaviyo",
            pages.link("/klaviyo"),
            state.klaviyo_connected,
        ),
        Step(
            "sync",
            "Sync customer data to Klaviyo",
            "So that Klaviyo knows the balance of every member from the first day.",
            "Open Klaviyo",
            pages.link("/klaviyo"),
            state.customers_synced,
        ),
        Step(
            "points",
            "See the first points",
            "Place an order in your store, or import the orders of the past.",
            "Import past orders",
            pages.link("/imports"),
            state.points_earned,
        ),
    )
    upcoming = next((step.key for step in steps if not step.done), None)
    return tuple(replace(step, first=step.key == upcoming) for step in steps)
