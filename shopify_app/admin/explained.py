"""Why an entry of the ledger has its number, in the merchant's words."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from loyalty.statement.formats import Formats
from loyalty.statement.members import EntryRow

_KINDS = {
    "earn": "Earned",
    "redeem": "Spent on a reward",
    "return": "Given back for a reward that could not be made",
    "reverse": "Taken back",
    "adjust": "Given or taken by staff",
    "transfer": "Moved between merged accounts",
    "expire": "Expired",
    "forgive": "Debt written off",
    "import": "Brought over from a file",
}
_ROUNDINGS = {"down": "fractions are dropped", "half_up": "to the nearest point", "up": "up to a whole point"}
_NAMES = {
    "order": "Order",
    "status": "State of the order",
    "review_kind": "Kind of review",
    "rating": "Stars",
    "reward": "Reward",
    "because": "Because",
    "account_created_at": "Account made at",
    "from_member": "From member",
    "to_member": "To member",
}


def explain(entry: EntryRow, formats: Formats) -> list[tuple[str, str]]:
    """Names and values, from what happened down to the entry's place in the chain."""
    return [
        ("What", _KINDS.get(entry.kind, entry.kind)),
        *_numbers(entry.why, formats),
        *_rest(entry),
        ("Program", f"Version {entry.program_version}, rule {entry.rule}"),
        ("Happened", formats.moment(entry.occurred_at)),
        ("Recorded", formats.moment(entry.recorded_at)),
        ("Place in the books", f"Entry {entry.position} of this member, seal {entry.hash[:16]}"),
    ]


def _numbers(why: dict[str, Any], formats: Formats) -> Iterator[tuple[str, str]]:
    currency = why.get("currency")
    if "basis" in why:
        yield "What counted", _money(why["basis"], currency, formats)
    if "rate" in why:
        yield "Rate", f"{why['rate']} for each {formats.money(Decimal(1), currency)}"
    if "rounding" in why:
        yield "Rounding", _ROUNDINGS.get(str(why["rounding"]), str(why["rounding"]))
    if "worth" in why:
        yield "Worth now", formats.number(why["worth"])
    if "already" in why:
        yield "Given before", formats.number(why["already"])
    if "price" in why:
        yield "Price", formats.number(why["price"])
    if "amount" in why:
        yield "Amount off", _money(why["amount"], currency, formats)
    if why.get("staff"):
        yield "By", str(why["staff"])


def _rest(entry: EntryRow) -> Iterator[tuple[str, str]]:
    for key, name in _NAMES.items():
        if entry.why.get(key) not in (None, ""):
            yield name, str(entry.why[key]).replace("_", " ")


def _money(amount: object, currency: object, formats: Formats) -> str:
    try:
        return formats.money(Decimal(str(amount)), str(currency) if currency else None)
    except InvalidOperation:
        return str(amount)
