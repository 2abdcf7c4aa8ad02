"""Time passes in a shop with a database: what is due happens once, whoever does it, however late."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty import calendar, programs, runs
from loyalty.calendar import refreshing, running
from loyalty.core.facts import BirthdayTold, Fact, Identity, PointsAdjusted, RewardIssued, RewardRequested
from loyalty.database import transaction
from loyalty.ledger.verify import verify
from loyalty.models import LedgerEntry, Member, OutboxMessage, RewardIssue, Run, Shop
from loyalty.points import absorb
from loyalty.redemption import request_reward
from loyalty.runtime import Runtime
from loyalty.staff import TierRefused, adjust, set_tier
from tests.integration.loyalty.conftest import INSTALLED, NOW, Hands
from tests.integration.loyalty.story import ADA, BO, CY, bought, joined, member
from tests.passing_time import pass_time

Apply = Callable[..., int]
REWARDS = [
    {"key": "five_off", "title": "$5 off", "kind": "amount_off", "amount": "5.00", "points": 100, "expires_after_days": 20},
    {"key": "gift", "title": "A gift", "kind": "amount_off", "amount": "9.00", "listed": False},
]  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "points": {"one": "leaf", "many": "leaves"},
    "timezone": "Europe/Madrid",
    "earn": {"order": {"title": "Place an order", "rate": "1"}},
    "rewards": REWARDS,
}


@pytest.fixture(name="apply")
def _apply(engine: Engine, shop: Shop) -> Apply:
    """Make a document the program, with what is said on top."""

    def apply(at: datetime = INSTALLED, **said: Any) -> int:
        with transaction(engine) as session:
            assert shop.id is not None
            program = programs.apply(session, shop.id, DOCUMENT | said, author="test", now=at)
            run = calendar.program_applied(session, shop.id, program, now=at)
            return run.id or 0 if run is not None else 0

    return apply


class Days:
    """The shop's facts and nights, at the instants that a test says."""

    def __init__(self, engine: Engine, shop: Shop) -> None:
        self.engine = engine
        self.shop = shop

    def tell(self, *facts: Fact, at: datetime = NOW) -> None:
        """Something happened."""
        with transaction(self.engine) as session:
            absorb(session, self.shop, facts, now=at)

    def pass_to(self, *until: datetime, seconds: float | None = None) -> list[int]:
        """Settle what is due at each instant; how many members were settled each time."""
        return [pass_time(self.engine, self.shop, at, seconds=seconds).settled for at in until]

    def entries(self, who: Identity) -> list[tuple[str, int, datetime]]:
        """Somebody's movements of points."""
        with Session(self.engine) as session:
            rows = session.exec(
                select(LedgerEntry)
                .where(LedgerEntry.member_id == member(self.engine, who).id)
                .order_by(col(LedgerEntry.position))
            )
            return [(row.kind, row.points, row.occurred_at) for row in rows]

    def told(self, *kinds: str) -> list[OutboxMessage]:
        """What Klaviyo is told of these kinds."""
        with Session(self.engine, expire_on_commit=False) as session:
            asked = select(OutboxMessage).where(
                col(OutboxMessage.kind).in_(kinds), OutboxMessage.channel == "klaviyo"
            )
            return list(session.exec(asked.order_by(col(OutboxMessage.occurred_at), col(OutboxMessage.id))))


@pytest.fixture(name="days")
def _days(engine: Engine, shop: Shop) -> Days:
    return Days(engine, shop)


def day(number: int, hour: int = 0) -> datetime:
    """Some days after the day on which everything begins, at an hour UTC."""
    return NOW.replace(hour=0) + timedelta(days=number, hours=hour)


