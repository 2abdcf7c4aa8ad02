"""Referrals for the merchant: what became of each, what every check said, and the last word of staff."""

from datetime import datetime

from flask import Blueprint, request
from flask.wrappers import Response
from sqlmodel import Session

from loyalty import referrals
from loyalty.core.decide.referrals import (
    APPROVED,
    BLOCKED,
    CLAIMED,
    COMPLETED,
    ORDERED,
    REVERSED,
    STATES,
)
from loyalty.database import retry_on_conflict
from loyalty.points import settle_accounts
from loyalty.programs import NoProgram
from loyalty.statement import referrals as statement
from loyalty.statement import runs
from loyalty.statement.keyset import parse_cursor
from shopify_app.admin.answers import done, refused
from shopify_app.admin.imports import ORDERS
from shopify_app.admin.page import Pages, points_name, program_in_force
from shopify_app.admin.referral_words import TONES, WORDS, checks, reason, summary

_RULINGS = {"approve": APPROVED, "block": BLOCKED}
_APPROVABLE = frozenset({BLOCKED, REVERSED})
_BLOCKABLE = frozenset({CLAIMED, ORDERED, COMPLETED})
_REFUSALS = {
    "not_found": ("There is no such referral.", 404),
    "not_available": ("Nobody has taken this invitation up yet.", 409),
}


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /referrals`` and ``POST /referrals/<id>/approve`` or ``…/block``."""

    @blueprint.get("/referrals")
    def show_referrals() -> Response:
        return _list(pages)

    @blueprint.post("/referrals/<int:referral_id>/<ruling>")
    @retry_on_conflict
    def rule_referral(referral_id: int, ruling: str) -> Response | tuple[Response, int]:
        said = _RULINGS.get(ruling)
        if said is None:
            return refused("There is no such decision.", status=404)
        return _rule(pages, referral_id, said)


def _list(pages: Pages) -> Response:
    asked = request.args.get("state", "")
    state = asked if asked in STATES else ""
    with pages.runtime.reading() as session:
        shop = pages.shop(session)
        assert shop.id is not None
        program = program_in_force(session, shop.id)
        cursor = parse_cursor(request.args.get("at"), size=1)
        return pages.render(
            "admin/referrals.html",
            shop,
            list=statement.referrals_page(session, shop.id, state=state, cursor=cursor),
            state=state,
            states=STATES,
            words=WORDS,
            tones=TONES,
            points_name=points_name(program),
            offered=program is not None and program.referrals is not None,
            knows_past=_knows_past(session, shop.id, pages.runtime.clock()),
            reason=reason,
            checks=checks,
            summary=summary,
            may_approve=lambda row: row.state in _APPROVABLE and row.ruling != APPROVED,
            may_block=lambda row: row.state in _BLOCKABLE,
        )


def _knows_past(session: Session, shop_id: int, now: datetime) -> bool:
    """Whether orders from before the installation were brought in, without which a guest of those days is a new customer."""
    return any(run.state == "done" for run in runs.latest(session, shop_id, (ORDERS,), now=now))


def _rule(pages: Pages, referral_id: int, said: str) -> Response | tuple[Response, int]:
    merchant, now = pages.merchant(), pages.runtime.clock()
    staff = f"Staff member {merchant.user_id}"
    try:
        with pages.runtime.transaction() as session:
            shop = pages.shop(session)
            channels = referrals.rule(session, shop, settle_accounts, referral_id, said, staff=staff, now=now)
    except referrals.ReferralRefused as why:
        text, status = _REFUSALS.get(why.code, ("This cannot be decided.", 409))
        return refused(text, status=status)
    except NoProgram:
        return refused("Save the program first.")
    for channel in sorted(channels):
        pages.runtime.nudge("drain_outbox", merchant.shop_id, channel)
    return done("Approved" if said == APPROVED else "Blocked", redirect=pages.link("/referrals"))
