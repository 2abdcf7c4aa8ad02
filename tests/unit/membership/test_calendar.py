"""What time alone brings about, each thing at its own instant."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.calendar import Era, next_occasion
from loyalty.core.ledger import ADJUST, EARN, REDEEM, RETURN, Source
from loyalty.core.moments import start_of
from loyalty.core.news import BALANCE_REMINDER, EARNED, EXPIRED, EXPIRING, TIER_CHANGED
from loyalty.core.program import BalanceReminder, BirthdayRule, Expiry, Gift, Limit, Program, Schedule, Tier
from loyalty.core.standing import Birthday, HandTier, OpenIssue
from tests.unit.core.makers import action_rule, program
from tests.unit.core.members import LADDER, MADRID, Member, award, ladder, utc
from tests.unit.core.strategies import SETTINGS

JOINED = utc(2025, 6, 15, 12)
INACTIVE = program(expiry=Expiry("inactivity", 12))
AGED = program(expiry=Expiry("age", 12))


def midnight(year: int, month: int, day: int) -> datetime:
    """When a day begins in Madrid."""
    return start_of(date(year, month, day), MADRID)


def happened(member: Member) -> list[tuple[datetime, str, int]]:
    """The movements that time brought: when, of what kind, how many points."""
    return [(entry.occurred_at, entry.kind, entry.points) for entry in member.entries]


def warned(member: Member) -> list[tuple[datetime, str, int]]:
    """The announcements of an end: when, which one, how many points."""
    return [(n.occurred_at, n.properties["which"], n.properties["points"]) for n in member.told(EXPIRING)]


class TestHolds:
    def test_released(self):
        """Points on hold become spendable at the midnight of their release, however late anybody looks."""
        member = Member(program(timezone=MADRID), joined_at=JOINED)
        member.standing.put(award(40, utc(2026, 1, 1), release_at=midnight(2026, 1, 15)))
        assert next_occasion(member.standing, member.program, utc(2026, 1, 2)) == midnight(2026, 1, 15)
        member.settle(utc(2026, 1, 14))
        assert (member.standing.balance, member.standing.held) == (0, 40)

        member.settle(utc(2026, 3, 1), utc(2026, 3, 2))
        assert happened(member) == [(midnight(2026, 1, 15), EARN, 40)]
        assert (member.standing.balance, member.standing.held) == (40, 0)

    def test_overdue(self):
        """What became known after its release is released at once."""
        member = Member(program(), joined_at=JOINED, at=utc(2026, 2, 1))
        member.standing.put(award(40, utc(2026, 1, 1), release_at=utc(2026, 1, 15)))
        assert next_occasion(member.standing, member.program, utc(2026, 2, 1)) == utc(2026, 2, 1)

        assert member.settle(utc(2026, 2, 1)).standing.balance == 40
        assert next_occasion(member.standing, member.program, utc(2026, 2, 1)) is None

    def test_refunded(self):
        """What is worth nothing any more is not released."""
        member = Member(program(), joined_at=JOINED)
        member.standing.put(award(0, utc(2026, 1, 1), release_at=utc(2026, 1, 15)))

        assert next_occasion(member.standing, member.program, JOINED) is None
        assert member.settle(utc(2026, 2, 1)).entries == []

    def test_climbs(self):
        """Points count for the tier when they are released."""
        rules = program(tiers=ladder(metric="points"))
        member = Member(rules, joined_at=JOINED)
        member.standing.put(award(120, utc(2026, 1, 1), release_at=utc(2026, 1, 15)))
        member.settle(utc(2026, 2, 1))

        assert (member.standing.tier, member.standing.tier_since) == ("silver", utc(2026, 1, 15))


class TestInactivity:
    @pytest.mark.acceptance("S4-26")
    def test_story(self):
        """A warning thirty days before, a last chance three days before, and then the whole balance ends; each is told once."""
        member = Member(INACTIVE, joined_at=JOINED)
        member.earned(100, utc(2026, 1, 10, 18))
        member.settle(utc(2027, 6, 1), utc(2027, 6, 2))

        assert warned(member) == [
            (utc(2026, 12, 11), "warning", 100),
            (utc(2027, 1, 7), "last_chance", 100),
        ]
        assert happened(member) == [(utc(2027, 1, 10), "expire", -100)]
        (news,) = member.told(EXPIRED)
        assert news.properties["points_expired"] == 100
        assert news.properties["last_activity_at"] == "2026-01-10T18:00:00+00:00"
        assert next_occasion(member.standing, INACTIVE, utc(2027, 6, 2)) is None

    def test_activity(self):
        """Earning and redeeming put the end off; what staff do does not."""
        member = Member(INACTIVE, joined_at=JOINED)
        member.earned(100, utc(2026, 1, 10))
        member.posted(ADJUST, 5, utc(2026, 5, 1))
        assert member.standing.expires_at == utc(2027, 1, 10)
        member.posted(REDEEM, -50, utc(2026, 6, 1))
        assert member.standing.expires_at == utc(2027, 6, 1)

        member.settle(utc(2027, 6, 1))
        assert happened(member) == [(utc(2027, 6, 1), "expire", -55)]

    def test_nothing_left(self):
        """Nobody is warned of the end of no points."""
        member = Member(INACTIVE, joined_at=JOINED)
        member.earned(100, utc(2026, 1, 10))
        member.posted(REDEEM, -100, utc(2026, 1, 11))
        member.settle(utc(2028, 1, 1))

        assert (member.news, member.entries) == ([], [])

    def test_idle_gift(self):
        """Points that staff give to somebody who has been away for long last until every warning could be given."""
        member = Member(INACTIVE, joined_at=utc(2022, 1, 1))
        member.earned(100, utc(2023, 1, 10))
        member.settle(utc(2026, 1, 1))
        member.posted(ADJUST, 30, utc(2026, 3, 1, 15))
        member.settle(utc(2026, 9, 1))

        assert warned(member)[-2:] == [
            (utc(2026, 3, 2), "warning", 30),
            (utc(2026, 3, 29), "last_chance", 30),
        ]
        assert happened(member)[-1] == (utc(2026, 4, 1), "expire", -30)

    def test_missed(self):
        """An end that nobody brought about on its day is announced again, and then comes."""
        member = Member(INACTIVE, joined_at=utc(2022, 1, 1))
        member.earned(100, utc(2023, 1, 10))
        member.standing.calendar_at = utc(2026, 3, 1)
        member.settle(utc(2026, 3, 1, 5), utc(2026, 9, 1))

        assert happened(member) == [(utc(2026, 4, 1), "expire", -100)]

    def test_new_rule(self):
        """A rule that begins today ends nothing before its warnings, not even what is overdue by far; and changing something else
        meanwhile puts nothing off any further."""
        member = Member(program(), joined_at=JOINED, at=utc(2023, 1, 1))
        member.earned(100, utc(2023, 1, 10))
        member.eras.append(Era(utc(2026, 3, 1, 15), replace(INACTIVE, version=4)))
        member.eras.append(Era(utc(2026, 3, 20, 15), replace(INACTIVE, version=5)))
        member.settle(utc(2026, 9, 1))

        assert warned(member) == [(utc(2026, 3, 2), "warning", 100), (utc(2026, 3, 29), "last_chance", 100)]
        assert [(e.occurred_at, e.program_version) for e in member.entries] == [(utc(2026, 4, 1), 5)]


class TestAge:
    def test_first_in(self):
        """Each point ends for itself, the oldest first, and each end is announced on its own days."""
        member = Member(AGED, joined_at=JOINED)
        member.earned(100, utc(2026, 1, 10, 9))
        member.earned(40, utc(2026, 1, 12, 9))
        member.earned(7, utc(2026, 6, 1))
        member.posted(REDEEM, -30, utc(2026, 6, 2))
        member.settle(utc(2027, 3, 1))

        assert warned(member) == [
            (utc(2026, 12, 11), "warning", 70),
            (utc(2026, 12, 13), "warning", 40),
            (utc(2027, 1, 7), "last_chance", 70),
            (utc(2027, 1, 9), "last_chance", 40),
        ]
        assert happened(member) == [(utc(2027, 1, 10), "expire", -70), (utc(2027, 1, 12), "expire", -40)]
        assert member.standing.expires_at == utc(2027, 6, 1)

    def test_same_day(self):
        """Points of one day end together."""
        member = Member(AGED, joined_at=JOINED)
        member.earned(1, utc(2026, 1, 10, 1))
        member.earned(2, utc(2026, 1, 10, 23))
        member.settle(utc(2027, 1, 10))

        assert happened(member) == [(utc(2027, 1, 10), "expire", -3)]

    def test_returned(self):
        """Old points that come back from a cancelled reward can be used for a while, even when their day is long over."""
        member = Member(AGED, joined_at=JOINED)
        member.earned(100, utc(2026, 1, 10))
        member.posted(REDEEM, -100, utc(2026, 12, 1), Source("reward", "r"))
        member.settle(utc(2027, 2, 1))
        member.posted(RETURN, 100, utc(2027, 2, 1), Source("reward", "r"))
        member.settle(utc(2027, 6, 1))

        assert warned(member) == [(utc(2027, 2, 2), "warning", 100), (utc(2027, 3, 1), "last_chance", 100)]
        assert happened(member) == [(utc(2027, 3, 4), "expire", -100)]

    def test_next_is_soon(self):
        """An end that was always foreseen is not put off for coming right after another one."""
        member = Member(program(expiry=Expiry("age", 1)), joined_at=JOINED)
        for day in range(1, 20):
            member.earned(1, utc(2026, 1, day))
        member.settle(utc(2026, 2, 19))

        assert [entry.occurred_at for entry in member.entries] == [utc(2026, 2, day) for day in range(1, 20)]


class TestTiers:
    def test_falls(self):
        """A tier falls on its day, and is told with that day."""
        member = Member(program(tiers=ladder(window="rolling", months=3), timezone=MADRID), joined_at=JOINED)
        member.bought("100", utc(2026, 1, 15, 12))
        member.standing.tier = "silver"
        member.settle(utc(2026, 9, 1))

        (news,) = member.told(TIER_CHANGED)
        assert (news.occurred_at, news.properties["direction"]) == (midnight(2026, 4, 15), "down")
        assert member.standing.tier is None

    def test_hand(self):
        """What staff gave ends when they said."""
        member = Member(program(tiers=ladder()), joined_at=JOINED)
        member.standing.hand_tier = HandTier("gold", utc(2026, 1, 1), utc(2026, 7, 1))
        member.standing.tier = "gold"
        member.settle(utc(2026, 9, 1))

        assert (member.standing.tier, member.standing.tier_since) == (None, utc(2026, 7, 1))

    def test_new_ladder(self):
        """A new ladder holds from the moment on at which its version began."""
        member = Member(program(tiers=ladder()), joined_at=JOINED)
        member.bought("100", utc(2026, 1, 1))
        member.standing.tier = "silver"
        cheaper = program(tiers=ladder(ladder=(Tier("gold", "Gold", Decimal(50)),)), version=4)
        member.eras.append(Era(utc(2026, 5, 1, 9), cheaper))
        member.settle(utc(2026, 6, 1))

        assert (member.standing.tier, member.standing.tier_since) == ("gold", utc(2026, 5, 1, 9))

    def test_birthday_climbs(self):
        """Points that the calendar gives may lift somebody to a tier at the same instant."""
        rules = program(birthday(120), tiers=ladder(metric="points"))
        member = Member(rules, joined_at=JOINED)
        member.standing.birthday = Birthday(3, 1, JOINED)
        member.settle(utc(2026, 3, 1))

        assert (member.standing.tier, member.standing.tier_since) == ("silver", utc(2026, 3, 1))


def birthday(points: int = 50, **said: object) -> BirthdayRule:
    """Points on the birthday."""
    values = {"key": "birthday", "way": "birthday", "title": "Birthday", "points": points}
    return BirthdayRule(**(values | said))


def born(month: int, day: int, *rules: object, told_at: datetime = JOINED, **said: object) -> Member:
    """A member whose birthday is known."""
    member = Member(program(*rules, **said), joined_at=JOINED)
    member.standing.birthday = Birthday(month, day, told_at)
    return member


class TestBirthday:
    def test_each_year(self):
        """Once each year, at the shop's midnight."""
        member = born(3, 1, birthday(), timezone=MADRID).settle(utc(2027, 12, 1))

        assert happened(member) == [(midnight(2026, 3, 1), EARN, 50), (midnight(2027, 3, 1), EARN, 50)]

    def test_leap_day(self):
        """February 29 is kept on February 28 in other years."""
        member = born(2, 29, birthday()).settle(utc(2028, 12, 1))

        assert [e.occurred_at for e in member.entries] == [
            utc(2026, 2, 28),
            utc(2027, 2, 28),
            utc(2028, 2, 29),
        ]

    @pytest.mark.parametrize(("days", "years"), [(30, [2026, 2027]), (29, [2027])])
    def test_blackout(self, days, years):
        """A birthday that was told too shortly before it comes counts from the next year on."""
        told = utc(2026, 3, 1) - timedelta(days=days)
        member = born(3, 1, birthday(), told_at=told)
        member.standing.calendar_at = told
        member.settle(utc(2027, 12, 1))

        assert [e.occurred_at.year for e in member.entries] == years

    def test_moved(self):
        """Whoever moves the birthday to later in the year is not given it twice."""
        member = born(3, 1, birthday()).settle(utc(2026, 3, 2))
        member.standing.birthday = Birthday(9, 1, utc(2026, 3, 2))

        assert len(member.settle(utc(2026, 12, 1)).entries) == 1

    def test_reward(self):
        """A reward alone is given once a year too."""
        member = born(3, 1, birthday(0, reward="five_off")).settle(
            utc(2026, 3, 1), utc(2026, 12, 1), utc(2027, 3, 1)
        )

        gifts = [(gift.reward, gift.slot, gift.given_for) for d in member.decisions for gift in d.gifts]
        assert gifts == [("five_off", "birthday:2026", "birthday"), ("five_off", "birthday:2027", "birthday")]
        assert member.entries == []

    def test_refused(self):
        """The rule's own schedule, tiers and guests hold for birthdays too."""
        until = Schedule(ends=date(2025, 12, 31))
        assert born(3, 1, birthday(schedule=until)).settle(utc(2026, 4, 1)).decisions == []
        assert born(3, 1, birthday(tiers=frozenset({"gold"}))).settle(utc(2026, 4, 1)).decisions == []
        guest = Member(program(birthday(guests=False)), at=JOINED)
        guest.standing.birthday = Birthday(3, 1, JOINED)
        assert guest.settle(utc(2026, 4, 1)).decisions == []

    def test_limited(self):
        """A reward that is given without points counts for the rule's limit."""
        member = born(3, 1, birthday(0, reward="five_off", limit=Limit(1, "lifetime")))
        member.settle(utc(2028, 4, 1))

        assert [gift.slot for d in member.decisions for gift in d.gifts] == ["birthday:2026"]

    @pytest.mark.parametrize(("tier", "points"), [("gold", 90), (None, 50)])
    def test_several(self, tier, points):
        """Of several rules the first one that applies to the member celebrates, and no other."""
        golden = birthday(90, key="golden", tiers=frozenset({"gold"}))
        over = birthday(7, key="over", schedule=Schedule(ends=date(2025, 12, 31)))
        member = born(3, 1, over, golden, birthday(), birthday(60, key="more"), tiers=ladder())
        member.standing.hand_tier = HandTier(tier, JOINED) if tier else None
        member.standing.tier = tier
        member.settle(utc(2026, 4, 1), utc(2026, 4, 2))

        assert [entry.points for entry in member.entries] == [points]


