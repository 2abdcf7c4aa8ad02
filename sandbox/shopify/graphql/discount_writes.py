"""The strict creation, activation, deactivation and deletion of discount codes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.shopify.clock import parse_instant, zulu
from sandbox.shopify.discount import Discount
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.queries import discount_node
from sandbox.shopify.graphql.registry import fields
from sandbox.shopify.ids import gid, number
from sandbox.shopify.money import parse

NODE = "DiscountCodeNode"
LONGEST_CODE = 255


class Rejected(Exception):
    """A user error of a mutation."""

    def __init__(self, path: list[str], code: str | None, message: str) -> None:
        super().__init__(message)
        self.row = {"field": path, "code": code, "message": message, "extraInfo": None}


def _instant(given: dict[str, Any], name: str, path: str) -> datetime | None:
    return parse_instant(given[name]) if given.get(name) else None


def _customers(given: dict[str, Any], context: Context, path: str) -> set[int] | None:
    """Who may use the code: the new `context`, or the deprecated `customerSelection`, never both."""
    chosen, old = given.get("context"), given.get("customerSelection")
    if chosen and old:
        raise Rejected([path, "context"], "CONFLICT", "Context and customer selection can't both be present.")
    if not chosen and not old:
        raise Rejected([path, "context"], "BLANK", "Context can't be blank.")
    where = "context" if chosen else "customerSelection"
    named = (chosen or old or {}).get("customers")
    if named is None:
        return None
    ids = [number(one, "Customer") for one in named.get("add") or []]
    if not ids:
        raise Rejected([path, where, "customers", "add"], "BLANK", "Customers can't be blank.")
    if any(one is None or context.shop.customers.get(one) is None for one in ids):
        raise Rejected([path, where, "customers", "add"], "INVALID", "Customer does not exist.")
    return {one for one in ids if one is not None}


def _minimums(given: dict[str, Any], path: str) -> tuple[Decimal | None, int | None]:
    wanted = given.get("minimumRequirement") or {}
    subtotal, quantity = wanted.get("subtotal"), wanted.get("quantity")
    if subtotal and quantity:
        message = "Minimum subtotal and quantity can't both be present."
        raise Rejected(
            [path, "minimumRequirement"], "MINIMUM_SUBTOTAL_AND_QUANTITY_RANGE_BOTH_PRESENT", message
        )
    amount = parse(subtotal["greaterThanOrEqualToSubtotal"]) if subtotal else None
    return amount, int(quantity["greaterThanOrEqualToQuantity"]) if quantity else None


def _common(kind: str, given: dict[str, Any], context: Context, path: str) -> Discount:
    """Check and build what all kinds of code discount share."""
    now = context.now.replace(microsecond=0)
    title, code = (given.get("title") or "").strip(), (given.get("code") or "").strip()
    if not title:
        raise Rejected([path, "title"], "BLANK", "Title can't be blank")
    if not code:
        raise Rejected([path, "code"], "BLANK", "Code can't be blank")
    if len(code) > LONGEST_CODE or "\n" in code:
        raise Rejected([path, "code"], "TOO_LONG", "Code is too long (maximum is 255 characters)")
    starts = _instant(given, "startsAt", path)
    if starts is None:
        raise Rejected([path, "startsAt"], "BLANK", "Starts at can't be blank")
    ends = _instant(given, "endsAt", path)
    if ends is not None and ends <= starts:
        raise Rejected([path, "endsAt"], "END_DATE_BEFORE_START_DATE", "Ends at needs to be after starts_at")
    limit = given.get("usageLimit")
    if limit is not None and limit < 1:
        raise Rejected([path, "usageLimit"], "GREATER_THAN", "Usage limit must be greater than 0")
    customers = _customers(given, context, path)
    subtotal, quantity = _minimums(given, path)
    if context.shop.discount_by_code(code) is not None:
        raise Rejected([path, "code"], "TAKEN", "Code must be unique. Please try a different code.")
    return Discount(
        id=context.world.ids.next(NODE),
        kind=kind,
        title=title,
        code=code,
        code_id=context.world.ids.next("DiscountRedeemCode"),
        starts_at=starts,
        ends_at=ends,
        created_at=now,
        updated_at=now,
        usage_limit=limit,
        once_per_customer=bool(given.get("appliesOncePerCustomer")),
        customers=customers,
        combines={key: bool(value) for key, value in (given.get("combinesWith") or {}).items()},
        minimum_subtotal=subtotal,
        minimum_quantity=quantity,
        tags=list(given.get("tags") or []),
    )


def _items(made: Discount, gets: dict[str, Any], context: Context, path: str) -> None:
    items = gets.get("items") or {}
    where = [path, "customerGets", "items"]
    if sum(bool(items.get(name)) for name in ("all", "products", "collections")) != 1:
        raise Rejected(
            where, "BLANK", "Items in customer get must be exactly one of all, products or collections."
        )
    made.catalogue = context.shop.products
    if items.get("collections"):
        ids = {number(one, "Collection") for one in items["collections"].get("add") or []}
        if not ids or not ids <= set(context.shop.collections):
            raise Rejected([*where, "collections", "add"], "INVALID", "Collection is invalid.")
        made.collections = {one for one in ids if one is not None}
    elif items.get("products"):
        _goods(made, items["products"], context, [*where, "products"])


def _goods(made: Discount, given: dict[str, Any], context: Context, where: list[str]) -> None:
    """Products, variants of products, or both; each of them has to be there."""
    products = {number(one, "Product") for one in given.get("productsToAdd") or []}
    variants = {number(one, "ProductVariant") for one in given.get("productVariantsToAdd") or []}
    if not products and not variants:
        raise Rejected(where, "BLANK", "Products can't be blank.")
    if not products <= set(context.shop.products):
        raise Rejected([*where, "productsToAdd"], "INVALID", "Product is invalid.")
    if not variants <= {product.variant_id for product in context.shop.products.values()}:
        raise Rejected([*where, "productVariantsToAdd"], "INVALID", "Product variant is invalid.")
    made.products = {one for one in products if one is not None} or None
    made.variants = {one for one in variants if one is not None} or None


def _basic(given: dict[str, Any], context: Context) -> Discount:
    path = "basicCodeDiscount"
    made = _common("Basic", given, context, path)
    gets = given.get("customerGets") or {}
    value = gets.get("value") or {}
    chosen = [name for name in ("discountAmount", "percentage") if value.get(name) is not None]
    where = [path, "customerGets", "value"]
    if len(chosen) != 1:
        raise Rejected(where, "BLANK", "Value must be exactly one of discountAmount or percentage.")
    if chosen == ["percentage"]:
        made.value_type, made.value = "percentage", parse(value["percentage"])
        if not 0 < made.value <= 1:
            raise Rejected([*where, "percentage"], "VALUE_OUTSIDE_RANGE", "Value must be between 0.0 and 1.0")
    else:
        amount = value["discountAmount"]
        made.value, made.each_item = parse(amount.get("amount") or 0), bool(amount.get("appliesOnEachItem"))
        if made.value <= 0:
            raise Rejected(
                [*where, "discountAmount", "amount"], "GREATER_THAN", "Value must be greater than 0"
            )
    _items(made, gets, context, path)
    return made


def _shipping(given: dict[str, Any], context: Context) -> Discount:
    made = _common("FreeShipping", given, context, "freeShippingCodeDiscount")
    if made.combines.get("shippingDiscounts"):
        message = "Shipping discounts can't combine with shipping discounts."
        where = ["freeShippingCodeDiscount", "combinesWith"]
        raise Rejected(where, "INVALID_COMBINES_WITH_FOR_DISCOUNT_CLASS", message)
    limit = given.get("maximumShippingPrice")
    made.maximum_shipping = parse(limit) if limit is not None else None
    if not (given.get("destination") or {}).get("all", True):
        raise Rejected(["freeShippingCodeDiscount", "destination"], "BLANK", "Destination can't be blank")
    return made


def _bxgy(given: dict[str, Any], context: Context) -> Discount:
    path = "bxgyCodeDiscount"
    made = _common("Bxgy", given, context, path)
    if not given.get("customerBuys"):
        raise Rejected([path, "customerBuys"], "BLANK", "Customer buys can't be blank")
    for part in ("customerBuys", "customerGets"):
        if ((given.get(part) or {}).get("items") or {}).get("all"):
            raise Rejected([path, part, "items"], "INVALID", "All items is not supported here.")
    gets = given.get("customerGets") or {}
    effect = ((gets.get("value") or {}).get("discountOnQuantity")) or {}
    if not effect.get("quantity") or (effect.get("effect") or {}).get("percentage") is None:
        message = "Discount on quantity needs a quantity and a percentage."
        raise Rejected([path, "customerGets", "value", "discountOnQuantity"], "BLANK", message)
    made.gets_quantity = int(effect["quantity"])
    made.value_type, made.value = "percentage", parse(effect["effect"]["percentage"])
    made.uses_per_order = given.get("usesPerOrderLimit")
    _items(made, gets, context, path)
    return made


def _create(build: Any, given: dict[str, Any], context: Context) -> dict[str, Any]:
    try:
        made = build(given, context)
    except Rejected as error:
        return {"codeDiscountNode": None, "userErrors": [error.row]}
    context.shop.discounts[made.id] = made
    context.shop.codes[made.code.lower()] = made.id
    _tell(context, "discounts/create", made)
    return {"codeDiscountNode": discount_node(made), "userErrors": []}


def _tell(context: Context, topic: str, discount: Discount) -> None:
    body = {"admin_graphql_api_id": gid(NODE, discount.id), "title": discount.title}
    body |= {"status": discount.status(context.now)}
    body |= {"created_at": zulu(discount.created_at) or "", "updated_at": zulu(discount.updated_at) or ""}
    if topic == "discounts/delete":
        body = {"admin_graphql_api_id": gid(NODE, discount.id), "deleted_at": zulu(context.now) or ""}
    context.world.fire(context.shop, [(topic, body)])


def _by_id(context: Context, global_id: str) -> Discount:
    found = context.shop.discounts.get(number(global_id, NODE) or 0)
    if found is None:
        raise Rejected(["id"], "INVALID", "Code discount does not exist.")
    return found


def _switch(context: Context, global_id: str, *, active: bool) -> dict[str, Any]:
    try:
        discount = _by_id(context, global_id)
    except Rejected as error:
        return {"codeDiscountNode": None, "userErrors": [error.row]}
    now = context.now
    if active:
        discount.starts_at, discount.ends_at = min(discount.starts_at, now), None
    else:
        discount.starts_at, discount.ends_at = min(discount.starts_at, now), now
    discount.updated_at = now
    _tell(context, "discounts/update", discount)
    return {"codeDiscountNode": discount_node(discount), "userErrors": []}


def _delete(_root: Any, context: Context, id: str) -> dict[str, Any]:
    try:
        discount = _by_id(context, id)
    except Rejected as error:
        return {"deletedCodeDiscountId": None, "userErrors": [error.row]}
    del context.shop.discounts[discount.id]
    del context.shop.codes[discount.code.lower()]
    _tell(context, "discounts/delete", discount)
    return {"deletedCodeDiscountId": id, "userErrors": []}


fields(
    "Mutation",
    {
        "discountCodeBasicCreate": lambda _r, c, basicCodeDiscount: _create(_basic, basicCodeDiscount, c),
        "discountCodeFreeShippingCreate": lambda _r, c, freeShippingCodeDiscount: _create(
            _shipping, freeShippingCodeDiscount, c
        ),
        "discountCodeBxgyCreate": lambda _r, c, bxgyCodeDiscount: _create(_bxgy, bxgyCodeDiscount, c),
        "discountCodeDeactivate": lambda _r, c, id: _switch(c, id, active=False),
        "discountCodeActivate": lambda _r, c, id: _switch(c, id, active=True),
        "discountCodeDelete": _delete,
    },
)
