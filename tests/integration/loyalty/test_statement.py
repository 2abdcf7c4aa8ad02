"""What pages read, on both databases."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, event
from sqlmodel import Session, col, select

from loyalty import outbox
from loyalty.database import reading, transaction
from loyalty.models import LedgerEntry, Member, OutboxMessage
from loyalty.statement import events, home, members, messages, reviews, runs
from loyalty.statement.events import EventFilter
from loyalty.statement.formats import Formats
from loyalty.statement.keyset import Cursor, Page, parse_cursor
from tests.shop_story import Story, tell_story

NOW = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
FORMATS = Formats("USD", "America/New_York")


@pytest.fixture
def story(engine: Engine) -> Story:
    """A shop after a month of life."""
    with transaction(engine) as session:
        return tell_story(session, now=NOW)


@pytest.fixture
def session(engine: Engine, story: Story) -> Iterator[Session]:
    """A session that only reads."""
    with reading(engine) as session:
        yield session


class TestFigures:
    def test_add_up(self, session: Session, story: Story) -> None:
        """The figures are those of the ledger: earned, taken back and spent on each day of the shop's own calendar."""
        figures = home.figures(session, story.shop_id, FORMATS, now=NOW)
        since = FORMATS.start_of_day(FORMATS.today(NOW) - timedelta(days=29))
        entries = session.exec(select(LedgerEntry).where(col(LedgerEntry.occurred_at) >= since)).all()

        assert figures.earned == sum(entry.points for entry in entries if entry.kind == "earn")
        assert (figures.taken_back, figures.spent, figures.rewards) == (38, 500, 1)
        assert figures.outstanding == sum(session.exec(select(Member.balance)).all())
        assert figures.worth == figures.outstanding * Decimal("5.00") / 500

    def test_days(self, session: Session, story: Story) -> None:
        """Thirty days without a gap; what happened late in the evening in the shop belongs to that evening."""
        days = home.figures(session, story.shop_id, FORMATS, now=NOW).days
        by_day: dict[date, int] = {}
        for entry in session.exec(select(LedgerEntry).where(LedgerEntry.kind == "earn")):
            local = entry.occurred_at.astimezone(FORMATS.zone).date()
            by_day[local] = by_day.get(local, 0) + entry.points

        assert [day.day for day in days] == [date(2026, 10, 24) + timedelta(days=n) for n in range(30)]
        assert [day.earned for day in days] == [by_day.get(day.day, 0) for day in days]


class TestMembers:
    @pytest.mark.parametrize("sort", ["newest", "balance"])
    def test_pages(self, session: Session, story: Story, sort: members.Sort) -> None:
        """Going down and up again shows every member once, in order, whatever the order."""

        def read(cursor: Cursor | None) -> Page[members.MemberRow]:
            return members.members_page(session, story.shop_id, sort=sort, cursor=cursor, limit=3)

        down = [read(None)]
        while down[-1].older:
            down.append(read(down[-1].older))
        up = [down[-1]]
        while up[-1].newer:
            up.append(read(up[-1].newer))

        rows = [row for page in down for row in page.rows]
        assert sorted(row.id for row in rows) == list(story.member_ids)
        key = (lambda row: (-row.balance, -row.id)) if sort == "balance" else (lambda row: (-row.id, 0))
        assert rows == sorted(rows, key=key)
        assert [row.id for page in reversed(up) for row in page.rows] == [row.id for row in rows]

    @pytest.mark.parametrize("search", ["HEDY", "lam", "hedy LAM", "person5", "7006"])
    def test_search(self, session: Session, story: Story, search: str) -> None:
        """By any beginning, in either case, on both databases."""
        found = members.members_page(session, story.shop_id, search=search)

        assert [row.name for row in found.rows] == ["Hedy Lamarr"]

    def test_ledger(self, session: Session, story: Story) -> None:
        """A member's movements add up to the balance, over all pages."""
        member_id = story.member_ids[0]
        page = members.entries_page(session, member_id, limit=3)
        points = [entry.points for entry in page.rows]
        while page.older:
            page = members.entries_page(session, member_id, cursor=page.older, limit=3)
            points += [entry.points for entry in page.rows]
        found = members.member(session, story.shop_id, member_id)

        assert found is not None
        assert sum(points) == found.balance


