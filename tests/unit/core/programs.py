"""Programs of every kind, for the properties: each one is right, so its document can be written and read again."""

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

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True).filter(
    lambda key: not key.startswith("campaign_")
)
TITLES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40).filter(str.strip)
POINTS = st.integers(1, 1_000_000)
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
IDS = st.frozensets(st.integers(1, 2**63 - 1), max_size=3)
WORDS = st.frozensets(st.sampled_from(["sale", "new in", "größe s".casefold(), "日本"]), max_size=2)
CHANNELS = st.frozensets(st.sampled_from(["web", "pos", "3890849"]), max_size=2)


def amounts(most: int = 100_000) -> st.SearchStrategy[Decimal]:
    """More than nothing, to four decimals."""
    return st.integers(1, most * 10_000).map(lambda number: Decimal(number) / 10_000)


def subsets(keys: list[str]) -> st.SearchStrategy[frozenset[str]]:
    """Some of these keys, or none."""
    return st.frozensets(st.sampled_from(keys), max_size=2) if keys else st.just(frozenset())


@st.composite
def currency_formats(draw: st.DrawFn) -> CurrencyFormat:
    """Any way to write money."""
    marks = st.none() | st.tuples(
        st.sampled_from([None, "comma", "point", "space", "apostrophe", "none"]),
        st.sampled_from([None, "point", "comma"]),
    ).filter(lambda pair: pair[0] is None or pair[0] != pair[1])
    thousands, decimal = draw(marks) or (None, None)
    return CurrencyFormat(
        display=draw(st.sampled_from([None, "symbol", "code"])),
        decimals=draw(st.sampled_from([None, "always", "when_needed"])),
        position=draw(st.sampled_from([None, "before", "after"])),
        thousands=thousands,
        decimal=decimal,
    )


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    """Any limit."""
    per = draw(st.sampled_from(["day", "week", "month", "year", "lifetime", "days"]))
    return Limit(draw(st.integers(1, 9)), per, draw(st.integers(1, 400)) if per == "days" else None)


@st.composite
def schedules(draw: st.DrawFn, *, is_open: bool = True) -> Schedule:
    """Any schedule; ``is_open``: one without ends too."""
    begins, ends = sorted([draw(DAYS), draw(DAYS)])
    shapes = [Schedule(begins, ends), Schedule(begins), Schedule(ends=ends)]
    return draw(st.sampled_from([Schedule(), *shapes] if is_open else shapes))


@st.composite
def goods(draw: st.DrawFn) -> Goods:
    """Any goods."""
    products, collections, tags = draw(IDS), draw(IDS), draw(WORDS)
    return Goods(
        products, collections, tags, draw(IDS) - products, draw(IDS) - collections, draw(WORDS) - tags
    )


@st.composite
def gifts(draw: st.DrawFn, rewards: list[str], *, empty: bool = False) -> Gift:
    """Points, one of these rewards, or both."""
    reward = draw(st.none() | st.sampled_from(rewards)) if rewards else None
    points = draw(POINTS if reward is None and not empty else st.just(0) | POINTS)
    return Gift(points, reward)


@st.composite
def rules(draw: st.DrawFn, key: str, tiers: list[str], rewards: list[str]) -> Rule:
    """A rule of any way."""
    way = draw(st.just(key) if key in WAYS else st.sampled_from(sorted(WAYS)))
    said: dict[str, Any] = {
        "key": key,
        "way": way,
        "title": draw(TITLES).strip(),
        "guests": draw(st.booleans()),
    }
    said["hold_days"] = draw(st.sampled_from([0, 0, 14]))
    said |= {"schedule": draw(schedules()), "tiers": draw(subsets(tiers))}
    if way in GOAL_WAYS:
        goal = draw(st.integers(1, 50).map(Decimal) if way == "order_count_goal" else amounts())
        return GoalRule(**said, goal=goal, points=draw(POINTS))
    said["limit"] = draw(st.none() | limits())
    if way in ORDER_WAYS:
        said |= {"goods": draw(goods()), "channels": draw(CHANNELS), "multiplied": draw(st.booleans())}
        said["minimum"] = draw(amounts() if way == "order_value_goal" else st.just(Decimal(0)) | amounts())
        if way == "order":
            rounding = draw(st.sampled_from(["down", "half_up", "up"]))
            return OrderRule(**said, rate=draw(amounts(100)), rounding=rounding)
        return OrderRule(**said, points=draw(POINTS))
    if way == "birthday":
        gift = draw(gifts(rewards))
        blackout = draw(st.integers(0, 60))
        return BirthdayRule(**said, points=gift.points, reward=gift.reward, blackout_days=blackout)
    return ActionRule(**said, points=draw(POINTS))


