"""Why an entry of the ledger has its number, in the merchant's words. It reads nothing but what it is given."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from loyalty.core.program import Program
from loyalty.statement.formats import Formats
from loyalty.statement.members import EntryRow

_KINDS = {
    "earn": "Earned",
    "redeem": "Spent on a reward",
    "return": "Given back for a reward",
    "reverse": "Taken back",
    "adjust": "Given or taken by staff",
    "transfer": "Moved between merged accounts",
    "expire": "Expired",
    "forgive": "Debt written off",
    "import": "Brought over from a file",
}
_ROUNDINGS = {"down": "fractions are dropped", "half_up": "to the nearest point", "up": "up to a whole point"}
_METRICS = {"points": "points earned", "spent": "money spent", "orders": "number of orders"}
_REVIEWS = {"review": "Written review", "rating": "Stars only", "store": "Review of the store"}
_MODES = {"add": "Added to the balance", "set": "The balance was set"}


@dataclass(frozen=True, slots=True)
class Known:
    """What gives keys and ids their names: the programs by version, and what members are called by id."""

    programs: Mapping[int, Program] = field(default_factory=dict)
    people: Mapping[int, str] = field(default_factory=dict)
    failures: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class _Page:
    """The entry being explained, and the means for it."""

    entry: EntryRow
    formats: Formats
    known: Known

    @property
    def why(self) -> dict[str, Any]:
        return self.entry.why

    @property
    def program(self) -> Program | None:
        return self.known.programs.get(self.entry.program_version)

    def money(self, amount: object) -> str:
        try:
            currency = self.why.get("currency")
            return self.formats.money(Decimal(str(amount)), str(currency) if currency else None)
        except InvalidOperation:
            return str(amount)

    def moment(self, value: object) -> str:
        try:
            return self.formats.moment(datetime.fromisoformat(str(value)))
        except ValueError:
            return str(value)

    def number(self, value: object) -> str:
        return self.formats.number(value) if isinstance(value, int) else str(value)

    def person(self, member_id: object) -> str:
        return self.known.people.get(member_id, f"Member {member_id}") if isinstance(member_id, int) else "—"

    def title(self, key: object) -> str:
        """What the program calls a tier, a campaign or a reward."""
        program, name = self.program, str(key)
        if program is not None:
            tiers = program.tiers.ladder if program.tiers else ()
            titles = {
                **{each.key: each.title for each in program.campaigns},
                **{each.key: each.title for each in program.rewards},
                **{each.key: each.title for each in tiers},
            }
            return titles.get(name, plain(name))
        return plain(name)


def plain(key: object) -> str:
    """A key as words."""
    return str(key).replace("_", " ").strip().capitalize()


def explain(entry: EntryRow, formats: Formats, known: Known | None = None) -> list[tuple[str, str]]:
    """Names and values, from what happened down to the entry's place in the chain."""
    page = _Page(entry, formats, known or Known())
    return [
        ("What", _KINDS.get(entry.kind, plain(entry.kind))),
        *_order(page),
        *_reckoned(page),
        *_review(page),
        *_reward(page),
        *_tier(page),
        *_end(page),
        *_people(page),
        *_file(page),
        ("Program", _rule(page)),
        ("Happened", formats.moment(entry.occurred_at)),
        ("Recorded", formats.moment(entry.recorded_at)),
        ("Place in the books", f"Entry {entry.position} of this member, seal {entry.hash[:16]}"),
    ]


def _order(page: _Page) -> Iterator[tuple[str, str]]:
    why = page.why
    if "order" in why:
        status = f", {plain(why['status']).lower()}" if why.get("status") else ""
        yield "Order", f"{why['order']}{status}"
    if "basis" in why:
        lines = why.get("lines")
        some = (
            f", in {len(lines)} {'line' if len(lines) == 1 else 'lines'} of the order"
            if isinstance(lines, list)
            else ""
        )
        yield "What counted", page.money(why["basis"]) + some
    if why.get("unreadable"):
        yield "By what", "Shopify's last message: it no longer shows this order"
    if "minimum" in why:
        yield "From orders of", f"{page.money(why['minimum'])} or more"