class TestHolds:
    def test_released(self, days: Days, apply: Apply) -> None:
        """Points on hold are pending until the shop's midnight, and then on the balance; a second night gives nothing."""
        apply(earn={"order": {"title": "Place an order", "rate": "1", "hold_days": 14}})
        days.tell(joined(ADA), bought(ADA, 1, "80"))
        before = member(days.engine, ADA)
        assert (before.balance, before.pending) == (0, 80)
        assert before.calendar_due == day(14, 23)  # midnight in Madrid

        assert days.pass_to(day(14, 22)) == [0]
        assert days.pass_to(day(16), day(17)) == [1, 0]
        after = member(days.engine, ADA)
        assert (after.balance, after.pending, after.calendar_due) == (80, 0, None)
        assert days.entries(ADA) == [("earn", 80, day(14, 23))]

    def test_refunded(self, days: Days, apply: Apply) -> None:
        """What was refunded meanwhile is not released."""
        apply(earn={"order": {"title": "Place an order", "rate": "1", "hold_days": 14}})
        days.tell(joined(ADA), bought(ADA, 1, "80"))
        days.tell(bought(ADA, 1, "80", refunded="30", minute=5))
        days.pass_to(day(20))

        assert days.entries(ADA) == [("earn", 50, day(14, 23))]

    def test_rule_gone(self, days: Days, apply: Apply) -> None:
        """A hold outlives the rule that made it."""
        apply(earn={"order": {"title": "Place an order", "rate": "1", "hold_days": 14}})
        days.tell(joined(ADA), bought(ADA, 1, "80"))
        apply(at=day(3))
        with transaction(days.engine) as session:
            row = session.get_one(Member, member(days.engine, ADA).id)
            adjust(session, days.shop, row, PointsAdjusted(1, "k", "", "staff", day(4)), now=day(4))
        days.pass_to(day(20))

        assert member(days.engine, ADA).balance == 81


class TestExpiry:
    def test_inactivity(self, days: Days, apply: Apply) -> None:
        """A warning, a last chance, the end; and a page can say beforehand how many points end when."""
        apply(expiry={"kind": "inactivity", "months": 2})
        days.tell(joined(ADA), bought(ADA, 1, "80"))
        row = member(days.engine, ADA)
        assert (row.expires_at, row.expiring_points) == (datetime.fromisoformat("2026-12-31T23:00:00Z"), 80)
        days.pass_to(*(day(number) for number in range(1, 70)))

        announced = [
            (m.payload["which"], m.payload["expires_on"], m.backfill) for m in days.told("points_expiring")
        ]
        assert announced == [("warning", "2027-01-01", False), ("last_chance", "2027-01-01", False)]
        assert days.entries(ADA)[-1] == ("expire", -80, datetime.fromisoformat("2026-12-31T23:00:00Z"))
        assert member(days.engine, ADA).expires_at is None

    def test_age(self, days: Days, apply: Apply) -> None:
        """Points end first in, first out; a redemption takes the oldest."""
        apply(expiry={"kind": "age", "months": 2})
        days.tell(joined(ADA), bought(ADA, 1, "150"))
        days.tell(bought(ADA, 2, "60", minute=60 * 24 * 7), at=day(7, 13))
        redeem(days, ADA, at=day(8))
        days.pass_to(day(80))

        ends = [entry[1:] for entry in days.entries(ADA) if entry[0] == "expire"]
        assert ends == [
            (-50, datetime.fromisoformat("2026-12-31T23:00:00Z")),
            (-60, datetime.fromisoformat("2027-01-07T23:00:00Z")),
        ]

    def test_late(self, days: Days, apply: Apply) -> None:
        """One run after long gives the same entries as one each night; what is announced too late starts no flow."""
        apply(expiry={"kind": "inactivity", "months": 2}, tiers=TIERS)
        days.tell(joined(ADA), joined(BO), bought(ADA, 1, "80"), bought(BO, 2, "700"))
        days.pass_to(day(200))

        assert [m.backfill for m in days.told("points_expiring")] == [True] * 4
        assert [m.backfill for m in days.told("points_expired")] == [False] * 2
        assert days.entries(BO)[-1] == ("expire", -750, datetime.fromisoformat("2026-12-31T23:00:00Z"))

    def test_in_between(self, days: Days, apply: Apply) -> None:
        """Whoever buys a minute after midnight has lost what ended at midnight, also when no job has been there yet."""
        apply(expiry={"kind": "age", "months": 2})
        days.tell(joined(ADA), bought(ADA, 1, "80"))
        days.tell(bought(ADA, 2, "5", minute=1), at=day(60, 23) + timedelta(minutes=1))

        assert [entry[:2] for entry in days.entries(ADA)] == [("earn", 80), ("expire", -80), ("earn", 5)]