class TestAnniversary:
    def test_each_year(self):
        """Every year since joining, but not on the day of joining."""
        member = Member(program(action_rule("anniversary")), joined_at=JOINED, at=utc(2025, 1, 1))
        member.settle(utc(2027, 7, 1))

        assert [e.occurred_at for e in member.entries] == [utc(2026, 6, 15), utc(2027, 6, 15)]
        assert [e.why["years"] for e in member.entries] == [1, 2]

    def test_several(self):
        """Where the first rule is over, the next one is it."""
        over = action_rule("anniversary", 5, schedule=Schedule(ends=date(2026, 12, 31)))
        now = action_rule("anniversary", 8, key="anniversary_now")
        member = Member(program(over, now), joined_at=JOINED).settle(utc(2027, 7, 1))

        assert [(e.rule, e.points) for e in member.entries] == [("anniversary", 5), ("anniversary_now", 8)]
        assert len(member.told(EARNED)) == 2


class TestBalanceReminder:
    @pytest.mark.acceptance("S0-16", "S0-17")
    @pytest.mark.parametrize(
        ("every", "days"),
        [
            ("week", [(2026, 3, 2), (2026, 3, 9), (2026, 3, 16), (2026, 3, 23), (2026, 3, 30)]),
            ("month", [(2026, 3, 1), (2026, 4, 1)]),
            ("idle", [(2026, 3, 12)]),
        ],
    )
    def test_periods(self, every, days):
        """Once per week, per month, or every so many idle days, at the hour of the shop."""
        rules = program(balance_reminder=BalanceReminder(every, minimum=100, hour=9), timezone=MADRID)
        member = Member(rules, joined_at=JOINED)
        member.earned(100, utc(2026, 2, 10))
        member.standing.calendar_at = utc(2026, 2, 28)
        member.settle(utc(2026, 4, 2), utc(2026, 4, 2))

        local = [n.occurred_at.astimezone(MADRID) for n in member.told(BALANCE_REMINDER)]
        expected = days if every != "idle" else [(2026, 3, 12)]
        assert [(at.year, at.month, at.day) for at in local] == expected
        assert {at.hour for at in local} == {9}
        assert len({n.subject for n in member.told(BALANCE_REMINDER)}) == len(days)

    def test_too_few(self):
        """Nobody is reminded of fewer points than the least; pending ones do not count."""
        rules = program(balance_reminder=BalanceReminder("week", minimum=100))
        member = Member(rules, joined_at=JOINED)
        member.earned(99, utc(2026, 2, 10))
        member.standing.put(award(500, utc(2026, 2, 10), "held", release_at=utc(2027, 1, 1)))

        assert member.settle(utc(2026, 6, 1)).news == []

    def test_bought(self):
        """Whoever bought since the last reminder is left in peace until the one after."""
        member = Member(program(balance_reminder=BalanceReminder("week")), joined_at=JOINED)
        member.earned(100, utc(2026, 2, 10))
        member.settle(utc(2026, 3, 3))
        member.bought("20", utc(2026, 3, 4))
        member.settle(utc(2026, 3, 20))

        days = [n.occurred_at.day for n in member.told(BALANCE_REMINDER) if n.occurred_at.month == 3]
        assert days == [2, 16]

    def test_again_when_idle(self):
        """Who stays idle is reminded again after as many days more."""
        member = Member(program(balance_reminder=BalanceReminder("idle", idle_days=20)), joined_at=JOINED)
        member.earned(100, utc(2026, 1, 1))
        member.settle(utc(2026, 2, 1), utc(2026, 3, 5))

        assert [n.occurred_at for n in member.told(BALANCE_REMINDER)] == [
            utc(2026, 1, 21, 10), utc(2026, 2, 10, 10), utc(2026, 3, 2, 10),
        ]  # fmt: skip