class TestLog:
    def ids(self, session: Session, story: Story, wanted: EventFilter, *, stretch: int) -> list[int]:
        """The ids that all pages together show."""
        found: list[int] = []
        cursor = None
        for _ in range(200):
            shown = events.events_page(
                session, story.shop_id, outbox.KLAVIYO, wanted, cursor=cursor, limit=4, stretch=stretch
            )
            found += [row.message.id for row in shown.page.rows if row.message.id is not None]
            cursor = shown.page.older
            if cursor is None:
                return found
        raise AssertionError("the pages do not end")

    def expected(self, session: Session, **values: object) -> list[int]:
        statement = select(OutboxMessage.id).where(OutboxMessage.channel == "klaviyo")
        for name, value in values.items():
            statement = statement.where(getattr(OutboxMessage, name) == value)
        return [
            found
            for found in session.exec(statement.order_by(col(OutboxMessage.id).desc()))
            if found is not None
        ]

    @pytest.mark.parametrize("stretch", [1, 7, 50_000])
    def test_bounded(self, session: Session, story: Story, stretch: int) -> None:
        """However short the stretch that a page looks at, going on finds everything once."""
        assert self.ids(session, story, EventFilter(), stretch=stretch) == self.expected(session)
        joined = self.expected(session, kind="joined_program")
        assert self.ids(session, story, EventFilter(kind="joined_program"), stretch=stretch) == joined
        none = EventFilter(kind="joined_program", state="due")
        assert self.ids(session, story, none, stretch=stretch) == []

    def test_says_how_far(self, session: Session, story: Story) -> None:
        """A page that stops before the log ends says how far back it looked."""
        shown = events.events_page(session, story.shop_id, "klaviyo", EventFilter(state="due"), stretch=5)

        assert len(shown.page.rows) == 1
        assert shown.page.older is not None
        assert shown.looked_back_to is not None

    def test_dates(self, session: Session, story: Story) -> None:
        """Between two instants, the first included and the second not, however the ids lie."""
        since, until = NOW - timedelta(days=20), NOW - timedelta(days=10)
        expected = [
            message.id
            for message in session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id).desc()))
            if message.channel == "klaviyo" and since <= message.created_at < until
        ]

        assert expected
        assert self.ids(session, story, EventFilter(since=since, until=until), stretch=50_000) == expected

    def test_trouble(self, session: Session, story: Story) -> None:
        """What was refused or parked is found at once, and what waits tells how long."""
        assert events.troubled(session, story.shop_id, "klaviyo", limit=10) == (story.refused_id,)
        assert events.event(session, story.shop_id, "shopify", story.refused_id) is None
        assert events.event(session, story.shop_id + 1, "klaviyo", story.refused_id) is None
        oldest = events.oldest_waiting(session, story.shop_id, "klaviyo")
        assert oldest is not None
        assert oldest < NOW


class TestTheRest:
    def test_few_statements(self, engine: Engine, session: Session, story: Story) -> None:
        """A page of the log takes a handful of statements, not one for each row."""
        seen: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        events.events_page(session, story.shop_id, "klaviyo", EventFilter(kind="points_earned"))
        reviews.reviews_page(session, story.shop_id)

        assert len(seen) <= 6

    def test_parked(self, session: Session, story: Story) -> None:
        """Messages that were put aside, with their reason and without their body."""
        (parked,) = messages.parked(session, story.domain)

        assert (parked.id, parked.topic, parked.error) == (
            story.parked_id,
            "orders/updated",
            "field id is missing",
        )

    def test_runs(self, session: Session, story: Story) -> None:
        """The open runs, and the words for a run of each state."""
        (run,) = runs.open_runs(session, story.shop_id, now=NOW)

        assert run.fraction == pytest.approx(0.42003)
        assert runs.describe(run, FORMATS).percent == 42
        assert [view.kind for view in runs.latest(session, story.shop_id, ["customer_import"], now=NOW)] == [
            "customer_import"
        ]


class TestCursor:
    @pytest.mark.parametrize(
        "text", [None, "", "older", "older~", "older~x", "sideways~1", "older~1~2", f"older~{2**70}"]
    )
    def test_rubbish(self, text: str | None) -> None:
        """What is not a cursor is the first page."""
        assert parse_cursor(text, size=1) is None

    def test_round_trip(self) -> None:
        """A cursor comes back from an address as it was."""
        for cursor in (Cursor((5,)), Cursor((-7, 9), older=False)):
            assert parse_cursor(str(cursor), size=len(cursor.key)) == cursor
