"""Members and tiers for the tests of what time brings."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from loyalty.core.calendar import Era, settle, take
from loyalty.core.decide import Decision
from loyalty.core.ledger import EARN, Entry, Source
from loyalty.core.news import News
from loyalty.core.outlook import outlook
from loyalty.core.program import Gift, Program, Tier, Tiers
from loyalty.core.standing import Award, OrderCredit, Standing

MADRID = ZoneInfo("Europe/Madrid")
SILVER = Tier("silver", "Silver", Decimal(100))
GOLD = Tier("gold", "Gold", Decimal(500), entry=Gift(points=50))
LADDER = (SILVER, GOLD)
STAFF = Source("staff", "s")


def utc(year: int, month: int, day: int, hour: int = 0) -> datetime:
    """An instant."""
    return datetime(year, month, day, hour, tzinfo=UTC)


def ladder(**said: object) -> Tiers:
    """Silver from 100 and gold from 500, of money spent, unless it is said otherwise."""
    return Tiers(**({"ladder": LADDER} | said))


def award(
    points: int, at: datetime, ref: str = "1", *, release_at: datetime | None = None, **said: object
) -> Award:
    """Points for something; posted, unless they wait for their release."""
    waits = release_at is not None
    values = {
        "posted": 0 if waits else points,
        "postings": 0 if waits else 1,
        "way": "order",
        "rule": "order",
    }
    return Award(
        source=Source("order", ref), title="Place an order", worth=points, occurred_at=at, program_version=1,
        release_at=release_at, **(values | said),
    )  # fmt: skip


class Member:
    """One member whose time is settled in memory; keeps all that was decided."""

    def __init__(
        self, program: Program, *, joined_at: datetime | None = None, at: datetime | None = None
    ) -> None:
        self.standing = Standing(
            name="7", joined_at=joined_at, is_guest=joined_at is None, calendar_at=at or joined_at
        )
        self.eras = [Era(utc(2000, 1, 1), program)]
        self.entries: list[Entry] = []
        self.news: list[News] = []
        self.decisions: list[Decision] = []

    @property
    def program(self) -> Program:
        """The first version."""
        return self.eras[0].program

    def bought(self, amount: str, at: datetime, order_id: int | None = None) -> None:
        """An order that counts an amount; the same order again counts anew."""
        order_id = order_id or len(self.standing.orders) + 1
        self.standing.orders[order_id] = OrderCredit(at, Decimal(amount))
        self.standing.last_order_at = max(at, self.standing.last_order_at or at)

    def earned(self, points: int, at: datetime, ref: str | None = None) -> None:
        """Points that can be spent at once."""
        ref = ref or f"e{len(self.standing.awards)}"
        self.posted(EARN, points, at, Source("order", ref))
        self.standing.put(award(points, at, ref))

    def posted(self, kind: str, points: int, at: datetime, source: Source = STAFF, **why: object) -> None:
        """A movement of points."""
        entry = Entry(kind, points, source, "order", len(self.standing.entries), 1, "", why, at)
        self.standing.take(entry)
        self.look(at)

    def look(self, at: datetime) -> None:
        """What every writing does at its end: the outlook, with the calendar settled up to then."""
        outlook(self.standing, self.program, at)
        self.standing.calendar_at = max(at, self.standing.calendar_at or at)

    def apply(self, decision: Decision, _program: Program, _at: datetime) -> None:
        """Take a decision."""
        take(self.standing, decision)
        self.entries.extend(decision.entries)
        self.news.extend(decision.news)
        self.decisions.append(decision)

    def settle(self, *until: datetime) -> "Member":
        """Let time pass."""
        for moment in until:
            settle(self.standing, self.eras, moment, self.apply)
            outlook(self.standing, [era.program for era in self.eras if era.since <= moment][-1], moment)
        return self

    def told(self, kind: str) -> list[News]:
        """The news of a kind."""
        return [news for news in self.news if news.kind == kind]