class TestRewards:
    @pytest.mark.acceptance("S4-29")
    def test_ends(self):
        """A reward is announced to end once, three days before unless the program says otherwise, and ends once."""
        member = Member(program(), joined_at=JOINED)
        member.standing.issues = [OpenIssue("r1", utc(2026, 1, 1, 9), utc(2026, 2, 1))]
        member.settle(utc(2026, 1, 28), utc(2026, 1, 29), utc(2026, 1, 30), utc(2026, 3, 1))

        assert [(d.ending, d.ended) for d in member.decisions] == [(("r1",), ()), ((), ("r1",))]
        assert member.standing.issues == []

    def test_short(self):
        """What was issued after the day of its reminder is not announced."""
        member = Member(program(reward_reminder_days=3), joined_at=JOINED, at=utc(2026, 1, 1))
        member.standing.issues = [OpenIssue("r1", utc(2026, 1, 30, 9), utc(2026, 2, 1))]

        assert [d.ending for d in member.settle(utc(2026, 3, 1)).decisions] == [()]

    def test_overdue(self):
        """What should have ended long ago ends at once."""
        member = Member(program(), joined_at=JOINED, at=utc(2026, 3, 1))
        member.standing.issues = [OpenIssue("r1", utc(2026, 1, 1), utc(2026, 2, 1))]
        assert next_occasion(member.standing, member.program, utc(2026, 3, 1)) == utc(2026, 3, 1)

        assert [d.ended for d in member.settle(utc(2026, 3, 1), utc(2026, 3, 2)).decisions] == [("r1",)]


