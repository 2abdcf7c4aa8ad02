"""What staff may do about a member's reward: take it back, or decide about what waits for a person."""

from collections.abc import Callable
from datetime import datetime

from flask import Blueprint
from flask.wrappers import Response
from sqlmodel import Session, col, select

from loyalty import points, redemption
from loyalty.database import retry_on_conflict
from loyalty.models import RewardIssue, Shop
from loyalty.points import NotWaiting
from loyalty.programs import NoProgram
from loyalty.redemption import CancelRefused
from shopify_app.admin.answers import done, refused
from shopify_app.admin.page import Pages

Answer = Response | tuple[Response, int]
Change = Callable[[Session, Shop, RewardIssue, datetime], frozenset[str]]

_CANNOT = {
    "store_credit": "Store credit cannot be taken back: it is money in the customer's hands.",
    "issuing": "This reward is being made. Try again in a moment.",
    "used": "This reward was used.",
    "expired": "This reward has expired.",
    "cancelled": "This reward was cancelled already.",
    "failed": "This reward was never made, and its points went back.",
}
_WORDS = {
    "access_denied": "The app may not make this kind of reward. Give it access on the home page.",
    "not_made_in_time": "Shopify did not make it within a day.",
    "no_customer": "There is no customer in Shopify to make it for.",
    "product_is_gone": "The product is not in the store any more.",
    "code_taken_by_another": "Another discount has this code.",
    "free_product_with_minimum": "Shopify knows no minimum for a free product.",
    "terms_not_understood": "Its terms are not understood any more.",
    "several_credits_alike": "The customer got several credits that look alike. Was this one paid?",
    "credits_cannot_be_read": "The app may not look whether this credit was paid.",
    "not_found_out": "For days Shopify did not say whether it was paid.",
    "given_up": "Shopify could not make it, and it is not tried any more.",
    "given_back_by_staff": "Staff decided that it is not made.",
}
_DECISIONS: dict[str, tuple[Change, str]] = {
    "paid": (
        lambda session, shop, row, now: points.say_paid(session, shop, row, now=now),
        "Noted as paid",
    ),
    "again": (
        lambda session, shop, row, now: points.make_again(session, shop, row, now=now),
        "It is being made",
    ),
    "back": (
        lambda session, shop, row, now: points.give_back(session, shop, row, now=now),
        "It will not be made",
    ),
}


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``POST /members/<id>/rewards/<issue>/cancel`` and ``…/decide/<decision>``."""

    @blueprint.post("/members/<int:member_id>/rewards/<issue_id>/cancel")
    def cancel_reward(member_id: int, issue_id: str) -> Answer:
        by = f"Staff member {pages.merchant().user_id}"

        def change(session: Session, shop: Shop, row: RewardIssue, now: datetime) -> frozenset[str]:
            return redemption.cancel(session, shop, row, by=by, now=now)

        return _change(pages, member_id, issue_id, change, "The reward is being taken back")

    @blueprint.post("/members/<int:member_id>/rewards/<issue_id>/decide/<decision>")
    def decide_credit(member_id: int, issue_id: str, decision: str) -> Answer:
        known = _DECISIONS.get(decision)
        if known is None:
            return refused("There is no such decision.", status=404)
        return _change(pages, member_id, issue_id, *known)


def in_words(failure: str) -> str:
    """What a failure means, for staff."""
    return _WORDS.get(failure, failure.replace("_", " ").capitalize())


@retry_on_conflict
def _change(pages: Pages, member_id: int, issue_id: str, change: Change, told: str) -> Answer:
    now, merchant = pages.runtime.clock(), pages.merchant()
    try:
        with pages.runtime.transaction() as session:
            shop = pages.shop(session)
            row = session.exec(
                select(RewardIssue).where(
                    col(RewardIssue.id) == issue_id,
                    col(RewardIssue.member_id) == member_id,
                    col(RewardIssue.shop_id) == shop.id,
                )
            ).first()
            if row is None:
                return refused("There is no such reward.", status=404)
            channels = change(session, shop, row, now)
    except CancelRefused as why:
        return refused(_CANNOT.get(why.code, "This reward cannot be taken back."))
    except NotWaiting:
        return refused("This has been decided. Load the page again.")
    except NoProgram:
        return refused("Save the program first.")
    for channel in sorted(channels):
        pages.runtime.nudge("drain_outbox", merchant.shop_id, channel)
    return done(told, redirect=pages.link(f"/members/{member_id}"))
