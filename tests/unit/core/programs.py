"""Programs of every kind, for the properties: each one is right, so its document can be written and read again.

What depends on nothing that was drawn is made once, below: making a strategy takes longer than drawing from it.
"""

import string
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from loyalty.core.program import (
    DISCOUNTS,
    GOAL_WAYS,
    ORDER_WAYS,
    REWARD_KINDS,
    WAYS,
    ActionRule,
    BalanceReminder,
    Basis,
    BirthdayRule,
    Campaign,
    Combines,
    CurrencyFormat,
    Expiry,
    Gift,
    GoalRule,
    Goods,
    Limit,
    OrderRule,
    PointsName,
    Program,
    Referrals,
    Reward,
    Rule,
    Schedule,
    Tier,
    Tiers,
)

KEYS = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_lowercase),
    st.text(string.ascii_lowercase + string.digits + "_", max_size=11),
).filter(lambda key: not key.startswith("campaign_"))
# Without spaces, so that none stands at an end.
TITLES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)
FLAGS = st.booleans()
POINTS = st.integers(1, 1_000_000)
ANY_POINTS = st.just(0) | POINTS
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
IDS = st.frozensets(st.integers(1, 2**63 - 1), max_size=3)
WORDS = st.frozensets(st.sampled_from(["sale", "new in", "größe s".casefold(), "日本"]), max_size=2)
CHANNELS = st.frozensets(st.sampled_from(["web", "pos", "3890849"]), max_size=2)
PLACES = st.integers(0, 59)
# Rules for orders have the most to say.
WAY = st.sampled_from([*sorted(WAYS), *sorted(ORDER_WAYS) * 4])
KIND = st.sampled_from(sorted(REWARD_KINDS))
TIER_KEYS = st.lists(KEYS, max_size=3, unique=True)
REWARD_KEYS = st.lists(KEYS, max_size=4, unique=True)
RULE_KEYS = st.lists(KEYS | WAY, max_size=6, unique=True)
CAMPAIGN_KEYS = st.lists(KEYS, max_size=2, unique=True)


def amounts(most: int = 100_000) -> st.SearchStrategy[Decimal]:
    """More than nothing, to four decimals."""
    return st.integers(1, most * 10_000).map(lambda number: Decimal(number) / 10_000)


AMOUNTS = amounts()
MAYBE_AMOUNTS = st.none() | AMOUNTS
MINIMUMS = st.just(Decimal(0)) | AMOUNTS
RATES = amounts(100)
PRICES = amounts(1000)
FACTORS = amounts(10)
VALUES = st.none() | FACTORS
CURRENCY_FORMATS = st.builds(
    CurrencyFormat,
    display=st.sampled_from([None, "symbol", "code"]),
    decimals=st.sampled_from([None, "always", "when_needed"]),
    position=st.sampled_from([None, "before", "after"]),
    thousands=st.sampled_from([None, "comma", "point", "space", "apostrophe", "none"]),
    decimal=st.sampled_from([None, "point", "comma"]),
).filter(lambda written: written.thousands is None or written.thousands != written.decimal)
LIMITS = (
    st.none()
    | st.builds(Limit, st.integers(1, 9), st.sampled_from(["day", "week", "month", "year", "lifetime"]))
    | st.builds(Limit, st.integers(1, 9), st.just("days"), st.integers(1, 400))
)
BOUNDED = (
    st.builds(Schedule, DAYS)
    | st.builds(Schedule, ends=DAYS)
    | st.tuples(DAYS, DAYS).map(lambda days: Schedule(min(days), max(days)))
)
SCHEDULES = st.just(Schedule()) | BOUNDED
GOODS = st.builds(
    lambda only, out: Goods(*only, *(left - right for left, right in zip(out, only, strict=True))),
    st.tuples(IDS, IDS, WORDS),
    st.tuples(IDS, IDS, WORDS),
)
HOLDS = st.sampled_from([0, 0, 14])
ROUNDINGS = st.sampled_from(["down", "half_up", "up"])
COMBINATIONS = st.builds(Combines, FLAGS, FLAGS, FLAGS)
CODES = st.sampled_from(["LAUREL", "FERN-10", "X"])
CARD_CODES = st.sampled_from(["LAUREL", "GIFT2026"])
VALID_DAYS = st.none() | st.integers(1, 3650)
LEAST = st.none() | st.integers(1, 5)
MORE = st.none() | st.integers(0, 9)
PERKS = st.lists(TITLES, max_size=2).map(tuple)
METRICS = st.sampled_from(["points", "spent", "orders"])
WINDOWS = st.sampled_from(["lifetime", "calendar_year", "rolling"])
THRESHOLDS = st.integers(0, 100_000)
STEPS_UP = st.integers(1, 50_000)
MONTHS = st.integers(1, 24)
GOALS = st.integers(1, 50)
STEPS = st.integers(1, 1000)
VARIANTS = st.integers(1, 2**53)
SOME_DAYS = st.integers(0, 60)
REMINDER_DAYS = st.integers(1, 30)
GRACE = st.sampled_from([0, 30])
MULTIPLIERS = st.sampled_from([Decimal(1), Decimal(2), Decimal("1.5")])
CHECKS = st.frozensets(st.sampled_from(["self", "existing_customer", "address", "device"]))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles"]).map(ZoneInfo)
BASES = st.builds(Basis, FLAGS, FLAGS, FLAGS)
GUESTS = st.sampled_from(["earn", "wait", "never"])
STACKING = st.sampled_from(["highest", "add", "multiply"])
DEBTS = st.sampled_from(["keep", "forgive"])
EXPIRIES = st.none() | st.builds(
    Expiry, st.sampled_from(["inactivity", "age"]), st.integers(6, 24), st.integers(10, 90), st.integers(1, 9)
)
REMINDERS = st.none() | st.builds(
    BalanceReminder,
    st.sampled_from(["week", "month", "idle"]),
    st.integers(1, 500),
    st.integers(1, 90),
    st.integers(9, 20),
    st.integers(21, 23),
    st.integers(0, 9),
)


