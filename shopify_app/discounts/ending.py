"""Makes the code of a reward unusable, and says whether somebody had used it."""

from datetime import datetime

from loyalty.delivery import Later, Outcome, Refused
from loyalty.models import RewardIssue
from shopify_app import documents
from shopify_app.admin_api import AdminClient
from shopify_app.discounts.finding import by_code, is_ours
from shopify_app.reward_outcomes import PASSING, ended, error_codes, later_by

_GONE = frozenset({"NOT_FOUND", "INVALID"})


def deactivate(api: AdminClient, row: RewardIssue, *, attempt: int, now: datetime) -> Outcome:
    """Switch the code off, and look at its uses afterwards, when no more can come. One that is not there is unusable enough.

    Shopify counts uses with a delay: one that it has not counted yet shows when the order comes.
    """
    discount_id = row.discount_id
    if discount_id is None and row.code is not None:
        node = by_code(api, row.code)
        discount_id = node["id"] if node is not None and is_ours(node, row) else None
    if discount_id is None:
        return ended(row, now, used=False)
    answer = api.mutate(documents.DISCOUNT_DEACTIVATE, {"id": discount_id}, idempotent=True)
    payload = answer.data.get("discountCodeDeactivate") or {}
    codes = error_codes(payload)
    if PASSING & set(codes) or not (codes or payload.get("codeDiscountNode")):
        return Later(later_by(attempt), ",".join(codes or answer.errors) or "no_answer", 200)
    if set(codes) - _GONE:
        return Refused(",".join(codes).lower(), 200)
    discount = (payload.get("codeDiscountNode") or {}).get("codeDiscount") or {}
    return ended(row, now, used=bool(discount.get("asyncUsageCount")))
