"""Makes the discount of a reward, once, however often it is asked: a code that is there already is adopted if its title says that it
is this reward's."""

from datetime import datetime
from decimal import Decimal

from loyalty.delivery import Later, Outcome
from loyalty.models import RewardIssue
from loyalty.redemption import terms_of
from shopify_app import documents
from shopify_app.admin_api import ACCESS_DENIED, AdminClient, Answer
from shopify_app.discounts.finding import by_code, is_ours
from shopify_app.discounts.inputs import CannotBeMade, creation
from shopify_app.errors import RequestInvalid, Unreachable
from shopify_app.gids import gid
from shopify_app.reward_outcomes import PASSING, error_codes, failed, issued, later_by


def issue(
    api: AdminClient, row: RewardIssue, customer_id: int | None, *, attempt: int, now: datetime
) -> Outcome:
    """Make sure that the reward's code exists at Shopify. Raises ``ShopifyError`` when nothing can be said about it yet."""
    try:
        made = creation(row, customer_id, unit_price=_unit_price(api, row))
        answer = api.mutate(made.document, {"discount": made.discount}, idempotent=False)
    except CannotBeMade as why:
        return failed(row, why.reason, now)
    except Unreachable as lost:
        # The discount may have been made. If it was, that is the end of it; if not, the same code is asked for later.
        return _adopt(api, row, now) or Later(later_by(attempt), f"lost:{lost.reason}", lost.status)
    except RequestInvalid as refusal:
        return failed(row, refusal.reason.lower(), now)
    return _judge(api, row, made.field, answer, attempt=attempt, now=now)


def _judge(
    api: AdminClient, row: RewardIssue, field: str, answer: Answer, *, attempt: int, now: datetime
) -> Outcome:
    payload = answer.data.get(field) or {}
    codes = error_codes(payload)
    if not codes and payload.get("codeDiscountNode"):
        return issued(row, payload["codeDiscountNode"]["id"], now)
    if "TAKEN" in codes:
        return _adopt(api, row, now) or Later(later_by(attempt), "taken_and_not_found")
    if ACCESS_DENIED in answer.errors:
        # The merchant took the right to make discounts back: the points must not wait for it.
        return failed(row, "access_denied", now)
    if not codes or PASSING & set(codes):
        return Later(later_by(attempt), ",".join(codes or answer.errors) or "no_answer", 200)
    return failed(row, ",".join(codes).lower(), now)


def _adopt(api: AdminClient, row: RewardIssue, now: datetime) -> Outcome | None:
    """The outcome if the code exists; None if it does not."""
    assert row.code is not None
    node = by_code(api, row.code)
    if node is None:
        return None
    return issued(row, node["id"], now) if is_ours(node, row) else failed(row, "code_taken_by_another", now)


def _unit_price(api: AdminClient, row: RewardIssue) -> Decimal | None:
    """What one piece of the free product costs today. Raises ``CannotBeMade`` when the shop no longer has it."""
    terms = terms_of(row)
    if terms.kind != "free_product" or terms.variant_id is None:
        return None
    answer = api.query(documents.VARIANT_PRICE, {"id": gid("ProductVariant", terms.variant_id)})
    variant = answer.data.get("productVariant")
    if variant is None:
        raise CannotBeMade("access_denied" if ACCESS_DENIED in answer.errors else "product_is_gone")
    return Decimal(str(variant["price"]))