class TestSettle:
    def test_order(self):
        """What falls on one instant happens in one order: points end before the birthday gives new ones."""
        member = born(1, 10, birthday(), expiry=Expiry("inactivity", 12))
        member.earned(100, utc(2025, 1, 10, 5))
        member.standing.calendar_at = utc(2025, 6, 16)
        member.settle(utc(2026, 1, 10))

        assert happened(member) == [(utc(2026, 1, 10), "expire", -100), (utc(2026, 1, 10), EARN, 50)]

    def test_back(self):
        """Settling up to an instant that lies behind changes nothing."""
        member = born(1, 10, birthday()).settle(utc(2026, 3, 1))
        member.settle(utc(2025, 12, 1))

        assert (len(member.entries), member.standing.calendar_at) == (1, utc(2026, 3, 1))

    def test_first(self):
        """Whoever was never settled begins now: nothing is done for the years before."""
        member = born(1, 10, birthday())
        member.standing.calendar_at = None
        member.settle(utc(2026, 3, 1), utc(2027, 3, 1))

        assert [e.occurred_at for e in member.entries] == [utc(2027, 1, 10)]


RULES = (
    BirthdayRule(key="birthday", way="birthday", title="Birthday", points=30, reward="five_off"),
    action_rule("anniversary", 20),
)
EXPIRIES = st.none() | st.builds(
    Expiry, st.sampled_from(["inactivity", "age"]), st.integers(1, 4), st.integers(0, 40), st.integers(0, 5)
)
REMINDERS = st.none() | st.builds(
    BalanceReminder,
    st.sampled_from(["week", "month", "idle"]),
    st.integers(1, 100),
    st.integers(1, 40),
    st.integers(0, 23),
)
LADDERS = st.none() | st.builds(
    ladder,
    window=st.sampled_from(["lifetime", "calendar_year", "rolling"]),
    metric=st.sampled_from(["spent", "points", "orders"]),
    months=st.integers(1, 3),
    grace_days=st.integers(0, 20),
    ladder=st.just((LADDER[0], Tier("gold", "Gold", Decimal(300), entry=Gift(points=25)))),
)
PROGRAMS = st.builds(
    lambda expiry, reminder, tiers: program(
        *RULES, expiry=expiry, balance_reminder=reminder, tiers=tiers, timezone=MADRID
    ),
    EXPIRIES,
    REMINDERS,
    LADDERS,
)
BEGIN = utc(2025, 11, 20)
SPENT = st.lists(st.tuples(st.integers(0, 80), st.integers(1, 200), st.integers(0, 40)), max_size=5)


