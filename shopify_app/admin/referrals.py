"""Referrals for the merchant: what became of each, what every check said, and the last word of staff."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, request
from flask.wrappers import Response

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
from loyalty.models import Referral
from loyalty.points import settle_accounts
from loyalty.programs import NoProgram
from loyalty.statement import referrals as statement
from loyalty.statement.keyset import parse_cursor
from shopify_app.admin.answers import done, refused
from shopify_app.admin.page import Pages, points_name, program_in_force

WORDS: Mapping[str, str] = {
    "shared": "Invited",
    "claimed": "Waiting for an order",
    "ordered": "On hold",
    "completed": "Rewarded",
    "blocked": "Blocked",
    "cancelled": "Cancelled",
    "reversed": "Taken back",
}
TONES: Mapping[str, str] = {
    "claimed": "info",
    "ordered": "info",
    "completed": "success",
    "blocked": "critical",
    "reversed": "warning",
}
_REASONS: Mapping[str, str] = {
    "self": "The member refers themselves",
    "duplicate": "Somebody else brought this friend before",
    "existing_customer": "The friend was a customer already",
    "device": "The friend used a device of the member or of another friend",
    "address": "The order went to an address of the member",
    "limit": "The member has brought as many friends as the program lets",
    "staff": "Blocked by staff",
    "refunded": "The order was cancelled or refunded",
    "below_minimum": "The order was too small",
    "advocate_gone": "The member is gone",
}
# What each check looks at, as a merchant reads it when it passed, failed, or had nothing to look at.
_CHECKS: Mapping[str, tuple[str, str, str]] = {
    "self": ("Two different people", "One and the same person", "Not looked at"),
    "duplicate": ("Brought by nobody else", "Brought by somebody else before", "Not looked at"),
    "existing_customer": ("A new customer", "A customer already", "Not looked at"),
    "device": ("Another device", "A known device", "Device not known"),
    "address": ("Another address", "The member's address", "Addresses not known"),
    "limit": ("Within the limit", "Over the limit", "No limit to keep"),
}
_PLACES = {"passed": 0, "failed": 1, "unknown": 2}
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
                reason=reason,
                checks=checks,
                may_approve=lambda row: row.state in _APPROVABLE and row.ruling != APPROVED,
                may_block=lambda row: row.state in _BLOCKABLE,
            )

    @blueprint.post("/referrals/<int:referral_id>/<ruling>")
    @retry_on_conflict
    def rule_referral(referral_id: int, ruling: str) -> Response | tuple[Response, int]:
        said = _RULINGS.get(ruling)
        if said is None:
            return refused("There is no such decision.", status=404)
        merchant, now = pages.merchant(), pages.runtime.clock()
        try:
            with pages.runtime.transaction() as session:
                shop = pages.shop(session)
                channels = referrals.rule(
                    session,
                    shop,
                    settle_accounts,
                    referral_id,
                    said,
                    staff=f"Staff member {merchant.user_id}",
                    now=now,
                )
        except referrals.ReferralRefused as why:
            text, status = _REFUSALS.get(why.code, ("This cannot be decided.", 409))
            return refused(text, status=status)
        except NoProgram:
            return refused("Save the program first.")
        for channel in sorted(channels):
            pages.runtime.nudge("drain_outbox", merchant.shop_id, channel)
        return done("Approved" if said == APPROVED else "Blocked", redirect=pages.link("/referrals"))


def reason(row: Referral) -> str:
    """Why a referral is where it is; nothing where that needs no reason."""
    return _REASONS.get(row.reason, row.reason.replace("_", " ").capitalize())


def checks(row: Referral) -> list[dict[str, Any]]:
    """What each check said, and whether it would block."""
    return [
        {
            "text": _CHECKS[each["check"]][_PLACES[each["result"]]],
            "result": each["result"],
            "blocks": each["blocks"],
        }
        for each in row.checks
    ]
