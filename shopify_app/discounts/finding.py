"""Finds the discount of a reward at Shopify by its code, and knows whether it is ours."""

from collections.abc import Mapping
from typing import Any

from loyalty.models import RewardIssue
from shopify_app import documents
from shopify_app.admin_api import AdminClient
from shopify_app.errors import Unreachable
from shopify_app.reward_codes import title_of


def by_code(api: AdminClient, code: str) -> Mapping[str, Any] | None:
    """The discount with this code, whatever the letter case; None when there is none. Raises ``ShopifyError``."""
    answer = api.query(documents.DISCOUNT_BY_CODE, {"code": code})
    if answer.errors:
        raise Unreachable("look_up_refused", status=200)
    node: Mapping[str, Any] | None = answer.data.get("codeDiscountNodeByCode")
    return node


def is_ours(node: Mapping[str, Any], row: RewardIssue) -> bool:
    """Whether a discount says that it is this reward's."""
    return (node.get("codeDiscount") or {}).get("title") == title_of(row)
