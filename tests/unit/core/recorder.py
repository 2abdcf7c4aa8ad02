"""A replay that checks after every fact what must always hold, and can compute its balance from scratch."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from loyalty.core import ledger
from loyalty.core.decide import review_problem
from loyalty.core.facts import CustomerSeen, OrderSeen, ReviewSeen
from loyalty.core.ledger import Entry, Source, chain_hash, entry_id
from loyalty.core.orders import order_worth
from loyalty.core.program import OrderRule, Program
from loyalty.core.replay import Replay
from tests.unit.core.makers import later

SINCE = later(days=-1)


class Recorder(Replay):
    """One member of a shop with one program."""

    def __init__(self, program: Program) -> None:
        super().__init__(program=program, earning_since=SINCE)

    @property
    def balance(self) -> int:
        """The fold of the entries."""
        return sum(entry.points for entry in self.entries)

    def posted(self, source: Source) -> list[int]:
        """The postings of a source."""
        return [entry.points for entry in self.entries if entry.source == source]

    def absorb(
        self, facts: Iterable[CustomerSeen | OrderSeen | ReviewSeen], *, at: datetime | None = None
    ) -> None:
        """Settle facts one by one, and check after each."""
        for fact in facts:
            self.settle([fact], at=at or later(days=400))
            self.check()

    def check(self) -> None:
        """What must hold whatever happens."""
        assert self.balance == self.standing.balance
        by_award: dict[tuple[Source, str], list[int]] = defaultdict(list)
        for entry in self.entries:
            postings = by_award[entry.source, entry.rule]
            postings.append(entry.points)
            assert entry.points != 0
            if entry.kind in (ledger.EARN, ledger.REVERSE):
                given = sum(points for points in postings if points > 0)
                taken = -sum(points for points in postings if points < 0)
                assert taken <= given, f"{entry.source} gave {given} and took {taken}"
            assert entry.sequence == len(postings) - 1
        assert len({entry_id(1, entry) for entry in self.entries}) == len(self.entries)
        for award in self.standing.awards.values():
            postings = by_award[award.source, award.rule]
            assert (award.posted, award.postings) == (sum(postings), len(postings))
        told = iter([news for news in self.news if news.entry])
        balance = 0
        for entry in self.entries:
            balance += entry.points
            if entry.kind == ledger.REDEEM:
                continue  # told of when the reward is there
            news = next(told)
            assert news.entry is entry
            assert news.properties["points_balance"] == balance
        assert next(told, None) is None

    def worth(self) -> int:
        """The balance computed from nothing but the newest states, as if nothing had ever been posted."""
        total = sum(rule.points for rule in self.program.actions("signup") if self.standing.joined_at)
        for order_id, known in self.orders.items():
            pin = self.pins.get(order_id)
            program = self.programs[pin.version] if pin else self.program
            rule = program.rule("order")
            total += order_worth(known.order, rule).points if isinstance(rule, OrderRule) else 0
        for known_review in self.reviews.values():
            if review_problem(known_review) is None:
                total += sum(rule.points for rule in self.program.actions("review"))
        return total


def chain(entries: Iterable[Entry], member_id: int = 1) -> str:
    """The head of the chain over entries."""
    head = ""
    for position, entry in enumerate(entries, 1):
        head = chain_hash(head, member_id, position, entry)
    return head