def one(draw: st.DrawFn, among: list[str]) -> str:
    """Any one of these."""
    return among[draw(PLACES) % len(among)]


def some(draw: st.DrawFn, keys: list[str]) -> frozenset[str]:
    """Some of these keys, and often none."""
    return frozenset(key for key in keys if draw(FLAGS)) if keys and draw(FLAGS) else frozenset()


def gift(draw: st.DrawFn, rewards: list[str], *, empty: bool = False) -> Gift:
    """Points, one of these rewards, or both."""
    reward = one(draw, rewards) if rewards and draw(FLAGS) else None
    return Gift(draw(POINTS if reward is None and not empty else ANY_POINTS), reward)


def rule(draw: st.DrawFn, key: str, tiers: list[str], rewards: list[str]) -> Rule:
    """A rule of any way."""
    way = key if key in WAYS else draw(WAY)
    said: dict[str, Any] = {"key": key, "way": way, "title": draw(TITLES), "guests": draw(FLAGS)}
    said |= {"hold_days": draw(HOLDS), "schedule": draw(SCHEDULES), "tiers": some(draw, tiers)}
    if way in GOAL_WAYS:
        goal = Decimal(draw(GOALS)) if way == "order_count_goal" else draw(AMOUNTS)
        return GoalRule(**said, goal=goal, points=draw(POINTS))
    said["limit"] = draw(LIMITS)
    if way in ORDER_WAYS:
        said |= {"goods": draw(GOODS), "channels": draw(CHANNELS), "multiplied": draw(FLAGS)}
        said["minimum"] = draw(AMOUNTS if way == "order_value_goal" else MINIMUMS)
        if way == "order":
            return OrderRule(**said, rate=draw(RATES), rounding=draw(ROUNDINGS))
        return OrderRule(**said, points=draw(POINTS))
    if way == "birthday":
        given = gift(draw, rewards)
        blackout = draw(SOME_DAYS)
        return BirthdayRule(**said, points=given.points, reward=given.reward, blackout_days=blackout)
    return ActionRule(**said, points=draw(POINTS))


