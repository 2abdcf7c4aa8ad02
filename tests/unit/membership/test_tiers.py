"""Which tier a member has, when it falls, and what entering one gives."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.calendar import take
from loyalty.core.decide import Decision, decide_tier
from loyalty.core.moments import start_of
from loyalty.core.news import TIER_CHANGED
from loyalty.core.program import Gift, Program, Tier
from loyalty.core.standing import HandTier, OrderCredit, Standing
from loyalty.core.tiers import Climb, metric_at, next_tier, tier_at, tier_until
from tests.unit.core.makers import program
from tests.unit.core.members import GOLD, LADDER, MADRID, SILVER, award, ladder, utc
from tests.unit.core.strategies import SETTINGS


def spender(*orders: tuple[datetime, str], **said: object) -> Standing:
    """A member with orders."""
    counting = {number: OrderCredit(at, Decimal(amount)) for number, (at, amount) in enumerate(orders, 1)}
    return Standing(**({"name": "7", "is_guest": False, "orders": counting} | said))


def vip(**said: object) -> Program:
    """A program with tiers, in Madrid."""
    return program(tiers=ladder(**said), timezone=MADRID)


def key(standing: Standing, rules: Program, at: datetime) -> str | None:
    """The key of the tier at an instant."""
    tier = tier_at(standing, rules, at)
    return tier.key if tier else None


class TestLifetime:
    @pytest.mark.parametrize(
        ("spent", "tier", "missing"),
        [("99.99", None, "0.01"), ("100", "silver", "400"), ("500", "gold", None)],
    )
    def test_threshold(self, spent, tier, missing):
        """A tier is reached at its threshold exactly, and the distance to the next one is what is missing."""
        member = spender((utc(2026, 1, 1), spent))

        assert tier == key(member, vip(), utc(2026, 2, 1))
        ahead = next_tier(member, vip(), utc(2026, 2, 1))
        assert missing == (str(ahead.missing) if ahead else None)
        assert tier_until(member, vip(), utc(2026, 2, 1)) is None

    def test_metrics(self):
        """Orders can be counted, and so can points: but none that are pending, and none that a tier gave."""
        at = utc(2026, 3, 1)
        member = spender((utc(2026, 1, 1), "10"), (utc(2026, 1, 2), "0"))
        for one in (
            award(60, utc(2026, 1, 1), "1"),
            award(40, utc(2026, 1, 2), "2", release_at=utc(2026, 3, 2)),
            award(50, utc(2026, 1, 3), "3", way="tier_entry"),
        ):
            member.awards[one.key] = one

        assert metric_at(member, ladder(metric="orders"), at, MADRID) == 1
        assert metric_at(member, ladder(metric="points"), at, MADRID) == 60
        assert metric_at(member, ladder(metric="points"), utc(2026, 3, 2), MADRID) == 100

    def test_guests(self):
        """Guests climb where they earn like members, and only there."""
        guest = spender((utc(2026, 1, 1), "100"), is_guest=True)

        assert tier_at(guest, vip(), utc(2026, 2, 1)) == SILVER
        waiting = program(tiers=ladder(), guests="wait")
        assert tier_at(guest, waiting, utc(2026, 2, 1)) is None
        assert next_tier(guest, waiting, utc(2026, 2, 1)) is None


class TestRolling:
    def test_falls(self):
        """What was spent on a day counts until the same day so many months later begins."""
        member, rules = spender((utc(2026, 1, 15, 12), "100")), vip(window="rolling", months=3)
        falls = start_of(utc(2026, 4, 15).date(), MADRID)

        assert falls == tier_until(member, rules, utc(2026, 2, 1))
        assert key(member, rules, falls - timedelta(seconds=1)) == "silver"
        assert key(member, rules, falls) is None

    def test_grace(self):
        """A tier that is no longer reached is kept for the days of grace."""
        member, rules = spender((utc(2026, 1, 15, 12), "100")), vip(window="rolling", months=3, grace_days=10)
        falls = start_of(utc(2026, 4, 25).date(), MADRID)

        assert falls == tier_until(member, rules, utc(2026, 2, 1))
        assert falls == tier_until(member, rules, utc(2026, 4, 20))
        assert key(member, rules, falls - timedelta(seconds=1)) == "silver"
        assert key(member, rules, falls) is None

    def test_renewed(self):
        """What is spent in time puts the fall off; it never needs to be spent all at once."""
        member = spender((utc(2026, 1, 15), "100"), (utc(2026, 3, 1), "60"), (utc(2026, 4, 1), "40"))

        assert tier_until(member, vip(window="rolling", months=3), utc(2026, 4, 2)) == start_of(
            utc(2026, 6, 1).date(), MADRID
        )

    def test_month_end(self):
        """What was spent on the last day of a long month ends on the last day of a short one."""
        member = spender((utc(2026, 1, 31, 12), "100"))

        falls = tier_until(member, vip(window="rolling", months=1), utc(2026, 2, 1))
        assert falls == start_of(utc(2026, 2, 28).date(), MADRID)


class TestCalendarYear:
    def test_next_year(self):
        """What a year reached holds through the next one, and the way to the next tier begins anew each year."""
        member, rules = spender((utc(2026, 5, 1), "100")), vip(window="calendar_year")

        assert tier_until(member, rules, utc(2026, 6, 1)) == start_of(utc(2028, 1, 1).date(), MADRID)
        assert next_tier(member, rules, utc(2026, 6, 1)).missing == 400
        assert key(member, rules, utc(2027, 12, 31)) == "silver"
        assert next_tier(member, rules, utc(2027, 1, 2)).missing == 500
        assert key(member, rules, utc(2028, 1, 1)) is None

    def test_years_apart(self):
        """Two years are never added up."""
        member = spender((utc(2026, 12, 31, 12), "60"), (utc(2027, 1, 1, 12), "60"))

        assert key(member, vip(window="calendar_year"), utc(2027, 2, 1)) is None

    def test_shop_year(self):
        """The shop's new year counts, not that of the machine."""
        member = spender((utc(2026, 12, 31, 23), "60"), (utc(2027, 1, 1, 12), "60"))

        assert key(member, vip(window="calendar_year"), utc(2027, 2, 1)) == "silver"

    def test_grace(self):
        """Days of grace begin with the year in which the tier would have been lost."""
        member, rules = spender((utc(2026, 5, 1), "100")), vip(window="calendar_year", grace_days=31)

        assert tier_until(member, rules, utc(2028, 1, 15)) == start_of(utc(2028, 2, 1).date(), MADRID)


