"""The report of what a shop owes says what the ledger says: line by line, on both databases, in any time zone."""

import csv
import io
import itertools
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, update
from sqlmodel import col

from loyalty import liability, programs
from loyalty.book import Book
from loyalty.core import ledger
from loyalty.core.breakage import LEAST_MEMBERS, Evidence
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import CustomerDeleted, CustomersMerged, Fact
from loyalty.core.ledger import Entry, Source
from loyalty.database import reading, transaction
from loyalty.liability import COLUMNS
from loyalty.models import LedgerEntry, Member, Shop
from loyalty.points import absorb
from tests.integration.loyalty.story import ADA, BO, bought, joined
from tests.integration.loyalty.story import NOW as STORY

FEW = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ZONES = ["UTC", "Europe/Madrid", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]
# The clocks change within: in Madrid on March 29 and October 25, elsewhere on other days.
FIRST, LAST = date(2026, 2, 1), date(2026, 11, 30)
NOW = datetime(2026, 12, 20, 12, tzinfo=UTC)
_numbers = itertools.count(1)


def _shop(engine: Engine, zone: str = "UTC", **said: object) -> Shop:
    with transaction(engine) as session:
        shop = Shop(
            domain=f"owes-{next(_numbers)}.myshopify.com",
            timezone=zone,
            first_installed_at=datetime(2026, 1, 1, tzinfo=UTC),
            installed_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        session.add(shop)
        session.flush()
        assert shop.id is not None
        programs.apply(session, shop.id, DEFAULT_DOCUMENT | said, author="test", now=shop.installed_at)
    return shop


def _post(engine: Engine, shop: Shop, movements: list[tuple[int, str, int, datetime]]) -> None:
    """Put movements on the books of some members: (member, kind, points, when)."""
    with transaction(engine) as session:
        book = Book(session, shop, now=NOW)
        for number in sorted({one[0] for one in movements}):
            book.open_account(None, f"m{number}@fernandfig.shop")
        book.ensure_ids()
        for place, (number, kind, points, at) in enumerate(movements):
            account = book.by_email(f"m{number}@fernandfig.shop")
            assert account is not None
            entry = Entry(kind, points, Source("test", str(place)), "test", 0, 1, "A test", {}, at)
            book.post(account, (entry,), ())
        book.write()


def _leave(engine: Engine, shop: Shop, gone: dict[int, datetime]) -> None:
    """Members go: (member, when)."""
    with transaction(engine) as session:
        for number, at in gone.items():
            mine = (col(Member.shop_id) == shop.id, col(Member.email) == f"m{number}@fernandfig.shop")
            session.execute(update(Member).where(*mine).values(gone_at=at))


def _first(at: datetime, zone: str, unit: str) -> date:
    """The first day of the period in which a moment lies."""
    day = at.astimezone(ZoneInfo(zone)).date()
    return day if unit == "day" else day.replace(day=1)


def _report(engine: Engine, shop: Shop, first: date, last: date, unit: str) -> liability.Liability:
    with reading(engine) as session:
        return liability.liability(session, shop, first=first, last=last, unit=unit, now=NOW)


def _at(month: int, day: int, hour: int) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def _instants() -> st.SearchStrategy[datetime]:
    """Moments around the report's days, often next to a midnight or a change of the clocks."""
    near = st.sampled_from([_at(3, 29, 1), _at(10, 25, 1), _at(4, 4, 15)])
    by = st.integers(-1500, 1500).map(lambda number: timedelta(minutes=number))
    seconds = st.integers(0, 351 * 86_400).map(lambda number: _at(1, 2, 0) + timedelta(seconds=number))
    return st.builds(lambda at, minutes: at + minutes, near, by) | seconds


class TestLines:
    @FEW
    @given(data=st.data())
    def test_equal_the_ledger(self, engine: Engine, data: st.DataObject) -> None:
        """Each column of each day and month is the sum of the ledger's entries of that day of the shop, folded one by one."""
        zone = data.draw(st.sampled_from(ZONES))
        shop = _shop(engine, zone)
        points = st.integers(-900, 900).filter(bool)
        one = st.tuples(st.integers(1, 4), st.sampled_from(ledger.KINDS), points, _instants())
        movements = data.draw(st.lists(one, max_size=40))
        gone = data.draw(st.dictionaries(st.integers(1, 4), _instants(), max_size=3))
        _post(engine, shop, movements)
        _leave(engine, shop, gone)
        for unit in liability.UNITS:
            found = _report(engine, shop, FIRST, LAST, unit)
            expected: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
            for member, kind, number, at in movements:
                expected[_first(at, zone, unit)][kind] += number
                if member in gone:
                    expected[_first(max(at, gone[member]), zone, unit)]["released"] -= number
            outstanding = sum(
                number for day, kinds in expected.items() if day < FIRST for number in kinds.values()
            )
            for line in found.lines:
                here = expected[line.period.first]
                outstanding += sum(here.values())
                assert line.moved == {name: sign * here[kind] for name, (kind, sign) in COLUMNS.items()}
                assert line.released == -here["released"]
                assert line.change == sum(here.values())
                assert line.outstanding == outstanding
            days = (LAST - FIRST).days + 1
            assert len(found.lines) == (days if unit == "day" else 10)
            assert found.outstanding == sum(one[2] for one in movements if one[0] not in gone)

    def test_end_at_the_balances(self, engine: Engine) -> None:
        """Up to today the last line is what all members have: the ledger's sum, and that of the balances."""
        shop = _shop(engine)
        _post(engine, shop, [(1, ledger.EARN, 300, NOW - timedelta(days=40)), (2, ledger.REDEEM, -100, NOW)])
        found = _report(engine, shop, date(2026, 12, 1), NOW.date(), "day")
        with reading(engine) as session:
            entries = session.execute(
                select(func.sum(LedgerEntry.points)).where(col(LedgerEntry.shop_id) == shop.id)
            ).scalar_one()
            balances = session.execute(
                select(func.sum(Member.balance)).where(col(Member.shop_id) == shop.id)
            ).scalar_one()
        assert found.lines[-1].outstanding == found.outstanding == entries == balances == 200

    def test_pending(self, engine: Engine) -> None:
        """Points on hold are pending from the day of the order until they are released, and never outstanding before."""
        document = {"earn": {"order": {"title": "Order", "rate": "1", "hold_days": 14}}}
        shop = _shop(engine, "UTC", **document)
        at = datetime(2026, 11, 1, 12, tzinfo=UTC)
        with transaction(engine) as session:
            absorb(session, shop, [joined(ADA), bought(ADA, 1, "80")], now=at)
        found = _report(engine, shop, date(2026, 10, 30), date(2026, 11, 20), "day")
        pending = {line.period.first.isoformat(): line.pending for line in found.lines}
        assert [pending[day] for day in ("2026-10-31", "2026-11-01", "2026-11-14")] == [0, 80, 80]
        # Released at the midnight with which November 16 begins, and so still pending when the 15th ends a moment earlier.
        assert [pending[day] for day in ("2026-11-15", "2026-11-16")] == [80, 0]
        later = _report(engine, shop, date(2026, 11, 5), date(2026, 11, 6), "day")
        assert [line.pending for line in later.lines] == [80, 80]
        with reading(engine) as session:
            held = session.execute(select(func.sum(Member.pending)).where(col(Member.shop_id) == shop.id))
            assert held.scalar_one() == 80

    def test_still_pending(self, engine: Engine) -> None:
        """In the month that is not over, what is released later in it is still on hold."""
        document = {"earn": {"order": {"title": "Order", "rate": "1", "hold_days": 14}}}
        shop = _shop(engine, "UTC", **document)
        at = datetime(2026, 11, 1, 12, tzinfo=UTC)
        with transaction(engine) as session:
            absorb(session, shop, [joined(ADA), bought(ADA, 1, "80")], now=at)
        with reading(engine) as session:
            found = liability.liability(
                session, shop, first=date(2026, 10, 1), last=at.date(), unit="month", now=at
            )
        assert [line.pending for line in found.lines] == [0, 80]
        assert found.pending == 80

    def test_too_long(self, engine: Engine) -> None:
        """More lines than anybody reads are refused, not begun."""
        shop = _shop(engine)
        with pytest.raises(liability.TooLong):
            _report(engine, shop, date(2020, 1, 1), date(2026, 1, 1), "day")
        assert len(_report(engine, shop, date(2020, 1, 1), date(2026, 1, 1), "month").lines) == 73

    def test_csv(self, engine: Engine) -> None:
        """The file has the lines of the report."""
        shop = _shop(engine)
        _post(engine, shop, [(1, ledger.EARN, 300, NOW), (1, ledger.EXPIRE, -50, NOW)])
        found = _report(engine, shop, date(2026, 11, 1), NOW.date(), "month")
        rows = list(csv.DictReader(io.StringIO("".join(liability.csv_lines(found)))))
        assert [row["month"] for row in rows] == ["2026-11", "2026-12"]
        assert (rows[1]["earned"], rows[1]["expired"], rows[1]["outstanding"]) == ("300", "50", "250")
        assert rows[1]["outstanding_worth"] == "2.50"


class TestGone:
    """What is owed to somebody who is gone is owed to nobody."""

    def _day(self, engine: Engine, shop: Shop, day: datetime) -> liability.Line:
        return _report(engine, shop, day.date(), day.date(), "day").lines[0]

    def _tell(self, engine: Engine, shop: Shop, at: datetime, *facts: Fact) -> None:
        with transaction(engine) as session:
            absorb(session, shop, facts, now=at)

    def test_deleted(self, engine: Engine) -> None:
        """With the customer the debt goes, on that day and not before; what a refund takes back later was not owed any more."""
        shop = _shop(engine, earn={"order": {"title": "Order", "rate": "1"}})
        bought_at, gone_at, refunded_at = (NOW - timedelta(days=days) for days in (30, 20, 10))
        self._tell(engine, shop, bought_at, joined(ADA), joined(BO), bought(ADA, 1, "80"), bought(BO, 2, "7"))
        self._tell(engine, shop, gone_at, CustomerDeleted(ADA.customer_id or 0))
        self._tell(engine, shop, gone_at + timedelta(days=1), CustomerDeleted(ADA.customer_id or 0))
        minutes = int((refunded_at - STORY).total_seconds() // 60)
        self._tell(engine, shop, refunded_at, bought(ADA, 1, "80", refunded="30", minute=minutes))

        before, on_the_day, later = (self._day(engine, shop, at) for at in (bought_at, gone_at, refunded_at))
        assert self._day(engine, shop, gone_at - timedelta(days=1)).outstanding == 87
        assert (before.released, on_the_day.released, on_the_day.outstanding) == (0, 80, 7)
        assert (later.moved["reversed"], later.released, later.change, later.outstanding) == (30, -30, 0, 7)
        found = _report(engine, shop, NOW.date(), NOW.date(), "day")
        assert (found.outstanding, found.to_json()["outstanding"]) == (7, 7)
        with reading(engine) as session:
            entries = select(func.sum(LedgerEntry.points)).where(col(LedgerEntry.shop_id) == shop.id)
            assert session.execute(entries).scalar_one() == 57  # the ledger is as it was

    def test_merged_afterwards(self, engine: Engine) -> None:
        """A customer whose deletion came before the news that it had become a part of another one: the points are owed to that one."""
        shop = _shop(engine, earn={"order": {"title": "Order", "rate": "1"}})
        gone_at, merged_at = NOW - timedelta(days=20), NOW - timedelta(days=19)
        self._tell(engine, shop, gone_at - timedelta(days=5), joined(ADA), joined(BO), bought(ADA, 1, "80"))
        self._tell(engine, shop, gone_at, CustomerDeleted(ADA.customer_id or 0))
        merge = CustomersMerged(BO.customer_id or 0, ADA.customer_id or 0, merged_at)
        self._tell(engine, shop, merged_at, merge)
        assert self._day(engine, shop, gone_at).outstanding == 0
        day = self._day(engine, shop, merged_at)
        assert (day.moved["transferred"], day.released, day.outstanding) == (0, -80, 80)

    def test_not_breakage_twice(self, engine: Engine) -> None:
        """Whoever is gone is no evidence of what those who are there will do."""
        shop = _shop(engine)
        _post(engine, shop, [(one, ledger.EARN, 5000, NOW - timedelta(days=500)) for one in (1, 2)])
        _leave(engine, shop, {1: NOW})
        found = _report(engine, shop, NOW.date(), NOW.date(), "day")
        assert (found.outstanding, found.evidence.given) == (5000, 5000)


class TestWorth:
    def test_of_the_program(self, engine: Engine) -> None:
        """The program's own value counts."""
        shop = _shop(engine, point_value="0.03")
        _post(engine, shop, [(1, ledger.EARN, 100, NOW)])
        told = _report(engine, shop, NOW.date(), NOW.date(), "day").to_json()
        assert (told["outstanding_worth"], told["point_worth_from"]) == (Decimal("3.00"), "program")

    def test_of_the_cheapest_reward(self, engine: Engine) -> None:
        """Without one, what the cheapest reward of money gives, and the report names it."""
        shop = _shop(engine)
        _post(engine, shop, [(1, ledger.EARN, 100, NOW)])
        told = _report(engine, shop, NOW.date(), NOW.date(), "day").to_json()
        assert (told["outstanding_worth"], told["point_worth_from"]) == (Decimal("1.00"), "five_off")

    def test_of_nothing(self, engine: Engine) -> None:
        """Where no reward is money, nothing is made up."""
        shop = _shop(engine, rewards=[])
        told = _report(engine, shop, NOW.date(), NOW.date(), "day").to_json()
        assert (told["outstanding_worth"], told["point_worth_from"]) == (None, None)


class TestBreakage:
    def test_not_enough_history(self, engine: Engine) -> None:
        """A young shop is told so, and how much there is to judge by."""
        shop = _shop(engine)
        _post(engine, shop, [(1, ledger.EARN, 5000, NOW - timedelta(days=500))])
        found = _report(engine, shop, NOW.date(), NOW.date(), "day")
        assert found.breakage is None
        evidence = found.to_json()["breakage_evidence"]
        assert (evidence["mature_points"], evidence["members_with_mature_points"]) == (5000, 1)

    def test_from_the_books(self, engine: Engine) -> None:
        """Of points that are old enough, what expired is the least and what was never spent the most; of each member half was spent."""
        shop = _shop(engine)
        old = NOW - timedelta(days=700)
        movements = []
        for number in range(1, LEAST_MEMBERS + 1):
            movements += [
                (number, ledger.EARN, 100, old),
                (number, ledger.REDEEM, -50, old + timedelta(days=10)),
                (number, ledger.EXPIRE, -10, old + timedelta(days=400)),
            ]
        # Half of the members are still there: what they have may yet be spent.
        movements += [(number, ledger.EARN, 1, NOW) for number in range(1, LEAST_MEMBERS // 2 + 1)]
        _post(engine, shop, movements)
        found = _report(engine, shop, NOW.date(), NOW.date(), "day")
        assert found.breakage is not None
        assert found.breakage.low < found.breakage.base < found.breakage.high
        old_points, new_points, given = 40 * LEAST_MEMBERS, LEAST_MEMBERS // 2, 100 * LEAST_MEMBERS
        # What is left of the old lots has outlived all spending: of 50 unspent points 10 expired. Of fresh points nobody knows more than
        # that of 100 given 10 expired.
        expected = (Decimal(old_points) * 10 / 50 + Decimal(new_points) * 10 * LEAST_MEMBERS / given) / (
            old_points + new_points
        )
        assert float(found.breakage.low) == pytest.approx(float(expected))

    def test_returned_and_reversed(self) -> None:
        """What was refunded was never given, and a reward that was taken back was never spent."""
        at = NOW - timedelta(days=600)
        entry = Entry(ledger.EARN, 100, Source("order", "1"), "order", 0, 1, "Order", {}, at)
        back = replace(entry, kind=ledger.REVERSE, points=-40, sequence=1, occurred_at=at + timedelta(days=3))
        spent = Entry(
            ledger.REDEEM, -30, Source("reward", "r"), "r", 0, 1, "Reward", {}, at + timedelta(days=5)
        )
        returned = replace(
            spent, kind=ledger.RETURN, points=30, sequence=1, occurred_at=at + timedelta(days=6)
        )
        evidence = Evidence(NOW)
        evidence.add([entry, back, spent, returned])
        assert (evidence.given, evidence.left, evidence.expired) == (60, 60, 0)
        assert sum(evidence.spent_at_age.values()) == 0