TIERS = {
    "metric": "spent",
    "window": "rolling",
    "months": 2,
    "ladder": [
        {"key": "silver", "title": "Silver", "threshold": "100", "entry": {"reward": "gift"}},
        {"key": "gold", "title": "Gold", "threshold": "500", "multiplier": "2", "entry": {"points": 50}},
    ],
}


class TestTiers:
    def test_story(self, days: Days, apply: Apply) -> None:
        """An order lifts, gives what entering gives, and multiplies the next one; time lets fall. Every step is told."""
        apply(tiers=TIERS)
        days.tell(joined(ADA), bought(ADA, 1, "600"))
        row = member(days.engine, ADA)
        assert (row.tier, row.balance) == ("gold", 650)
        assert row.tier_until == datetime.fromisoformat("2026-12-31T23:00:00Z")
        assert (row.next_tier, row.next_tier_distance) == (None, None)
        days.pass_to(day(90))

        row = member(days.engine, ADA)
        assert (row.tier, row.tier_since) == (None, datetime.fromisoformat("2026-12-31T23:00:00Z"))
        assert (row.next_tier, str(row.next_tier_distance)) == ("silver", "100")
        assert [m.payload["direction"] for m in days.told("tier_changed")] == ["up", "down"]
        assert [(r.reward, r.slot) for r in issues(days)] == [("gift", "tier:silver")]

    def test_by_hand(self, days: Days, apply: Apply) -> None:
        """Staff give a tier until a day; afterwards what was reached holds again. It can be taken back sooner."""
        apply(tiers=TIERS)
        days.tell(joined(ADA), joined(BO))
        for who in (ADA, BO):
            with transaction(days.engine) as session:
                row = session.get_one(Member, member(days.engine, who).id)
                set_tier(session, days.shop, row, "gold", ends_at=day(30), staff="9", now=NOW)
        assert (member(days.engine, ADA).tier, member(days.engine, ADA).tier_until) == ("gold", day(30))
        with transaction(days.engine) as session:
            set_tier(
                session,
                days.shop,
                session.get_one(Member, member(days.engine, BO).id),
                None,
                staff="9",
                now=day(2),
            )
        days.pass_to(day(31))

        assert [member(days.engine, who).tier_since for who in (ADA, BO)] == [day(30), day(2)]
        assert {m.payload["reason"] for m in days.told("tier_changed") if m.payload["direction"] == "up"} == {
            "Manually changed tier"
        }

    def test_refused(self, days: Days, apply: Apply) -> None:
        """No tier that is not on the ladder, none that is over already."""
        apply(tiers=TIERS)
        days.tell(joined(ADA))
        with transaction(days.engine) as session:
            row = session.get_one(Member, member(days.engine, ADA).id)
            for tier, ends_at, code in (("lead", None, "unknown_tier"), ("gold", NOW, "ends_in_the_past")):
                with pytest.raises(TierRefused, match=code):
                    set_tier(session, days.shop, row, tier, ends_at=ends_at, staff="9", now=NOW)


class TestCelebrations:
    def test_birthday(self, days: Days, apply: Apply) -> None:
        """A birthday gives points and a reward, once; the reward is issued like any other."""
        apply(earn={"birthday": {"title": "Birthday", "points": 25, "reward": "gift", "blackout_days": 0}})
        days.tell(joined(ADA), BirthdayTold(ADA, 11, 9, NOW))
        days.pass_to(day(9), day(12))

        assert days.entries(ADA) == [("earn", 25, day(7, 23))]
        assert [(r.reward, r.slot, r.given_for, r.state) for r in issues(days)] == [
            ("gift", "birthday:2026", "birthday", "issuing")
        ]


