"""metafieldsSet and metafieldsDelete: at most 25 at once, all or none, compare-and-set, owner rights."""

from __future__ import annotations

import json
from typing import Any

from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.queries import find_node
from sandbox.shopify.graphql.registry import fields, type_name_of
from sandbox.shopify.graphql.shop_fields import APP_NAMESPACE_PREFIX, digest, namespace
from sandbox.shopify.people import later
from sandbox.shopify.shop import Metafield

MOST_AT_ONCE = 25
SHORTEST_KEY, LONGEST_KEY = 2, 64
LONGEST_VALUE = 16 * 1024
OWNER_TYPES = {
    "Customer": "CUSTOMER",
    "Order": "ORDER",
    "Product": "PRODUCT",
    "Shop": "SHOP",
    "AppInstallation": "API_PERMISSION",
    "DiscountCodeNode": "DISCOUNT",
}
OWNER_SCOPES = {"CUSTOMER": "write_customers", "ORDER": "write_orders", "PRODUCT": "write_products"}
OWNER_SCOPES["DISCOUNT"] = "write_discounts"
SIMPLE_TYPES = ("single_line_text_field", "multi_line_text_field", "json", "number_integer", "number_decimal")
TYPES = (*SIMPLE_TYPES, "boolean", "date", "date_time", "url", "money")


class Rejected(Exception):
    """A user error about one metafield."""

    def __init__(self, row: dict[str, Any]) -> None:
        super().__init__(row["message"])
        self.row = row


def _error(index: int, name: str, code: str, message: str) -> dict[str, Any]:
    return {
        "field": ["metafields", str(index), name],
        "message": message,
        "code": code,
        "elementIndex": index,
    }


def _type(
    context: Context, owner_type: str, space: str, row: dict[str, Any], old: Metafield | None
) -> str | None:
    """The type from the app's own definition, else as given, else as stored."""
    if space.startswith(APP_NAMESPACE_PREFIX):
        for definition in context.world.config.definitions:
            if definition.owner == owner_type and definition.key == row["key"]:
                return definition.type
    return row.get("type") or (old.type if old else None)


def _valid(kind: str, value: str) -> bool:
    try:
        if kind == "number_integer":
            return abs(int(value)) < 2**63
        if kind == "number_decimal":
            float(value)
        elif kind == "json":
            json.loads(value)
        elif kind == "boolean":
            return value in ("true", "false")
        elif kind == "single_line_text_field":
            return "\n" not in value
    except ValueError:
        return False
    return True


def _owner(context: Context, index: int, row: dict[str, Any]) -> str:
    """Check that the owner exists and that the app may write to it; return the owner's type."""
    owner = find_node(None, context, row["ownerId"])
    owner_type = OWNER_TYPES.get(type_name_of(owner)) if owner is not None else None
    if owner_type is None:
        raise Rejected(_error(index, "ownerId", "INVALID", "Owner does not exist."))
    context.demand(OWNER_SCOPES.get(owner_type), "metafieldsSet")
    return owner_type


def _check_value(index: int, row: dict[str, Any], kind: str | None, old: Metafield | None) -> str:
    """Check key, type and value; return the type."""
    if not SHORTEST_KEY <= len(row["key"]) <= LONGEST_KEY:
        code = "TOO_SHORT" if len(row["key"]) < SHORTEST_KEY else "TOO_LONG"
        raise Rejected(_error(index, "key", code, "Key length is wrong."))
    if kind is None:
        raise Rejected(_error(index, "type", "BLANK", "Type can't be blank"))
    if kind not in TYPES:
        raise Rejected(_error(index, "type", "INCLUSION", "Type is not included in the list"))
    if old is not None and old.type != kind:
        raise Rejected(_error(index, "type", "INVALID_TYPE", "Type must match the stored metafield."))
    if not row["value"]:
        raise Rejected(_error(index, "value", "BLANK", "Value can't be blank."))
    if len(row["value"].encode()) > LONGEST_VALUE or not _valid(kind, row["value"]):
        raise Rejected(_error(index, "value", "INVALID_VALUE", f"Value is not valid for {kind}."))
    return kind


def _check(context: Context, index: int, row: dict[str, Any]) -> Metafield:
    """Return the metafield that would be stored, or raise Rejected."""
    owner_type = _owner(context, index, row)
    space = namespace(context, row.get("namespace"))
    old = context.shop.metafields.get((row["ownerId"], space, row["key"]))
    kind = _check_value(index, row, _type(context, owner_type, space, row, old), old)
    if "compareDigest" in row and row["compareDigest"] != (digest(old) if old else None):
        message = "The resource has been updated since it was loaded."
        raise Rejected(_error(index, "compareDigest", "STALE_OBJECT", message))
    now = context.now.replace(microsecond=0)
    return Metafield(
        id=old.id if old else context.world.ids.next("Metafield"),
        owner=row["ownerId"],
        owner_type=owner_type,
        namespace=space,
        key=row["key"],
        type=kind,
        value=row["value"],
        created_at=old.created_at if old else now,
        updated_at=later(now, old.updated_at) if old else now,
    )


def _set(_root: Any, context: Context, metafields: list[dict[str, Any]]) -> dict[str, Any]:
    if len(metafields) > MOST_AT_ONCE:
        message = f"Exceeded the maximum metafields input limit of {MOST_AT_ONCE}."
        row = {
            "field": ["metafields"],
            "message": message,
            "code": "LESS_THAN_OR_EQUAL_TO",
            "elementIndex": None,
        }
        return {"metafields": [], "userErrors": [row]}
    made, errors = [], []
    for index, row in enumerate(metafields):
        try:
            made.append(_check(context, index, row))
        except Rejected as refusal:
            errors.append(refusal.row)
    if errors:
        return {"metafields": [], "userErrors": errors}
    for item in made:
        context.shop.metafields[(item.owner, item.namespace, item.key)] = item
    return {"metafields": made, "userErrors": []}


def _delete(_root: Any, context: Context, metafields: list[dict[str, Any]]) -> dict[str, Any]:
    gone: list[dict[str, Any] | None] = []
    for row in metafields:
        owner = find_node(None, context, row["ownerId"])
        owner_type = OWNER_TYPES.get(type_name_of(owner), "") if owner is not None else ""
        context.demand(OWNER_SCOPES.get(owner_type), "metafieldsDelete")
        key = (row["ownerId"], namespace(context, row["namespace"]), row["key"])
        found = context.shop.metafields.pop(key, None)
        shown = {"ownerId": row["ownerId"], "namespace": key[1], "key": row["key"]}
        gone.append(shown if found else None)
    return {"deletedMetafields": gone, "userErrors": []}


fields("Mutation", {"metafieldsSet": _set, "metafieldsDelete": _delete})