def lived(rules: Program, changed: Program, spent: list[tuple[int, int, int]]) -> Member:
    """A member with some history, up to now, and a change of the program to come."""
    member = Member(rules, joined_at=utc(2025, 1, 3, 20), at=BEGIN - timedelta(days=90))
    member.standing.birthday = Birthday(1, 17, utc(2025, 3, 1))
    member.standing.issues = [OpenIssue("r1", BEGIN, BEGIN + timedelta(days=33))]
    for days, points, hold in sorted(spent):
        at = BEGIN - timedelta(days=85 - days, hours=7)
        member.settle(at)
        member.bought(str(points), at)
        if hold:
            ref = f"h{len(member.standing.awards)}"
            member.standing.put(
                award(points, at, ref, release_at=start_of((at + timedelta(days=hold)).date(), MADRID))
            )
        else:
            member.earned(points, at)
        member.settle(at)
    member.settle(BEGIN)
    member.eras.append(Era(BEGIN + timedelta(days=40, hours=5), replace(changed, version=4)))
    return member


class TestProperties:
    @SETTINGS
    @given(PROGRAMS, PROGRAMS, SPENT, st.lists(st.integers(1, 90 * 24), max_size=12))
    def test_split(self, rules, changed, spent, hours):
        """One run over ninety days ends like ninety daily runs, and like any others; and doing it again changes nothing."""
        end = BEGIN + timedelta(days=90)
        runs = (
            [end],
            [BEGIN + timedelta(days=day) for day in range(1, 91)],
            [*(BEGIN + timedelta(hours=hour) for hour in sorted(hours)), end, end],
        )
        lives = [lived(rules, changed, spent).settle(*moments) for moments in runs]

        first = lives[0]
        for other in lives[1:]:
            assert first.entries == other.entries
            assert first.news == other.news
            assert [d for d in first.decisions if d.gifts] == [d for d in other.decisions if d.gifts]
            for name in (
                "balance",
                "held",
                "tier",
                "tier_since",
                "expires_at",
                "expiry_not_before",
                "calendar_at",
            ):
                assert getattr(first.standing, name) == getattr(other.standing, name)

    @SETTINGS
    @given(PROGRAMS, PROGRAMS, SPENT)
    def test_due(self, rules, changed, spent):
        """Nothing ever happens before the instant that was said to be the next, and then something may."""
        member = lived(rules, changed, spent)
        member.eras = member.eras[:1]
        for _ in range(10):
            due = next_occasion(member.standing, rules, member.standing.calendar_at)
            if due is None or due > datetime(2027, 1, 1, tzinfo=UTC):
                break
            before = len(member.decisions)
            member.settle(due - timedelta(microseconds=1))
            assert before == len(member.decisions)
            member.settle(due)

    @SETTINGS
    @given(PROGRAMS, PROGRAMS, SPENT)
    def test_warned(self, rules, changed, spent):
        """Points never end without the last chance having been told, where the program tells it."""
        member = lived(rules, changed, spent).settle(BEGIN + timedelta(days=200))
        told = {
            n.properties["expires_at"]
            for n in member.told(EXPIRING)
            if n.properties["which"] == "last_chance"
        }
        for entry in member.entries:
            expiry = (rules if entry.program_version == 3 else changed).expiry
            if entry.kind == "expire" and expiry.last_chance_days:
                assert entry.occurred_at.isoformat() in told
