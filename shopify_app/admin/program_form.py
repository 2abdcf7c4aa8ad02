"""The program's document as a form, there and back. Field names are the document's paths, so a mistake finds its field.

Whether a document is right is judged by ``loyalty.core.document`` alone; here texts only become numbers where they are some.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loyalty.core.document import DEFAULT_DOCUMENT, Mistake

_REWARD_FIELD = re.compile(r"rewards\[(\d{1,6})\]\.([a-z_]+)")
_REWARD_PATH = re.compile(r"rewards\[(\d+)\]")
_NOT_IN_KEYS = re.compile(r"[^a-z0-9]+")
_FIXED_RULES = ("signup", "review")

_ADVICE = {
    "one": "Enter a name of 1 to 40 characters.",
    "many": "Enter a name of 1 to 40 characters.",
    "title": "Enter a title of 1 to 120 characters.",
    "rate": "Enter a number above 0 and up to 100,000, with at most 4 decimals.",
    "rounding": "Choose one of the ways.",
    "points": "Enter a whole number from 1 up.",
    "amount": "Enter an amount above 0, with at most 4 decimals.",
    "minimum_subtotal": "Enter an amount above 0, or leave the field empty.",
    "expires_after_days": "Enter a whole number of days from 1 to 3,650, or leave the field empty.",
}


@dataclass(frozen=True, slots=True)
class RuleValues:
    """The fields of one way to earn."""

    enabled: bool
    title: str
    points: str = ""
    rate: str = ""
    rounding: str = ""


@dataclass(frozen=True, slots=True)
class RewardValues:
    """The fields of one reward."""

    key: str = ""
    title: str = ""
    points: str = ""
    amount: str = ""
    minimum_subtotal: str = ""
    expires_after_days: str = ""


@dataclass(frozen=True, slots=True)
class FormValues:
    """Everything that the form shows, as text."""

    one: str
    many: str
    order: RuleValues
    signup: RuleValues
    review: RuleValues
    rewards: tuple[RewardValues, ...]


NEW_REWARD = RewardValues(expires_after_days="90")


def values(document: Mapping[str, Any]) -> FormValues:
    """A valid document as the values of the form. A way to earn that it leaves out is shown switched off."""
    earn, names = document.get("earn", {}), document["points"]
    return FormValues(
        one=names["one"],
        many=names["many"],
        order=_rule(earn, "order"),
        signup=_rule(earn, "signup"),
        review=_rule(earn, "review"),
        rewards=tuple(
            RewardValues(**{name: _text(reward.get(name)) for name in RewardValues.__dataclass_fields__})
            for reward in document.get("rewards", [])
        ),
    )


def document(form: Mapping[str, str]) -> tuple[dict[str, Any], tuple[int, ...]]:
    """What was entered as a document, and the index in the form of each of its rewards (removed ones leave gaps)."""
    rewards = _rewards(form)
    earn: dict[str, Any] = {
        "order": {
            "enabled": "earn.order.enabled" in form,
            "title": _entered(form, "earn.order.title"),
            "rate": _entered(form, "earn.order.rate"),
            "rounding": _entered(form, "earn.order.rounding"),
        }
    }
    for rule in _FIXED_RULES:
        earn[rule] = {
            "enabled": f"earn.{rule}.enabled" in form,
            "title": _entered(form, f"earn.{rule}.title"),
            "points": _whole(_entered(form, f"earn.{rule}.points")),
        }
    names = {name: _entered(form, f"points.{name}") for name in ("one", "many")}
    return {"points": names, "earn": earn, "rewards": list(rewards.values())}, tuple(rewards)


def advice(mistakes: Iterable[Mistake], places: tuple[int, ...]) -> dict[str, str]:
    """The mistakes by field name, each with what to enter. ``places`` are the rewards' indices in the form."""
    return {_field(mistake.path, places): _advice(mistake) for mistake in mistakes}


def _rule(earn: Mapping[str, Any], name: str) -> RuleValues:
    given = earn.get(name)
    rule = DEFAULT_DOCUMENT["earn"][name] | {"enabled": False} if given is None else given
    fields = {key: _text(rule.get(key)) for key in ("title", "points", "rate", "rounding")}
    if name == "order":
        fields["rounding"] = fields["rounding"] or "down"
    return RuleValues(enabled=rule.get("enabled", True), **fields)


def _rewards(form: Mapping[str, str]) -> dict[int, dict[str, Any]]:
    entered: dict[int, dict[str, str]] = {}
    for name in form:
        if found := _REWARD_FIELD.fullmatch(name):
            entered.setdefault(int(found[1]), {})[found[2]] = form[name].strip()
    taken = {fields["key"] for fields in entered.values() if fields.get("key")}
    rewards: dict[int, dict[str, Any]] = {}
    for index in sorted(entered):
        fields = entered[index]
        reward: dict[str, Any] = {
            "key": fields.get("key") or _new_key(fields.get("title", ""), taken),
            "title": fields.get("title", ""),
            "points": _whole(fields.get("points", "")),
            "amount": fields.get("amount", ""),
        }
        if fields.get("minimum_subtotal"):
            reward["minimum_subtotal"] = fields["minimum_subtotal"]
        if fields.get("expires_after_days"):
            reward["expires_after_days"] = _whole(fields["expires_after_days"])
        rewards[index] = reward
    return rewards


def _new_key(title: str, taken: set[str]) -> str:
    """A key for a new reward, from its title; ``taken`` learns of it."""
    stem = _NOT_IN_KEYS.sub("_", title.lower()).strip("_")[:40]
    stem = stem if stem[:1].isalpha() else f"reward_{stem}".rstrip("_")
    key, number = stem, 2
    while key in taken:
        key, number = f"{stem}_{number}", number + 1
    taken.add(key)
    return key


def _entered(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def _whole(text: str) -> int | str:
    """A whole number where the text is one; any other text stays, for the document's check to name."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _field(path: str, places: tuple[int, ...]) -> str:
    def place(found: re.Match[str]) -> str:
        return f"rewards[{places[int(found[1])]}]"

    return _REWARD_PATH.sub(place, path)


def _advice(mistake: Mistake) -> str:
    return _ADVICE.get(mistake.path.rpartition(".")[2], f"Expected {mistake.expected}.")