def reward(draw: st.DrawFn, key: str, tiers: list[str]) -> Reward:
    """A reward of any kind."""
    kind = draw(KIND)
    listed = kind == "incremental" or draw(FLAGS)
    said: dict[str, Any] = {"key": key, "kind": kind, "title": draw(TITLES), "listed": listed}
    said |= {"limit": draw(LIMITS), "tiers": some(draw, tiers)}
    said["points"] = step = draw(STEPS) if listed else 0
    said["expires_after_days"] = draw(VALID_DAYS)
    if kind == "percentage_off":
        said["percentage"] = draw(RATES)
    elif kind == "free_product":
        said["variant_id"] = draw(VARIANTS)
    elif kind != "free_shipping":
        said["amount"] = draw(PRICES)
    if kind == "incremental":
        least, more = draw(LEAST), draw(MORE)
        said["minimum_points"] = None if least is None else least * step
        said["maximum_points"] = None if more is None else ((least or 1) + more) * step
    if kind in DISCOUNTS:
        said["combines"] = draw(COMBINATIONS)
        said["minimum_subtotal"] = None if kind == "free_product" else draw(MAYBE_AMOUNTS)
        said["code_prefix"] = draw(CODES)
    elif kind == "gift_card":
        said["code_prefix"] = draw(CARD_CODES)
    if kind in ("amount_off", "percentage_off", "incremental"):
        said |= {"products" if draw(FLAGS) else "collections": draw(IDS)}
    return Reward(**said)


def ladder(draw: st.DrawFn, keys: list[str], rewards: list[str]) -> Tiers:
    """A ladder with these tiers."""
    tiers: list[Tier] = []
    for key in keys:
        threshold = draw(STEPS_UP) + tiers[-1].threshold if tiers else draw(THRESHOLDS)
        multiplier, perks, entry = draw(FACTORS), draw(PERKS), gift(draw, rewards, empty=True)
        tiers.append(Tier(key, draw(TITLES), Decimal(threshold), multiplier, perks, entry))
    return Tiers(draw(METRICS), draw(WINDOWS), draw(MONTHS), draw(GRACE), tuple(tiers))


def campaign(draw: st.DrawFn, key: str, rules: list[str], tiers: list[str]) -> Campaign:
    """A campaign that does something."""
    multiplier = draw(MULTIPLIERS)
    extra = draw(POINTS if multiplier == 1 else ANY_POINTS)
    scope = (some(draw, rules), draw(CHANNELS), some(draw, tiers))
    return Campaign(key, draw(TITLES), draw(BOUNDED), multiplier, extra, *scope)


def referral(draw: st.DrawFn, friends: list[str], rewards: list[str], tiers: list[str]) -> Referrals:
    """Any referrals."""
    return Referrals(
        friend=one(draw, friends),
        advocate=gift(draw, rewards),
        minimum=draw(MINIMUMS),
        hold_days=draw(SOME_DAYS),
        limit=draw(LIMITS),
        checks=draw(CHECKS),
        title=draw(TITLES),
        schedule=draw(SCHEDULES),
        tiers=some(draw, tiers),
    )


@st.composite
def rewards(draw: st.DrawFn) -> Reward:
    """A reward of any kind, for silver and gold."""
    return reward(draw, "cake", ["silver", "gold"])


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Any program that a document can say."""
    tiers = draw(TIER_KEYS)
    offered = tuple(reward(draw, key, tiers) for key in draw(REWARD_KEYS))
    given = [one.key for one in offered if one.kind != "incremental"]
    friends = [one.key for one in offered if one.kind in DISCOUNTS - {"incremental"}]
    earning = tuple(rule(draw, key, tiers, given) for key in draw(RULE_KEYS))
    about = [one.key for one in earning if one.way in ORDER_WAYS]
    return Program(
        version=3,
        points_name=PointsName(draw(TITLES), draw(TITLES)),
        timezone=draw(ZONES),
        currency=draw(CURRENCY_FORMATS),
        point_value=draw(VALUES),
        basis=draw(BASES),
        guests=draw(GUESTS),
        stacking=draw(STACKING),
        debts=draw(DEBTS),
        earning=earning,
        campaigns=tuple(campaign(draw, key, about, tiers) for key in draw(CAMPAIGN_KEYS)),
        rewards=offered,
        tiers=ladder(draw, tiers, given) if tiers else None,
        referrals=referral(draw, friends, given, tiers) if friends and draw(FLAGS) else None,
        expiry=draw(EXPIRIES),
        balance_reminder=draw(REMINDERS),
        reward_reminder_days=draw(REMINDER_DAYS),
    )
