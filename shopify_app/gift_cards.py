"""Rewards that are gift cards: made once, since a code can be taken only once, and ended as long as nothing of them is spent."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.delivery import Later, Outcome, Refused
from loyalty.models import RewardIssue
from shopify_app import documents
from shopify_app.admin_api import ACCESS_DENIED, AdminClient, Answer
from shopify_app.errors import RequestInvalid, Unreachable
from shopify_app.gids import gid
from shopify_app.reward_codes import title_of
from shopify_app.reward_outcomes import (
    PASSING,
    ended,
    error_codes,
    failed,
    issued,
    later_by,
)

_SEEN = 20
_MOMENT = timedelta(microseconds=1)


def issue(
    api: AdminClient,
    row: RewardIssue,
    customer_id: int | None,
    *,
    timezone: ZoneInfo,
    attempt: int,
    now: datetime,
) -> Outcome:
    """Make sure that the card exists. Raises ``ShopifyError`` when nothing can be said about it yet."""
    if row.bound and customer_id is None:
        return failed(row, "no_customer", now)
    wanted = card_input(row, customer_id, timezone)
    try:
        answer = api.mutate(documents.GIFT_CARD_CREATE, {"card": wanted}, idempotent=False)
    except Unreachable as lost:
        # The card may have been made: asking again will say that its code is taken.
        return Later(later_by(attempt), f"lost:{lost.reason}", lost.status)
    except RequestInvalid as refusal:
        return failed(row, _denied(refusal.reason), now)
    return _judge(api, row, answer, attempt=attempt, now=now)


def card_input(row: RewardIssue, customer_id: int | None, timezone: ZoneInfo) -> dict[str, Any]:
    """What the card is. Its note names the reward, and the customer does not see it."""
    made: dict[str, Any] = {
        "code": row.code,
        "initialAmount": {"amount": str(row.amount), "currencyCode": row.currency},
        "note": title_of(row),
    }
    if row.bound and customer_id is not None:
        made["customerId"] = gid("Customer", customer_id)
    if row.expires_at is not None:
        # A reward ends with the midnight after its last day, and a card with its last day.
        made["expiresOn"] = (row.expires_at - _MOMENT).astimezone(timezone).date().isoformat()
    return made


def deactivate(api: AdminClient, row: RewardIssue, *, attempt: int, now: datetime) -> Outcome:
    """Switch the card off unless something of it is spent. Raises ``ShopifyError``."""
    card = _by_id(api, row.discount_id) if row.discount_id else _ours(api, row)
    if card is None:
        return ended(row, now, used=False)
    if _is_spent(card):
        return ended(row, now, used=True)
    answer = api.mutate(documents.GIFT_CARD_DEACTIVATE, {"id": card["id"]}, idempotent=True)
    payload = answer.data.get("giftCardDeactivate") or {}
    codes = error_codes(payload)
    if "GIFT_CARD_NOT_FOUND" in codes:
        return ended(row, now, used=False)
    if PASSING & set(codes) or not (codes or payload.get("giftCard")):
        return Later(later_by(attempt), ",".join(codes or answer.errors) or "no_answer", 200)
    if codes:
        return Refused(",".join(codes).lower(), 200)
    # Nothing more can be spent now; what was spent since we looked shows here.
    return ended(row, now, used=_is_spent(payload["giftCard"]))


def _judge(api: AdminClient, row: RewardIssue, answer: Answer, *, attempt: int, now: datetime) -> Outcome:
    payload = answer.data.get("giftCardCreate") or {}
    codes = error_codes(payload)
    if not codes and payload.get("giftCard"):
        return issued(row, payload["giftCard"]["id"], now)
    if "TAKEN" in codes:
        card = _ours(api, row)
        # Shopify's search may not know a new card for a moment.
        return issued(row, card["id"], now) if card else Later(later_by(attempt), "taken_and_not_found", 200)
    if ACCESS_DENIED in answer.errors:
        return failed(row, "access_denied", now)
    if not codes or PASSING & set(codes):
        return Later(later_by(attempt), ",".join(codes or answer.errors) or "no_answer", 200)
    return failed(row, ",".join(codes).lower(), now)


def _ours(api: AdminClient, row: RewardIssue) -> Mapping[str, Any] | None:
    """The reward's card, if it was made. Shopify shows only the end of a code; the note says whose card it is."""
    if row.code is None:
        return None
    answer = api.query(documents.GIFT_CARDS_FOUND, {"search": row.code, "most": _SEEN})
    if answer.errors:
        raise Unreachable("look_up_refused", status=200)
    end = row.code[-4:].lower()
    nodes: list[Mapping[str, Any]] = (answer.data.get("giftCards") or {}).get("nodes") or []
    return next(
        (card for card in nodes if card["note"] == title_of(row) and card["lastCharacters"].lower() == end),
        None,
    )


def _by_id(api: AdminClient, card_id: str) -> Mapping[str, Any] | None:
    answer = api.query(documents.GIFT_CARD, {"id": card_id})
    if answer.errors:
        raise Unreachable("look_up_refused", status=200)
    card: Mapping[str, Any] | None = answer.data.get("giftCard")
    return card


def _is_spent(card: Mapping[str, Any]) -> bool:
    return Decimal(str(card["balance"]["amount"])) < Decimal(str(card["initialValue"]["amount"]))


def _denied(reason: str) -> str:
    return "access_denied" if ACCESS_DENIED in reason else reason.lower()