class TestByHand:
    def test_replaces(self):
        """What staff gave holds until its end, above or below what was reached; then what was reached holds."""
        hand = HandTier("gold", utc(2026, 1, 1), utc(2026, 7, 1))
        member = spender((utc(2026, 1, 1), "100"), hand_tier=hand)

        assert [key(member, vip(), at) for at in (utc(2026, 6, 30), utc(2026, 7, 1))] == ["gold", "silver"]
        assert tier_until(member, vip(), utc(2026, 2, 1)) == utc(2026, 7, 1)

    def test_below(self):
        """The end of a tier that staff set lower is no fall."""
        hand = HandTier("silver", utc(2026, 1, 1), utc(2026, 7, 1))
        member = spender((utc(2026, 1, 1), "500"), hand_tier=hand)

        assert key(member, vip(), utc(2026, 2, 1)) == "silver"
        assert tier_until(member, vip(), utc(2026, 2, 1)) is None
        assert key(member, vip(), utc(2026, 7, 1)) == "gold"

    def test_unknown(self):
        """A tier that the ladder no longer has holds nothing."""
        assert key(spender(hand_tier=HandTier("platinum", utc(2026, 1, 1))), vip(), utc(2026, 2, 1)) is None


def climbed(member: Standing, rules: Program, at: datetime) -> Decision:
    """The decision, taken."""
    decision = decide_tier(member, rules, at)
    take(member, decision)
    return decision


