"""The list ``rewards`` of a document: every kind of reward, each with the fields that mean something for it."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from loyalty.core.document.fields import Field, Table, read_fields, write_fields
from loyalty.core.document.kinds import KEY, WRONG, Amount, Choice, Flag, Pattern, Text, Whole
from loyalty.core.document.lists import COLLECTIONS, PRODUCTS, TIERS, ShopifyId
from loyalty.core.document.mistakes import Notes, join, one_of
from loyalty.core.document.parts import LIMIT
from loyalty.core.program import REWARD_KINDS, Combines, Reward

MOST_REWARDS = 50
DEFAULT_KIND = "amount_off"
KINDS = Choice(
    (
        ("amount_off", "Amount off"),
        ("percentage_off", "Percentage off"),
        ("free_shipping", "Free shipping"),
        ("free_product", "Free product"),
        ("incremental", "Amount off, chosen by the customer"),
        ("gift_card", "Gift card"),
        ("store_credit", "Store credit"),
    )
)
_NONE: frozenset[Any] = frozenset()

_COMBINES = Table(
    (
        Field("order", Flag(), "Order discounts", "", default=False),
        Field("product", Flag(), "Product discounts", "", default=True),
        Field("shipping", Flag(), "Shipping discounts", "", default=True),
    ),
    Combines,
)
_HEAD = (
    Field("key", KEY, "Key"),
    Field("title", Text(), "Title"),
    Field("listed", Flag(), "Can be had for points", "Otherwise it is only given", default=True),
    Field("points", Whole(unit="points"), "Price in points", "", 0),
)
_AMOUNT = Field("amount", Amount(), "Amount")
_PERCENTAGE = Field("percentage", Amount(Decimal(100), is_money=False), "Percentage")
_VARIANT = Field("variant_id", ShopifyId("ProductVariant"), "Product variant", "Shopify's id of the variant")
_STEPS = (
    Field("minimum_points", Whole(unit="points"), "Fewest points", "Empty: one step", None, "one step"),
    Field(
        "maximum_points", Whole(unit="points"), "Most points", "Empty: as many as there are", None, "no bound"
    ),
)
# What stands before the random part of a code. At Shopify a gift card's whole code has 8 to 20 letters and digits.
_PREFIX = Field(
    "code_prefix",
    Pattern(r"[A-Z0-9](?:[A-Z0-9-]{0,18}[A-Z0-9])?", "1 to 20 of the characters A-Z, 0-9 and - (- only inside)"),
    "Codes begin with",
    "A-Z, 0-9 and -",
    "LAUREL",
)  # fmt: skip
_CARD_PREFIX = Field(
    "code_prefix", Pattern(r"[A-Z0-9]{1,8}", "1 to 8 of the characters A-Z and 0-9"),
    "Codes begin with", "A-Z and 0-9", "LAUREL",
)  # fmt: skip
_EXPIRES = Field(
    "expires_after_days", Whole(most=3650, unit="days"), "Expires after", "Empty: never", None, "never"
)
_CART = Field(
    "minimum_subtotal", Amount(Decimal(10_000_000)), "Minimum order", "Empty: no minimum", None, "no minimum"
)
_GOODS = (
    Field("products", PRODUCTS, "Only for these products", "Shopify's ids, one a line", _NONE, "all"),
    Field(
        "collections", COLLECTIONS, "Only for these collections", "Shopify's ids, one a line", _NONE, "all"
    ),
)
_COMBINING = Field("combines", _COMBINES, "Combines with", "Other discounts in the same order", Combines())
_TAIL = (
    Field("limit", LIMIT, "Limit", "How often one customer may have it", None, "no limit"),
    Field("tiers", TIERS, "Only for these tiers", "Empty: for everybody", _NONE, "everybody"),
)
_CODE = (_PREFIX, _EXPIRES, _CART)


def fields_of(kind: str) -> tuple[Field, ...]:
    """The fields of a reward of this kind, ``kind`` aside."""
    match kind:
        case "amount_off":
            return (*_HEAD, _AMOUNT, *_CODE, *_GOODS, _COMBINING, *_TAIL)
        case "percentage_off":
            return (*_HEAD, _PERCENTAGE, *_CODE, *_GOODS, _COMBINING, *_TAIL)
        case "free_shipping":
            return (*_HEAD, *_CODE, _COMBINING, *_TAIL)
        case "free_product":
            # Shopify counts a minimum over the goods that a code is for: here, the free product alone.
            return (*_HEAD, _VARIANT, _PREFIX, _EXPIRES, _COMBINING, *_TAIL)
        case "incremental":
            price = replace(_HEAD[-1], label="Points for each step")
            step = Field("amount", Amount(), "Amount for each step")
            return (*_HEAD[:-1], price, step, *_STEPS, *_CODE, *_GOODS, _COMBINING, *_TAIL)
        case "gift_card":
            return (*_HEAD, _AMOUNT, _CARD_PREFIX, _EXPIRES, *_TAIL)
    return (*_HEAD, _AMOUNT, _EXPIRES, *_TAIL)


class RewardTable:
    """A reward as a table."""

    def read(self, found: Any, path: str, notes: Notes) -> Any:
        """The reward, or ``WRONG``."""
        before = notes.count
        if not isinstance(found, Mapping):
            notes.mistake(path, found, "a table")
            return WRONG
        kind = found.get("kind")
        kind = DEFAULT_KIND if kind is None else kind
        if not isinstance(kind, str) or kind not in REWARD_KINDS:
            notes.mistake(join(path, "kind"), kind, one_of(REWARD_KINDS, kind))
            return WRONG
        values = read_fields(fields_of(kind), found, path, notes, beside=("kind",))
        _check(kind, values, path, notes)
        return Reward(kind=kind, **values) if notes.count == before else WRONG

    def write(self, value: Reward) -> dict[str, Any]:
        """The reward as plain data."""
        kind = {} if value.kind == DEFAULT_KIND else {"kind": value.kind}
        return kind | write_fields(fields_of(value.kind), value)


def _check(kind: str, values: Mapping[str, Any], path: str, notes: Notes) -> None:
    listed, points = values.get("listed"), values.get("points")
    if listed is True and points == 0:
        notes.mistake(join(path, "points"), None, "a price in points, because the reward is listed")
    if listed is False and points:
        notes.mistake(join(path, "points"), points, "no price, because the reward is not listed")
    if values.get("products") and values.get("collections"):
        found = sorted(values["collections"])
        notes.mistake(
            join(path, "collections"), found, "no collections beside products: a code is for one of the two"
        )
    if kind == "incremental":
        if listed is False:
            notes.mistake(
                join(path, "listed"), found=False, expected="true: only a customer can choose an amount"
            )
        _check_steps(values, path, notes)


def _check_steps(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    step, least, most = (values.get(name) for name in ("points", "minimum_points", "maximum_points"))
    if not step:
        return
    for name, bound in (("minimum_points", least), ("maximum_points", most)):
        if bound is not None and bound % step:
            notes.mistake(join(path, name), bound, f"a multiple of the step, {step}")
    if most is not None and most < (least or step):
        notes.mistake(join(path, "maximum_points"), most, f"at least {least or step}")
