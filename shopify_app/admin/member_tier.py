"""A member's tier on the merchant's pages: what it is and why, and the form that gives one by hand."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import Blueprint, request
from flask.wrappers import Response
from sqlmodel import col, select

from loyalty import staff
from loyalty.core.moments import day_of, start_of
from loyalty.core.program import Program
from loyalty.database import retry_on_conflict
from loyalty.models import Member
from loyalty.programs import NoProgram
from loyalty.staff import TierRefused
from loyalty.statement.formats import Formats
from loyalty.statement.standings import Ahead
from shopify_app.admin.answers import done, mistakes, refused
from shopify_app.admin.page import Pages, program_in_force

_REACHED = ""
_UNITS = {"points": "points", "orders": "orders"}


@dataclass(frozen=True, slots=True)
class TierWords:
    """A member's tier in words, and the choices of the form: key and title of each tier. ``last_day`` is that of a tier by hand."""

    title: str
    details: str
    choices: tuple[tuple[str, str], ...]
    chosen: str
    last_day: str


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``POST /members/<id>/tier``."""

    @blueprint.post("/members/<int:member_id>/tier")
    @retry_on_conflict
    def set_tier(member_id: int) -> Response | tuple[Response, int]:
        merchant, now = pages.merchant(), pages.runtime.clock()
        key = request.form.get("tier", "")
        try:
            with pages.runtime.transaction() as session:
                shop = pages.shop(session)
                member = session.exec(
                    select(Member).where(col(Member.id) == member_id, col(Member.shop_id) == shop.id)
                ).first()
                if member is None:
                    return refused("There is no such member.", status=404)
                ends_at = _ends_at(program_in_force(session, merchant.shop_id))
                by = f"Staff member {merchant.user_id}"
                tier = None if key == _REACHED else key
                channels = staff.set_tier(session, shop, member, tier, ends_at=ends_at, staff=by, now=now)
        except ValueError:
            return mistakes({"until": "Enter a day, or nothing."})
        except TierRefused as why:
            if why.code == "gone":
                return refused("This account cannot be changed.", status=404)
            if why.code == "ends_in_the_past":
                return mistakes({"until": "Enter a day that is not over."})
            return mistakes({"tier": "Choose one of the tiers."})
        except NoProgram:
            return refused("Save the program first.")
        for channel in sorted(channels):
            pages.runtime.nudge("drain_outbox", merchant.shop_id, channel)
        return done("Tier changed", redirect=pages.link(f"/members/{member_id}"))


def tier_in_words(ahead: Ahead, program: Program | None, formats: Formats) -> TierWords | None:
    """What the page says of a member's tier; None where the program has no tiers."""
    tiers = program.tiers if program is not None else None
    if tiers is None:
        return None
    tier, following = tiers.tier(ahead.tier), tiers.tier(ahead.next_tier)
    # A tier ends with its last day, at the midnight after it.
    until = ahead.hand_tier_until
    last_day = day_of(until - timedelta(microseconds=1), program.timezone) if program and until else None
    parts = []
    if ahead.hand_tier is not None and ahead.hand_tier == ahead.tier:
        by_whom = f" by {ahead.hand_tier_by}" if ahead.hand_tier_by else ""
        parts.append("given by hand" + (f" until {formats.day(last_day)}" if last_day else "") + by_whom)
    elif ahead.tier_until is not None:
        parts.append(f"until {formats.day(ahead.tier_until)}")
    if following is not None and ahead.next_tier_distance is not None:
        distance = ahead.next_tier_distance
        amount = (
            formats.money(distance)
            if tiers.metric == "spent"
            else f"{formats.number(distance)} {_UNITS[tiers.metric]}"
        )
        parts.append(f"{amount} to {following.title}")
    return TierWords(
        title=tier.title if tier else "None",
        details=", ".join(parts),
        choices=tuple((each.key, each.title) for each in tiers.ladder),
        chosen=ahead.hand_tier if ahead.hand_tier and tiers.tier(ahead.hand_tier) else _REACHED,
        last_day=last_day.isoformat() if last_day else "",
    )


def _ends_at(program: Program | None) -> datetime | None:
    """The end of the day that was entered, or None for ever. Raises ``ValueError``."""
    text = request.form.get("until", "").strip()
    if not text or program is None:
        return None
    day = date.fromisoformat(text)
    if day.year > 9000:
        raise ValueError
    return start_of(day + timedelta(days=1), program.timezone)