@st.composite
def rewards(draw: st.DrawFn, key: str, tiers: list[str]) -> Reward:
    """A reward of any kind."""
    kind = draw(st.sampled_from(sorted(REWARD_KINDS)))
    listed = kind == "incremental" or draw(st.booleans())
    said: dict[str, Any] = {"key": key, "kind": kind, "title": draw(TITLES).strip(), "listed": listed}
    said |= {"limit": draw(st.none() | limits()), "tiers": draw(subsets(tiers))}
    said["points"] = step = draw(st.integers(1, 1000)) if listed else 0
    said["expires_after_days"] = draw(st.none() | st.integers(1, 3650))
    if kind == "percentage_off":
        said["percentage"] = draw(amounts(100))
    elif kind == "free_product":
        said["variant_id"] = draw(st.integers(1, 2**53))
    elif kind != "free_shipping":
        said["amount"] = draw(amounts(1000))
    if kind == "incremental":
        least, more = draw(st.none() | st.integers(1, 5)), draw(st.none() | st.integers(0, 9))
        said["minimum_points"] = None if least is None else least * step
        said["maximum_points"] = None if more is None else ((least or 1) + more) * step
    if kind in DISCOUNTS:
        said["combines"] = Combines(draw(st.booleans()), draw(st.booleans()), draw(st.booleans()))
        said["minimum_subtotal"] = None if kind == "free_product" else draw(st.none() | amounts())
        said["code_prefix"] = draw(st.sampled_from(["LAUREL", "FERN-10", "X"]))
    elif kind == "gift_card":
        said["code_prefix"] = draw(st.sampled_from(["LAUREL", "GIFT2026"]))
    if kind in ("amount_off", "percentage_off", "incremental"):
        said |= {draw(st.sampled_from(["products", "collections"])): draw(IDS)}
    return Reward(**said)


@st.composite
def tier_ladders(draw: st.DrawFn, keys: list[str], rewards: list[str]) -> Tiers:
    """A ladder with these tiers."""
    thresholds = sorted(draw(st.sets(st.integers(0, 100_000), min_size=len(keys), max_size=len(keys))))
    ladder = tuple(
        Tier(
            key,
            draw(TITLES).strip(),
            Decimal(threshold),
            draw(amounts(10)),
            tuple(title.strip() for title in draw(st.lists(TITLES, max_size=2))),
            draw(gifts(rewards, empty=True)),
        )
        for key, threshold in zip(keys, thresholds, strict=True)
    )
    return Tiers(
        draw(st.sampled_from(["points", "spent", "orders"])),
        draw(st.sampled_from(["lifetime", "calendar_year", "rolling"])),
        draw(st.integers(1, 24)),
        draw(st.sampled_from([0, 30])),
        ladder,
    )


@st.composite
def campaigns(draw: st.DrawFn, key: str, rules: list[str], tiers: list[str]) -> Campaign:
    """A campaign that does something."""
    multiplier = draw(st.sampled_from([Decimal(1), Decimal(2), Decimal("1.5")]))
    extra = draw(POINTS) if multiplier == 1 else draw(st.just(0) | POINTS)
    scope = (draw(subsets(rules)), draw(CHANNELS), draw(subsets(tiers)))
    return Campaign(key, draw(TITLES).strip(), draw(schedules(is_open=False)), multiplier, extra, *scope)


@st.composite
def referrals(draw: st.DrawFn, friends: list[str], rewards: list[str], tiers: list[str]) -> Referrals:
    """Any referrals."""
    return Referrals(
        friend=draw(st.sampled_from(friends)),
        advocate=draw(gifts(rewards)),
        minimum=draw(st.just(Decimal(0)) | amounts()),
        hold_days=draw(st.integers(0, 60)),
        limit=draw(st.none() | limits()),
        checks=draw(st.frozensets(st.sampled_from(["self", "existing_customer", "address", "device"]))),
        title=draw(TITLES).strip(),
        schedule=draw(schedules()),
        tiers=draw(subsets(tiers)),
    )


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Any program that a document can say."""
    tiers = draw(st.lists(KEYS, max_size=3, unique=True))
    offered = tuple(draw(rewards(key, tiers)) for key in draw(st.lists(KEYS, max_size=4, unique=True)))
    given = [reward.key for reward in offered if reward.kind != "incremental"]
    friends = [reward.key for reward in offered if reward.kind in DISCOUNTS - {"incremental"}]
    earning = tuple(
        draw(rules(key, tiers, given))
        for key in draw(st.lists(KEYS | st.sampled_from(sorted(WAYS)), max_size=6, unique=True))
    )
    about = [rule.key for rule in earning if rule.way in ORDER_WAYS]
    months = draw(st.integers(6, 24))
    return Program(
        version=3,
        points_name=PointsName(draw(TITLES).strip(), draw(TITLES).strip()),
        timezone=ZoneInfo(draw(st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles"]))),
        currency=draw(st.just(CurrencyFormat()) | currency_formats()),
        point_value=draw(st.none() | amounts(10)),
        basis=Basis(draw(st.booleans()), draw(st.booleans()), draw(st.booleans())),
        guests=draw(st.sampled_from(["earn", "wait", "never"])),
        stacking=draw(st.sampled_from(["highest", "add", "multiply"])),
        debts=draw(st.sampled_from(["keep", "forgive"])),
        earning=earning,
        campaigns=tuple(
            draw(campaigns(key, about, tiers)) for key in draw(st.lists(KEYS, max_size=2, unique=True))
        ),
        rewards=offered,
        tiers=draw(tier_ladders(tiers, given)) if tiers else None,
        referrals=draw(st.none() | referrals(friends, given, tiers)) if friends else None,
        expiry=draw(
            st.none()
            | st.builds(
                Expiry,
                st.sampled_from(["inactivity", "age"]),
                st.just(months),
                st.integers(10, 90),
                st.integers(1, 9),
            )
        ),
        balance_reminder=draw(
            st.none()
            | st.builds(
                BalanceReminder,
                st.sampled_from(["week", "month", "idle"]),
                st.integers(1, 500),
                st.integers(1, 90),
                st.integers(9, 20),
                st.integers(21, 23),
                st.integers(0, 9),
            )
        ),
        reward_reminder_days=draw(st.integers(1, 30)),
    )