class TestReminders:
    @pytest.mark.acceptance("S0-16", "S0-17")
    def test_weekly(self, days: Days, apply: Apply) -> None:
        """One reminder per member and week, on both databases, though the job runs many times; none after a purchase."""
        apply(balance_reminder={"every": "week", "minimum": 50, "hour": 9})
        days.tell(joined(ADA), joined(BO), bought(ADA, 1, "80"), bought(BO, 2, "20"))
        days.pass_to(*(day(8) + timedelta(hours=6 * number) for number in range(4 * 12)))
        fact = bought(ADA, 3, "10")
        placed = replace(fact.order, created_at=day(20, 12), updated_at=day(20, 12))
        days.tell(replace(fact, order=placed), at=day(20, 12))
        days.pass_to(day(30))

        reminders = days.told("balance_reminder")
        assert [(m.payload["period"], m.payload["points_balance"]) for m in reminders] == [
            ("2026-W46", 80), ("2026-W47", 80), ("2026-W49", 90),
        ]  # fmt: skip
        assert {m.occurred_at.hour for m in reminders} == {8}  # nine in Madrid

    def test_quiet_hours(self, days: Days, apply: Apply) -> None:
        """A reminder that comes late, in the middle of the night, waits for the morning; one that comes on time is sent at once."""
        apply(balance_reminder={"every": "week", "hour": 19, "quiet_until": 7})
        days.tell(joined(ADA), bought(ADA, 1, "80"))
        days.pass_to(day(8, 18), day(17, 1), day(22, 22))

        due = [m.due_at for m in days.told("balance_reminder")]
        assert due == [day(8, 18), day(17, 6), day(23, 6)]  # seven in Madrid


def redeem(days: Days, who: Identity, *, at: datetime) -> None:
    """Somebody takes $5 off, and Shopify makes the code."""
    with transaction(days.engine) as session:
        row = session.get_one(Member, member(days.engine, who).id)
        request = RewardRequested("five_off", f"key-{at}", f"issue-{who.customer_id}", at)
        request_reward(session, days.shop, row, request, now=at)
    days.tell(RewardIssued(f"issue-{who.customer_id}", "gid://1", at), at=at)


def issues(days: Days) -> list[RewardIssue]:
    """All rewards, the oldest first."""
    with Session(days.engine, expire_on_commit=False) as session:
        return list(
            session.exec(select(RewardIssue).order_by(col(RewardIssue.created_at), col(RewardIssue.id)))
        )


class TestRewards:
    def test_ends(self, days: Days, apply: Apply) -> None:
        """A reward is announced to end three days before, and ends; each is told once."""
        apply()
        days.tell(joined(ADA), bought(ADA, 1, "150"))
        redeem(days, ADA, at=NOW)
        days.pass_to(*(day(number) for number in range(1, 30)))

        assert [row.state for row in issues(days)] == ["expired"]
        told = [(m.kind, m.occurred_at) for m in days.told("reward_expiring", "reward_expired")]
        assert told == [("reward_expiring", day(17, 23)), ("reward_expired", day(20, 23))]


class TestGone:
    def test_erased(self, days: Days, apply: Apply) -> None:
        """Nothing happens any more to somebody who is gone."""
        apply(earn={"order": {"title": "Place an order", "rate": "1", "hold_days": 14}})
        days.tell(joined(ADA), bought(ADA, 1, "80"))
        with transaction(days.engine) as session:
            session.get_one(Member, member(days.engine, ADA).id).state = "redacted"
        days.pass_to(day(20))

        row = member(days.engine, ADA)
        assert (row.balance, row.calendar_due) == (0, None)