class TestDecide:
    def test_up(self):
        """Climbing is told with both tiers, what it took, what comes next, and until when it holds; it gives what entering gives."""
        rules = vip(window="calendar_year")
        member = spender((utc(2026, 5, 1), "500"), balance=20, tier="silver")
        decision = climbed(member, rules, utc(2026, 5, 1))

        tier, gift = decision.news
        assert (tier.kind, tier.properties["direction"]) == (TIER_CHANGED, "up")
        assert (tier.properties["previous_tier"], tier.properties["tier"]) == ("silver", "gold")
        assert (tier.properties["threshold"], tier.properties["reason"]) == (500, "Reached 500 spent")
        assert tier.properties["next_tier"] is None
        assert tier.properties["tier_until"] == "2027-12-31T23:00:00+00:00"
        assert (gift.properties["points"], gift.properties["points_balance"]) == (50, 70)
        assert (member.tier, member.balance) == ("gold", 70)
        assert climbed(member, rules, utc(2026, 5, 2)) == Decision()

    def test_down(self):
        """A fall is told, and takes nothing back."""
        rules = vip(window="rolling", months=3)
        member = spender((utc(2026, 1, 15), "500"))
        climbed(member, rules, utc(2026, 1, 15))
        decision = climbed(member, rules, tier_until(member, rules, utc(2026, 1, 15)))

        assert [news.properties["direction"] for news in decision.news] == ["down"]
        assert (member.tier, member.balance) == (None, 50)

    def test_once(self):
        """Whoever enters a tier again gets nothing again."""
        rules = vip(window="rolling", months=3)
        member = spender((utc(2026, 1, 15), "500"), (utc(2026, 9, 1), "500"))
        for at in (utc(2026, 1, 15), utc(2026, 8, 1), utc(2026, 9, 1)):
            climbed(member, rules, at)

        assert (member.tier, member.balance) == ("gold", 50)

    def test_rungs(self):
        """Whoever skips a tier gets its gift too: one order gives what two smaller ones would have given."""
        tiers = (Tier("silver", "Silver", Decimal(100), entry=Gift(points=10, reward="five_off")), GOLD)
        rules = vip(ladder=tiers)
        once, twice = spender((utc(2026, 1, 1), "500")), spender((utc(2026, 1, 1), "100"))
        at_once = climbed(once, rules, utc(2026, 1, 1))
        first = climbed(twice, rules, utc(2026, 1, 1))
        twice.orders[2] = OrderCredit(utc(2026, 1, 2), Decimal(400))
        climbed(twice, rules, utc(2026, 1, 2))

        assert once.balance == twice.balance == 60
        assert [gift.slot for gift in at_once.gifts] == [gift.slot for gift in first.gifts] == ["tier:silver"]

    def test_undone(self):
        """A refund that undoes the climb takes the gift back; reaching the tier after all gives it again."""
        rules, member = vip(), spender((utc(2026, 1, 1), "500"))
        climbed(member, rules, utc(2026, 1, 1))
        member.orders[1] = OrderCredit(utc(2026, 1, 1), Decimal(0))
        taken = climbed(member, rules, utc(2026, 1, 5))
        assert (member.tier, member.balance) == (None, 0)
        assert [entry.points for entry in taken.entries] == [-50]
        assert taken.news[0].properties["reason"] == "No longer at 500 spent"

        member.orders[2] = OrderCredit(utc(2026, 2, 1), Decimal(600))
        climbed(member, rules, utc(2026, 2, 1))
        assert (member.tier, member.balance) == ("gold", 50)

    def test_reached_later(self):
        """A gift stays when the tier was reached by other orders meanwhile."""
        rules, member = vip(), spender((utc(2026, 1, 1), "500"))
        climbed(member, rules, utc(2026, 1, 1))
        member.orders[2] = OrderCredit(utc(2026, 2, 1), Decimal(500))
        member.orders[1] = OrderCredit(utc(2026, 1, 1), Decimal(0))

        assert climbed(member, rules, utc(2026, 3, 1)) == Decision()

    def test_new_rules(self):
        """A ladder that became steeper takes back nothing that was given by the old one."""
        member = spender((utc(2026, 1, 1), "500"))
        climbed(member, vip(), utc(2026, 1, 1))
        steeper = vip(ladder=(SILVER, Tier("gold", "Gold", Decimal(900), entry=GOLD.entry)))
        climbed(member, steeper, utc(2026, 2, 1))

        assert (member.tier, member.balance) == ("silver", 50)

    def test_gentler(self):
        """Whoever is in the tier by the ladder of now keeps its gift, though an order came back by which it was reached at first."""
        member = spender((utc(2026, 1, 1), "500"))
        climbed(member, vip(), utc(2026, 1, 1))
        gentler = vip(ladder=(SILVER, Tier("gold", "Gold", Decimal(300), entry=GOLD.entry)))
        member.orders[1] = OrderCredit(utc(2026, 1, 1), Decimal(350))
        assert climbed(member, gentler, utc(2026, 2, 1)) == Decision()

        member.orders[1] = OrderCredit(utc(2026, 1, 1), Decimal(299))
        climbed(member, gentler, utc(2026, 2, 2))
        assert (member.tier, member.balance) == ("silver", 0)

    def test_given_again(self):
        """A gift that is given again is that of the ladder of now, and its entry names the version."""
        member = spender((utc(2026, 1, 1), "500"))
        climbed(member, vip(), utc(2026, 1, 1))
        member.orders[1] = OrderCredit(utc(2026, 1, 1), Decimal(0))
        climbed(member, vip(), utc(2026, 1, 2))
        member.orders[2] = OrderCredit(utc(2026, 1, 3), Decimal(500))
        richer = vip(ladder=(SILVER, Tier("gold", "Gold", Decimal(500), entry=Gift(points=70))))
        (entry,) = climbed(member, replace(richer, version=8), utc(2026, 1, 3)).entries
        assert (entry.points, entry.program_version) == (70, 8)

    @pytest.mark.acceptance("S4-30")
    def test_by_hand(self):
        """A tier given by hand says so, gives its own gift alone, and keeps it."""
        tiers = (Tier("silver", "Silver", Decimal(100), entry=Gift(points=10)), GOLD)
        rules, member = vip(ladder=tiers), spender(hand_tier=HandTier("gold", utc(2026, 1, 1)))
        decision = climbed(member, rules, utc(2026, 1, 1))

        assert decision.news[0].properties["reason"] == "Manually changed tier"
        assert (member.tier, member.balance) == ("gold", 50)
        assert not climbed(member, rules, utc(2026, 1, 2)).entries

    def test_without_tiers(self):
        """When the program no longer has tiers, nobody has one."""
        member = spender((utc(2026, 1, 1), "500"), tier="gold")
        climbed(member, program(), utc(2026, 2, 1))

        assert member.tier is None

    def test_history(self):
        """What an import brings up is told as history."""
        decision = decide_tier(spender((utc(2026, 1, 1), "500")), vip(), utc(2026, 2, 1), history=True)

        assert {news.history for news in decision.news} == {True}


