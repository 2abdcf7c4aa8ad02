"""What the widget shows of a member: balance, tier, rewards, ways to earn, and the latest movements."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel import Session

from loyalty.core.moments import day_of
from loyalty.core.program import Program, Tier
from loyalty.models import Member, Shop
from loyalty.statement import shopper
from loyalty.statement.money import Money
from shopify_app.phrases import ENGLISH, Language
from shopify_app.program_view import program_view
from shopify_app.storefront.history import history_answer
from shopify_app.storefront.issues import issue_answer, issues_of
from shopify_app.storefront.telling import first_celebration
from shopify_app.visitors import Visitor, person_of, program_of


def member_answer(
    session: Session, visitor: Visitor, *, language: Language = ENGLISH, now: datetime
) -> dict[str, Any]:
    """``GET /proxy/member``; ``docs/storefront.md`` has every key."""
    program = program_of(session, visitor)
    person = person_of(session, visitor)
    shop = visitor.shop
    today = day_of(now, program.timezone)
    view = program_view(
        program, currency=shop.currency, shop_format=shop.money_format, today=today, language=language
    )
    if visitor.prefix is not None:
        view["proxy"] = visitor.prefix  # merchants may move the proxy
    is_in = visitor.customer_id is not None
    issues = issues_of(session, person) if person is not None else ()
    return {
        "program": view,
        "member": _member(session, person, program, shop, now) if is_in else None,
        "rewards": _rewards(session, view["rewards"], person, program, is_in=is_in, now=now),
        "ways": _ways(session, view["earn"], person, program, is_in=is_in, now=now),
        "issues": [issue_answer(issue, now=now) for issue in issues],
    }


def _member(
    session: Session, person: Member | None, program: Program, shop: Shop, now: datetime
) -> dict[str, Any]:
    """Somebody who is logged in and whom we have not met is a member without points: their record is on its way to us."""
    if person is None:
        return {"balance": 0, "pending": 0, "state": "member", "tier": None, "birthday": None, "history": []}
    release = shopper.next_release(session, person, now=now)
    first = first_celebration(person, program, now)
    birthday = {
        "month": person.birthday_month,
        "day": person.birthday_day,
        "celebrated_from": first.isoformat() if first else None,
    }
    return {
        "balance": person.balance,
        "pending": person.pending,
        "pending_until": _instant(release),
        "state": person.state,
        "expires_at": _instant(person.expires_at),
        "expiring_points": person.expiring_points,
        "tier": _tier(person, program, shop),
        "birthday": birthday if person.birthday_month is not None else None,
        "history": history_answer(session, person.id or 0),
    }


def _tier(person: Member, program: Program, shop: Shop) -> dict[str, Any] | None:
    """The member's tier and what is ahead; None where the program has no tiers."""
    if program.tiers is None:
        return None
    own, ahead = program.tiers.tier(person.tier), program.tiers.tier(person.next_tier)
    return {
        "key": own.key if own else None,
        "title": own.title if own else None,
        "perks": list(own.perks) if own else [],
        "since": _instant(person.tier_since),
        "until": _instant(person.tier_until),
        "next": _ahead(ahead, person.next_tier_distance, program, shop) if ahead else None,
    }


def _ahead(tier: Tier, distance: Decimal | None, program: Program, shop: Shop) -> dict[str, Any]:
    assert program.tiers is not None
    left = tier.threshold if distance is None else distance
    is_money = program.tiers.metric == "spent"
    return {
        "key": tier.key,
        "title": tier.title,
        "metric": program.tiers.metric,
        "threshold": str(tier.threshold),
        "distance": None if distance is None else str(distance),
        "currency": shop.currency,
        "amount": Money(shop.currency, shop.money_format, program.currency).write(left) if is_money else None,
    }


def _rewards(
    session: Session,
    shown: list[dict[str, Any]],
    person: Member | None,
    program: Program,
    *,
    is_in: bool,
    now: datetime,
) -> list[dict[str, Any]]:
    """The rewards that are offered, each with what is missing and, where it cannot be had at all now, why."""
    balance = person.balance if person is not None else 0
    closed = shopper.closed_rewards(session, person, program, now=now)
    return [
        reward
        | {
            "affordable": is_in and balance >= reward["points"] and reward["key"] not in closed,
            "missing": max(reward["points"] - balance, 0),
            "closed": closed.get(reward["key"]),
        }
        for reward in shown
    ]


def _ways(
    session: Session,
    shown: list[dict[str, Any]],
    person: Member | None,
    program: Program,
    *,
    is_in: bool,
    now: datetime,
) -> list[dict[str, Any]]:
    """The ways to earn, each with whether it is open to this member now."""
    closed = shopper.closed_ways(session, person, program, now=now) if is_in else {}
    return [way | {"state": closed.get(way["key"], "open")} for way in shown]


def _instant(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