class TestRun:
    def test_batches(self, days: Days, apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
        """A turn that is over begins no other batch, and in the end everybody had theirs; the ledger holds."""
        apply(earn={"order": {"title": "Place an order", "rate": "1", "hold_days": 14}})
        days.tell(
            *(joined(who) for who in (ADA, BO, CY)),
            *(bought(who, n, "80") for n, who in enumerate((ADA, BO, CY))),
        )
        monkeypatch.setattr(running, "BATCH", 2)
        assert days.pass_to(day(20), day(20), day(20), seconds=0) == [2, 1, 0]

        assert {member(days.engine, who).balance for who in (ADA, BO, CY)} == {80}
        with Session(days.engine) as session:
            assert list(verify(session, days.shop.id)) == []

    def test_two_at_once(
        self, days: Days, apply: Apply, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two runs at the same time do nothing twice, and neither fails."""
        apply(earn={"order": {"title": "Place an order", "rate": "1", "hold_days": 14}}, tiers=TIERS)
        people = [Identity(7100 + number, f"shopper{number}@fernandfig.shop") for number in range(12)]
        days.tell(
            *(joined(who) for who in people), *(bought(who, n, "600") for n, who in enumerate(people, 1))
        )
        monkeypatch.setattr(running, "BATCH", 3)
        with ThreadPoolExecutor(2) as pool:
            runs_done = list(pool.map(lambda _: days.pass_to(day(90)), range(2)))

        assert sum(map(sum, runs_done)) >= len(people)
        for who in people:
            assert [entry[:2] for entry in days.entries(who)] == [("earn", 50), ("earn", 600)]
        with Session(engine) as session:
            assert list(verify(session, days.shop.id)) == []

    def test_poison(
        self, days: Days, apply: Apply, runtime: Runtime, hands: Hands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A member with whom something is wrong is named and holds up nobody else, however short the turns are, neither in the night nor in a run."""
        apply(earn={"order": {"title": "Place an order", "rate": "1", "hold_days": 14}})
        days.tell(
            *(joined(who) for who in (ADA, BO, CY)),
            *(bought(who, n, "80") for n, who in enumerate((ADA, BO, CY))),
        )
        hands.now = day(20)
        poisoned = member(days.engine, BO).id
        with transaction(days.engine) as session:
            # Half a birthday: nothing of ours writes that, and no code can make sense of it.
            row = session.get_one(Member, poisoned)
            row.birthday_told_at, row.birthday_month, row.birthday_day = NOW, 13, 1
            earn = {
                "birthday": {"title": "Birthday", "points": 5},
                "order": {"title": "Place an order", "rate": "1"},
            }
        run_id = apply(at=day(19), earn=earn)
        monkeypatch.setattr(running, "BATCH", 1)
        turns = [calendar.run(runtime, days.shop.id or 0, at=day(20), seconds=0) for _ in range(3)]
        assert [(ran.settled, ran.more) for ran in turns] == [(1, True), (1, True), (0, False)]
        assert turns[-1].troubled == (poisoned,)
        monkeypatch.setattr(running, "MOST_TROUBLED", 1)
        given_up = calendar.run(runtime, days.shop.id or 0, at=day(20), seconds=0)
        assert (given_up.settled, given_up.more, given_up.troubled) == (0, False, (poisoned,))
        assert [member(days.engine, who).balance for who in (ADA, BO, CY)] == [80, 0, 80]

        assert runs.advance(runtime, run_id, calendar.refresh_step) is None
        with Session(days.engine) as session:
            run = session.get_one(Run, run_id)
            assert (run.state, run.done, run.failed) == ("done", 2, 1)

    def test_due_shops(self, days: Days, apply: Apply) -> None:
        """Only shops with something due are rung for, and none that removed the app."""
        apply(earn={"order": {"title": "Place an order", "rate": "1", "hold_days": 14}})
        days.tell(joined(ADA), bought(ADA, 1, "80"))
        with Session(days.engine) as session:
            assert calendar.shops_with_due(session, now=day(14)) == []
            assert calendar.shops_with_due(session, now=day(15)) == [days.shop.id]
        with transaction(days.engine) as session:
            session.get_one(Shop, days.shop.id).uninstalled_at = NOW
        with Session(days.engine) as session:
            assert calendar.shops_with_due(session, now=day(15)) == []


class TestSplit:
    def test_ninety_days(self, days: Days, apply: Apply, shop: Shop) -> None:
        """One run over ninety days writes what ninety nightly ones write: entries, tiers, rewards and news, to the instant."""
        said = {
            "earn": {
                "order": {"title": "Place an order", "rate": "1", "hold_days": 5},
                "birthday": {"title": "Birthday", "points": 25, "reward": "gift", "blackout_days": 0},
            },
            "tiers": TIERS,
            "expiry": {"kind": "age", "months": 2, "warning_days": 20},
            "balance_reminder": {"every": "month", "minimum": 10},
        }
        with transaction(days.engine) as session:
            other = Shop(domain="other.myshopify.com", first_installed_at=INSTALLED, installed_at=INSTALLED)
            session.add(other)
            session.flush()
            programs.apply(session, other.id or 0, DOCUMENT | said, author="test", now=INSTALLED)
        apply(**said)
        nightly = Days(days.engine, other)
        for each in (days, nightly):
            each.tell(joined(ADA), bought(ADA, 1, "600"), BirthdayTold(ADA, 12, 24, NOW))
        days.pass_to(day(90))
        nightly.pass_to(*(day(number) for number in range(1, 91)))

        def lived(shop_id: int | None) -> list[object]:
            with Session(days.engine) as session:
                rows = session.exec(select(LedgerEntry).where(LedgerEntry.shop_id == shop_id)).all()
                person = session.exec(select(Member).where(Member.shop_id == shop_id)).one()
                rewards = session.exec(select(RewardIssue).where(RewardIssue.shop_id == shop_id)).all()
                return [
                    sorted((r.occurred_at, r.kind, r.points, r.rule, r.position) for r in rows),
                    (person.balance, person.tier, person.tier_since, person.expires_at),
                    (person.calendar_due, person.next_tier, person.pending),
                    sorted((r.slot, r.created_at, r.expires_at) for r in rewards),
                ]

        once, often = lived(shop.id), lived(other.id)
        assert once == often
        kinds = [entry[1] for entry in once[0]]  # type: ignore[index]
        assert kinds.count("earn") >= 3
        assert "expire" in kinds


class TestRefresh:
    def test_new_ladder(self, days: Days, apply: Apply, runtime: Runtime, hands: Hands) -> None:
        """A new ladder reaches everybody by a run that can be watched; doing it again moves nobody."""
        apply()
        days.tell(joined(ADA), joined(BO), bought(ADA, 1, "600"), bought(BO, 2, "50"))
        hands.now = day(2)
        run_id = apply(at=day(2), tiers=TIERS)
        assert runs.advance(runtime, run_id, calendar.refresh_step) is None

        assert [member(days.engine, who).tier for who in (ADA, BO)] == ["gold", None]
        assert member(days.engine, BO).next_tier == "silver"
        with Session(days.engine) as session:
            run = session.get_one(Run, run_id)
            assert (run.state, run.done, run.total) == ("done", 2, 2)
        assert len(days.told("tier_changed")) == 1

    def test_changed_since(self, days: Days, apply: Apply, runtime: Runtime, hands: Hands) -> None:
        """Whoever did something between the new version and the run is moved by the merchant's change all the same: as history."""
        apply()
        days.tell(joined(ADA), bought(ADA, 1, "600"))
        run_id = apply(at=day(2), tiers=TIERS)
        with transaction(days.engine) as session:
            row = session.exec(select(Member).where(Member.shopify_customer_id == ADA.customer_id)).one()
            adjust(session, days.shop, row, PointsAdjusted(5, "a", "", "staff:1", day(2, 1)), now=day(2, 1))
        assert member(days.engine, ADA).tier is None
        hands.now = day(2, 2)
        runs.advance(runtime, run_id, calendar.refresh_step)

        assert member(days.engine, ADA).tier == "gold"
        assert [message.backfill for message in days.told("tier_changed")] == [True]

    def test_expiry_begins(self, days: Days, apply: Apply, runtime: Runtime, hands: Hands) -> None:
        """When points begin to expire, everybody gets a date, and nobody's comes before the warnings."""
        apply()
        days.tell(joined(ADA), bought(ADA, 1, "600"))
        hands.now = day(400)
        run_id = apply(at=day(400), expiry={"kind": "inactivity", "months": 2})
        runs.advance(runtime, run_id, calendar.refresh_step)
        assert member(days.engine, ADA).expires_at == day(430, 23)
        days.pass_to(*(day(number) for number in range(400, 440)))

        assert [m.payload["which"] for m in days.told("points_expiring")] == ["warning", "last_chance"]
        assert days.entries(ADA)[-1] == ("expire", -600, day(430, 23))

    def test_changed_meanwhile(self, days: Days, apply: Apply, runtime: Runtime, hands: Hands) -> None:
        """When the program changes again before the run is through, it begins anew with the newest version."""
        apply()
        days.tell(joined(ADA), bought(ADA, 1, "600"))
        run_id = apply(at=NOW, tiers=TIERS)
        with transaction(days.engine) as session:
            session.get_one(Run, run_id).cursor = {"version": 1, "after": 10**9}
        assert apply(at=NOW, tiers=TIERS | {"metric": "orders"}) == run_id
        runs.advance(runtime, run_id, calendar.refresh_step)

        assert (member(days.engine, ADA).tier, member(days.engine, ADA).next_tier) == (None, "silver")

    def test_changed_at_the_end(self, days: Days, apply: Apply, runtime: Runtime, monkeypatch) -> None:
        """A program that changes during the last step is not forgotten: it found the run open and relies on it."""
        apply()
        days.tell(joined(ADA), bought(ADA, 1, "600"))
        run_id = apply(at=NOW, tiers=TIERS)
        settle, changes = refreshing.settle_carefully, [TIERS | {"metric": "orders"}]

        def settled(*args: Any, **options: Any) -> object:
            told = settle(*args, **options)
            while changes:
                assert apply(at=NOW, tiers=changes.pop()) == run_id
            return told

        monkeypatch.setattr(refreshing, "settle_carefully", settled)
        assert runs.advance(runtime, run_id, calendar.refresh_step) is None
        assert (member(days.engine, ADA).tier, member(days.engine, ADA).next_tier) == (None, "silver")

    def test_back(self, days: Days, apply: Apply, runtime: Runtime, hands: Hands) -> None:
        """After a time without the app nothing ends unannounced: tiers and rewards are as they are now, points wait for their warnings."""
        apply(expiry={"kind": "inactivity", "months": 2}, tiers=TIERS)
        days.tell(joined(ADA), bought(ADA, 1, "600"))
        redeem(days, ADA, at=NOW)
        hands.now = day(200, 12)
        with transaction(days.engine) as session:
            run_id = calendar.resume(session, days.shop.id or 0, now=hands.now).id or 0
        runs.advance(runtime, run_id, calendar.refresh_step)

        row = member(days.engine, ADA)
        assert (row.balance, row.tier, row.expires_at) == (550, None, day(230, 22))
        assert {(issue.reward, issue.state) for issue in issues(days)} == {
            ("five_off", "expired"),
            ("gift", "issuing"),
        }
        days.pass_to(*(day(number) for number in range(201, 235)))
        assert [m.payload["which"] for m in days.told("points_expiring")] == ["warning", "last_chance"]
        assert member(days.engine, ADA).balance == 0

    def test_nothing_to_do(self, apply: Apply) -> None:
        """A version that changes nothing about time starts no run."""
        apply()
        assert apply(earn={"order": {"title": "Buy", "rate": "2"}}) == 0
