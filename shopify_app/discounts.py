"""Makes the discount code of a reward, once, however often it is asked.

Shopify knows no idempotency key for discounts, so the code itself is one: it follows from the reward's id and a key of the shop's
own. Asking again for the same reward asks for the same code, and a code that is there already is adopted if its title says that it
is this reward's.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from loyalty.core.facts import RewardFailed, RewardIssued
from loyalty.delivery import Delivered, Later, Outcome, Refused
from loyalty.encryption import Cipher
from loyalty.models import RewardIssue, Shop
from shopify_app import documents
from shopify_app.admin_api import AdminClient, Answer
from shopify_app.errors import RequestInvalid, Unreachable
from shopify_app.gids import gid

# No I, L, O and U: nothing is mistaken for 1 or 0, and no words come about.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PREFIX = "LAUREL-"
_LENGTH = 12
_PASSING = frozenset({"INTERNAL_ERROR"})
_GONE = frozenset({"NOT_FOUND", "INVALID"})
TAG = "laurel"


def reward_code(cipher: Cipher, shop: Shop, issue_id: str) -> str:
    """The code of a reward: always the same for the same reward, and not to be guessed without the shop's key."""
    key = cipher.open(shop.code_key, row=f"shop:{shop.domain}")
    number = int.from_bytes(hmac.new(key.encode(), issue_id.encode(), hashlib.sha256).digest(), "big")
    characters = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[place])
    return _PREFIX + "".join(characters)


def issue(
    api: AdminClient, row: RewardIssue, customer_id: int | None, *, attempt: int, now: datetime
) -> Outcome:
    """Make sure that the reward's code exists at Shopify. Raises ``ShopifyError`` when nothing can be said about it yet."""
    if row.state != "issuing":
        return Delivered()
    if customer_id is None or row.code is None:
        return _failed(row, "no_customer", now)
    try:
        answer = api.mutate(
            documents.DISCOUNT_CREATE, {"discount": discount_input(row, customer_id)}, idempotent=False
        )
    except Unreachable as lost:
        # The discount may have been made. If it was, that is the end of it; if not, the same code is asked for later.
        return _adopt(api, row, now) or Later(later_by(attempt), f"lost:{lost.reason}", lost.status)
    except RequestInvalid as refusal:
        return _failed(row, refusal.reason.lower(), now)
    return _judge(api, row, answer, attempt=attempt, now=now)


def _judge(api: AdminClient, row: RewardIssue, answer: Answer, *, attempt: int, now: datetime) -> Outcome:
    payload = answer.data.get("discountCodeBasicCreate") or {}
    codes = error_codes(payload)
    if not codes and payload.get("codeDiscountNode"):
        return _issued(row, payload["codeDiscountNode"]["id"], now)
    if "TAKEN" in codes:
        return _adopt(api, row, now) or Later(later_by(attempt), "taken_and_not_found")
    if "ACCESS_DENIED" in answer.errors:
        # The merchant took the right to make discounts back: the points must not wait for it.
        return _failed(row, "access_denied", now)
    if not codes or _PASSING & set(codes):
        return Later(later_by(attempt), ",".join(codes or answer.errors) or "no_answer", 200)
    return _failed(row, ",".join(codes).lower(), now)


def deactivate(api: AdminClient, row: RewardIssue, *, attempt: int) -> Outcome:
    """Make the code unusable. One that is not there is unusable enough."""
    discount_id = row.discount_id
    if discount_id is None and row.code is not None:
        node = _by_code(api, row.code)
        discount_id = node["id"] if node is not None and _is_ours(node, row) else None
    if discount_id is None:
        return Delivered()
    answer = api.mutate(documents.DISCOUNT_DEACTIVATE, {"id": discount_id}, idempotent=True)
    codes = error_codes(answer.data.get("discountCodeDeactivate") or {})
    if not codes and answer.errors:
        return Later(later_by(attempt), ",".join(answer.errors), 200)
    return Delivered(200) if not set(codes) - _GONE else Refused(",".join(codes).lower(), 200)


def discount_input(row: RewardIssue, customer_id: int) -> dict[str, Any]:
    """What the discount is: one use, this customer only, the whole order, and beside product and shipping discounts."""
    made: dict[str, Any] = {
        "title": title_of(row),
        "code": row.code,
        "startsAt": _instant(row.created_at),
        "endsAt": _instant(row.expires_at) if row.expires_at else None,
        "usageLimit": 1,
        "appliesOncePerCustomer": True,
        "context": {"customers": {"add": [gid("Customer", customer_id)]}},
        "combinesWith": {"orderDiscounts": False, "productDiscounts": True, "shippingDiscounts": True},
        "customerGets": {
            "items": {"all": True},
            "value": {"discountAmount": {"amount": str(row.amount), "appliesOnEachItem": False}},
        },
        "tags": [TAG],
    }
    if row.minimum_subtotal is not None:
        minimum = {"greaterThanOrEqualToSubtotal": str(row.minimum_subtotal)}
        made["minimumRequirement"] = {"subtotal": minimum}
    return made


def title_of(row: RewardIssue) -> str:
    """The discount's title in the admin. It names the reward's id: by that we know our own."""
    return f"{row.title} (Laurel {row.id})"


def error_codes(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The codes of a mutation's user errors; their messages may quote what we sent and are left alone."""
    return tuple(str(error.get("code") or "INVALID") for error in payload.get("userErrors") or ())


def later_by(attempt: int) -> float:
    """Seconds to wait after an attempt: 2, 4, 8 … up to a quarter of an hour."""
    return float(min(2 ** min(attempt, 10), 900))


def _adopt(api: AdminClient, row: RewardIssue, now: datetime) -> Outcome | None:
    """The outcome if the code exists; None if it does not."""
    assert row.code is not None
    node = _by_code(api, row.code)
    if node is None:
        return None
    return (
        _issued(row, node["id"], now) if _is_ours(node, row) else _failed(row, "code_taken_by_another", now)
    )


def _by_code(api: AdminClient, code: str) -> Mapping[str, Any] | None:
    answer: Answer = api.query(documents.DISCOUNT_BY_CODE, {"code": code})
    if answer.errors:
        raise Unreachable("look_up_refused", status=200)
    return answer.data.get("codeDiscountNodeByCode")


def _is_ours(node: Mapping[str, Any], row: RewardIssue) -> bool:
    return (node.get("codeDiscount") or {}).get("title") == title_of(row)


def _issued(row: RewardIssue, discount_id: str, now: datetime) -> Outcome:
    return Delivered(200, (RewardIssued(row.id, discount_id, now),))


def _failed(row: RewardIssue, reason: str, now: datetime) -> Outcome:
    return Refused(reason, None, (RewardFailed(row.id, reason, now),))


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
