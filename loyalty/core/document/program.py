"""The whole document: read to a program with every mistake named, and written from one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.core.document.earning import CAMPAIGN, CAMPAIGN_FIELDS, read_earning, write_rule
from loyalty.core.document.fields import Field, read_fields, write_fields
from loyalty.core.document.kinds import Amount, Choice, Whole, Zone
from loyalty.core.document.lists import Many
from loyalty.core.document.mistakes import Notes, ProgramInvalid, join
from loyalty.core.document.policies import (
    BALANCE_REMINDER,
    BASIS,
    CURRENCY,
    EXPIRY,
    EXPIRY_FIELDS,
    POINTS,
    REFERRALS,
    REFERRALS_FIELDS,
    REMINDER_FIELDS,
)
from loyalty.core.document.rewards import DEFAULT_KIND, MOST_REWARDS, RewardTable
from loyalty.core.document.tiers import TIERS_TABLE
from loyalty.core.program import Basis, Campaign, CurrencyFormat, Program, Reward

MOST_CAMPAIGNS = 100
_REWARD = RewardTable()
_GUESTS = Choice(
    (
        ("earn", "Earn at once"),
        ("wait", "Get their points when they make an account"),
        ("never", "Earn nothing"),
    )
)
_STACKING = Choice(
    (
        ("highest", "The highest one counts"),
        ("add", "They add up: 2 and 1.5 make 2.5"),
        ("multiply", "They multiply: 2 and 1.5 make 3"),
    )
)
_DEBTS = Choice(
    (
        ("keep", "The balance goes below zero; new points fill it up"),
        ("forgive", "What is missing is written off"),
    )
)
# Everything but ``earn``, whose keys are the merchant's.
FIELDS = (
    Field("points", POINTS, "Points"),
    Field("currency", CURRENCY, "Money", "How amounts are written. It changes none of them", CurrencyFormat()),
    Field("point_value", Amount(Decimal(1_000_000)), "Value of one point", "For reports", None),
    Field("timezone", Zone(), "Time zone", "Empty: the shop's", None, "the shop's own"),
    Field("guests", _GUESTS, "Guests", "People without an account", "earn"),
    Field("stacking", _STACKING, "Several multipliers for one order", "", "highest"),
    Field("debts", _DEBTS, "Points taken back that were spent", "", "keep"),
    Field("basis", BASIS, "What counts", "Beside goods, after discounts", Basis()),
    Field("campaigns", Many(CAMPAIGN, "campaigns", build=tuple, most=MOST_CAMPAIGNS), "Campaigns", "", ()),
    Field("rewards", Many(_REWARD, "rewards", build=tuple, most=MOST_REWARDS), "Rewards", "", ()),
    Field("tiers", TIERS_TABLE, "Tiers", "", None),
    Field("referrals", REFERRALS, "Referrals", "", None),
    Field("expiry", EXPIRY, "Expiry of points", "", None),
    Field("balance_reminder", BALANCE_REMINDER, "Balance reminder", "", None),
    Field("reward_reminder_days", Whole(most=365, unit="days"), "Reward reminder", "Days before", 3),
)  # fmt: skip


# In this order a document is written: what is short and what the rest rests on first.
ORDER = (
    *(
        "points",
        "currency",
        "point_value",
        "timezone",
        "guests",
        "stacking",
        "debts",
        "reward_reminder_days",
        "basis",
    ),
    *("earn", "campaigns", "rewards", "tiers", "referrals", "expiry", "balance_reminder"),
)


def parse_program(document: Mapping[str, Any], *, version: int, timezone: ZoneInfo | None = None) -> Program:
    """Turn a document into a Program, or raise ``ProgramInvalid`` with every mistake in it. ``timezone`` is the shop's, for a document
    that names none."""
    notes = Notes(known=_known(document))
    values = read_fields(FIELDS, document, "", notes, beside=("earn",))
    given = document.get("earn") if isinstance(document, Mapping) else None
    rules = read_earning({} if given is None else given, "earn", notes)
    _check_keys(document, notes)
    if notes.mistakes:
        raise ProgramInvalid(notes.mistakes)
    earning = tuple(rule for rule, enabled in rules.values() if rule is not None and enabled)
    zone = values.pop("timezone") or timezone or ZoneInfo("UTC")
    return Program(
        version=version,
        points_name=values.pop("points"),
        timezone=zone,
        earning=earning,
        campaigns=tuple(_in_force(values.pop("campaigns"), {rule.key for rule in earning})),
        **values,
    )


def render_program(program: Program) -> dict[str, Any]:
    """The document of a program in its normal form: nothing that is so by default, and nothing that is switched off."""
    campaigns = [write_fields(CAMPAIGN_FIELDS, campaign) for campaign in program.campaigns]
    plain = [field for field in FIELDS if field.name not in ("points", "campaigns", *_SWITCHED)]
    parts = {
        "points": POINTS.write(program.points_name),
        **write_fields(plain, program),
        "earn": {rule.key: write_rule(rule) for rule in program.earning},
        **({"campaigns": campaigns} if campaigns else {}),
    }
    for name, fields in _SWITCHED.items():
        value = getattr(program, name)
        if value is not None:
            parts[name] = write_fields(fields, value)
    return {name: parts[name] for name in ORDER if name in parts}


def render_reward(reward: Reward) -> dict[str, Any]:
    """One reward as plain data, as it stands in a document."""
    return _REWARD.write(reward)


def read_reward(found: Any) -> Reward:
    """The reward that ``render_reward`` wrote. Raises ``ProgramInvalid``."""
    notes = Notes()
    reward = _REWARD.read(found, "reward", notes)
    if notes.mistakes:
        raise ProgramInvalid(notes.mistakes)
    assert isinstance(reward, Reward)
    return reward


_SWITCHED: Mapping[str, Sequence[Field]] = {
    "referrals": REFERRALS_FIELDS,
    "expiry": EXPIRY_FIELDS,
    "balance_reminder": REMINDER_FIELDS,
}


def _in_force(campaigns: Sequence[tuple[Campaign, bool]], rules: set[str]) -> Iterator[Campaign]:
    """The campaigns that are switched on, each about rules that are switched on."""
    for campaign, enabled in campaigns:
        about = campaign.rules & rules
        if not enabled:
            continue
        if about or not campaign.rules:
            yield replace(campaign, rules=about)
        elif campaign.extra:
            # One that is about nothing but rules that are off multiplies nothing; an empty set would mean all of them.
            yield replace(campaign, rules=about, multiplier=Decimal(1))


def _known(document: Any) -> dict[str, dict[str, str]]:
    """The keys in a document, each with its way or kind, as far as they can be made out."""
    top = document if isinstance(document, Mapping) else {}
    tiers = top.get("tiers")
    ladder = tiers.get("ladder") if isinstance(tiers, Mapping) else None
    earn = top.get("earn")
    ways = earn.items() if isinstance(earn, Mapping) else ()
    return {
        "earn": {str(key): str(rule.get("way") or key) for key, rule in ways if isinstance(rule, Mapping)},
        "rewards": {
            str(key): str(reward.get("kind") or DEFAULT_KIND) for _, key, reward in _keyed(top.get("rewards"))
        },
        "tiers": {str(key): "" for _, key, _ in _keyed(ladder)},
    }


def _keyed(found: Any) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    for place, table in enumerate(found if isinstance(found, list) else ()):
        key = table.get("key") if isinstance(table, Mapping) else None
        if isinstance(key, str):
            yield place, key, table


def _check_keys(document: Any, notes: Notes) -> None:
    """No two things of one list have the same key."""
    top = document if isinstance(document, Mapping) else {}
    tiers = top.get("tiers")
    lists = {
        "rewards": top.get("rewards"),
        "campaigns": top.get("campaigns"),
        "tiers.ladder": tiers.get("ladder") if isinstance(tiers, Mapping) else None,
    }
    for path, found in lists.items():
        taken: set[str] = set()
        for place, key, _ in _keyed(found):
            if key in taken:
                notes.mistake(join(f"{path}[{place}]", "key"), key, "a key that no other one in the list has")
            taken.add(key)