DAYS = st.integers(0, 900).map(lambda days: utc(2024, 1, 1) + timedelta(days=days, hours=11))
ORDERS = st.lists(st.tuples(DAYS, st.integers(0, 400).map(str)), max_size=8)
RULES = st.builds(
    vip,
    window=st.sampled_from(["lifetime", "calendar_year", "rolling"]),
    metric=st.sampled_from(["spent", "orders"]),
    months=st.integers(1, 14),
    grace_days=st.sampled_from([0, 1, 40, 400]),
    ladder=st.sampled_from([LADDER, (Tier("one", "One", Decimal(1)), Tier("two", "Two", Decimal(3)))]),
)


class TestProperties:
    @SETTINGS
    @given(ORDERS, RULES, DAYS)
    def test_until(self, orders, rules, at):
        """Until the day that is said, the tier never falls; on that day it does."""
        member, days = spender(*orders), [at + timedelta(days=n) for n in range(0, 800, 7)]
        until = tier_until(member, rules, at)
        places = [rules.tiers.place(key(member, rules, day)) for day in days if until is None or day < until]
        assert places == sorted(places)
        if until is not None:
            before = rules.tiers.place(key(member, rules, until - timedelta(seconds=1)))
            assert rules.tiers.place(key(member, rules, until)) < before

    @SETTINGS
    @given(ORDERS, RULES, DAYS, DAYS)
    def test_changes(self, orders, rules, at, until):
        """Whoever asks only for what changes up to an instant is told the same, and nothing later; in between the tier stays."""
        climb = Climb(spender(*orders), rules)
        changes = list(climb.changes(at))
        assert list(climb.changes(at, until)) == [change for change in changes if change[0] <= until]
        before, places = climb.tier(at), [*changes, (None, None)]
        for (moment, then), (following, _) in pairwise(places):
            assert then == climb.tier(moment) != before
            assert following is None or climb.tier(following - timedelta(seconds=1)) == then
            before = then

    @SETTINGS
    @given(ORDERS, RULES, DAYS, st.booleans())
    def test_goes_on(self, orders, rules, at, in_order):
        """A look that has counted one order after the other says what a new one says; it counts the newest, and no other."""
        member, kept = spender(), Climb(spender(), rules)
        for number, (placed, amount) in enumerate(sorted(orders) if in_order else orders):
            is_newest = all(placed >= one.placed_at for one in member.orders.values() if one.amount)
            member.orders[number] = OrderCredit(placed, Decimal(amount))
            counted = kept.goes_on(member.orders[number])
            assert counted == (is_newest or amount == "0")
            kept = kept if counted else Climb(member, rules)
            for moment in (at, placed):
                assert _answers(kept, moment) == _answers(Climb(member, rules), moment)

    @SETTINGS
    @given(ORDERS, RULES, DAYS, st.randoms())
    def test_naive(self, orders, rules, at, random):
        """The quick sums agree with adding up every day of the grace, one by one, in whichever order things became known."""
        tiers, member = rules.tiers, spender(*orders)
        days = [at.astimezone(MADRID).date() - timedelta(days=ago) for ago in range(tiers.grace_days + 1)]
        best = max(_value(orders, tiers, day, at) for day in days)
        expected = max(
            (tier for tier in tiers.ladder if best >= tier.threshold), key=lambda t: t.threshold, default=None
        )

        shuffled = spender(*random.sample(orders, len(orders)))
        assert expected == tier_at(member, rules, at) == tier_at(shuffled, rules, at)


def _answers(climb, at):
    """Whatever a look can be asked."""
    changes = [(moment, tier and tier.key) for moment, tier in climb.changes(at)]
    reached = climb.ever_reached(Decimal(100), at - timedelta(days=60), at)
    return climb.tier(at), climb.towards(at), climb.ahead(at), climb.falls(at), changes, reached


def _value(orders, tiers, day, at):
    """What counts on a day, added up the plain way."""
    known = [
        (placed.astimezone(MADRID).date(), 1 if tiers.metric == "orders" else Decimal(amount))
        for placed, amount in orders
        if placed <= at and Decimal(amount) > 0 and placed.astimezone(MADRID).date() <= day
    ]
    if tiers.window == "lifetime":
        return sum(amount for _, amount in known)
    if tiers.window == "calendar_year":
        return max(sum(a for d, a in known if d.year == year) for year in (day.year, day.year - 1))
    return sum(a for d, a in known if day < _months_later(d, tiers.months))


def _months_later(day, months):
    """The same day later, or the last of its month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in range(day.day, 0, -1):
        try:
            return day.replace(year=year, month=month + 1, day=last)
        except ValueError:
            continue
    raise AssertionError