def _reckoned(page: _Page) -> Iterator[tuple[str, str]]:
    """The sum: what counted × rate × multiplier, rounded; and what had been given before."""
    why = page.why
    if "rate" in why:
        yield "Rate", f"{why['rate']} for each {page.money(1)}"
    if "points" in why:
        yield "Points of the rule", page.number(why["points"])
    if "multiplier" in why:
        by = ", ".join(page.title(key) for key in why.get("multiplied_by", ()))
        yield "Multiplier", f"× {why['multiplier']}" + (f" ({by})" if by else "")
    if "rounding" in why:
        yield "Rounding", _ROUNDINGS.get(str(why["rounding"]), plain(why["rounding"]))
    if "basis" in why and "rate" in why and "worth" in why:
        factors = [
            page.money(why["basis"]),
            str(why["rate"]),
            *([str(why["multiplier"])] if "multiplier" in why else ()),
        ]
        yield "The sum", f"{' × '.join(factors)} → {page.number(why['worth'])}"
    if why.get("already"):
        yield "Worth now", page.number(why.get("worth", 0))
        yield "Given before", page.number(why["already"])
    if "goal" in why:
        yield "Goal", str(why["goal"])
    if "years" in why:
        yield "Years as a member", page.number(why["years"])
    if "account_created_at" in why:
        yield "Account made", page.moment(why["account_created_at"])


def _review(page: _Page) -> Iterator[tuple[str, str]]:
    why = page.why
    if "review_kind" in why:
        yield "Review", _REVIEWS.get(str(why["review_kind"]), plain(why["review_kind"]))
    if why.get("rating") is not None:
        yield "Stars", f"{why['rating']} of 5"
    if "review_kind" in why and why.get("status"):
        yield "In Klaviyo", plain(why["status"])


def _reward(page: _Page) -> Iterator[tuple[str, str]]:
    why = page.why
    if "reward" in why:
        yield "Reward", page.title(why["reward"])
    if "price" in why:
        yield "Price", page.number(why["price"])
    if "amount" in why:
        yield "Worth", page.money(why["amount"])
    if why.get("because"):
        because = str(why["because"])
        said = page.known.failures(because)
        yield "Because", said if said != because else because[:1].upper() + because[1:]
    if "taken" in why:
        yield "Had been taken", page.number(why["taken"])


def _tier(page: _Page) -> Iterator[tuple[str, str]]:
    why = page.why
    if why.get("tier"):
        yield "Tier", page.title(why["tier"])
    if "threshold" in why:
        reached = f"{_METRICS.get(str(why.get('metric')), plain(why.get('metric')).lower())}, from {why['threshold']}"
        yield "Reached by", "the hand of staff" if why.get("by_hand") else reached


def _end(page: _Page) -> Iterator[tuple[str, str]]:
    why = page.why
    if page.entry.kind != "expire":
        return
    if "months" in why:
        after = "months after they were earned" if page.entry.rule == "age" else "months without activity"
        yield "Ended", f"{why['months']} {after}"
    if why.get("last_activity_at"):
        yield "Last active", page.moment(why["last_activity_at"])


def _people(page: _Page) -> Iterator[tuple[str, str]]:
    why = page.why
    if "from_member" in why:
        yield "From", page.person(why["from_member"])
    if "to_member" in why:
        yield "To", page.person(why["to_member"])
    if why.get("staff"):
        yield "By", str(why["staff"])
    if why.get("internal_note"):
        yield "Note", str(why["internal_note"])


def _file(page: _Page) -> Iterator[tuple[str, str]]:
    why = page.why
    if "told" in why:
        line = f", in line {page.number(why['line'])}" if "line" in why else ""
        yield "In the file", page.number(why["told"]) + line
    if "mode" in why:
        yield "How", _MODES.get(str(why["mode"]), plain(why["mode"]))
    if "balance_before" in why:
        yield "Balance before", page.number(why["balance_before"])
    if "told_expiry" in why:
        yield "Ends, by the file", page.moment(why["told_expiry"])
    if "undoes" in why:
        yield "Takes back", page.formats.signed(int(why["undoes"]))


def _rule(page: _Page) -> str:
    version = f"Version {page.entry.program_version}"
    rule = page.program.rule(page.entry.rule) if page.program else None
    return f"{version}, “{rule.title}”" if rule else version
