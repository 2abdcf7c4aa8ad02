"""The smallest thing that can stand where the database stands: one member, and what each source has posted.

It keeps the newest state of each order and review, as the real recorder does, and checks after every fact what must always hold.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from loyalty.core.decide import (
    Decision,
    Standing,
    decide_customer,
    decide_order,
    decide_review,
    review_problem,
)
from loyalty.core.facts import CustomerSeen, OrderSeen, ReviewSeen
from loyalty.core.ledger import Entry, Source, chain_hash, entry_id
from loyalty.core.orders import order_award
from loyalty.core.program import Program
from tests.unit.core.makers import later

SINCE = later(days=-1)


@dataclass
class Recorder:
    """One member of a shop with one program; ``unread`` are the orders that have to be read before points are taken back."""

    program: Program
    joined: bool = False
    entries: list[Entry] = field(default_factory=list)
    orders: dict[int, OrderSeen] = field(default_factory=dict)
    versions: dict[int, Program] = field(default_factory=dict)
    reviews: dict[str, ReviewSeen] = field(default_factory=dict)
    unread: set[int] = field(default_factory=set)

    @property
    def balance(self) -> int:
        """The fold of the entries."""
        return sum(entry.points for entry in self.entries)

    def posted(self, source: Source) -> list[int]:
        """The postings of a source."""
        return [entry.points for entry in self.entries if entry.source == source]

    def absorb(self, facts: Iterable[CustomerSeen | OrderSeen | ReviewSeen]) -> None:
        """Settle facts one by one."""
        for fact in facts:
            match fact:
                case CustomerSeen():
                    source = Source("signup", str(fact.identity.customer_id))
                    decision = decide_customer(
                        self._standing(source), fact, self.program, earning_since=SINCE
                    )
                    self.joined = self.joined or decision.joins
                    self._record(decision)
                case OrderSeen():
                    self._order(fact)
                case ReviewSeen():
                    known = self.reviews.get(fact.review_id)
                    if known is None or fact.seen_at >= known.seen_at:
                        self.reviews[fact.review_id] = fact
                    newest = self.reviews[fact.review_id]
                    standing = self._standing(Source("review", fact.review_id))
                    self._record(decide_review(standing, newest, self.program))
            self._check()

    def _order(self, fact: OrderSeen) -> None:
        order_id = fact.order.order_id
        known = self.orders.get(order_id)
        if known is None or (fact.order.updated_at, fact.authoritative) > (
            known.order.updated_at,
            known.authoritative,
        ):
            self.orders[order_id] = fact
        standing = self._standing(Source("order", str(order_id)))
        program = self.versions.get(order_id, self.program)
        decision = decide_order(standing, self.orders[order_id], program)
        if decision.reread:
            self.unread.add(order_id)
        if decision.entries:
            self.versions.setdefault(order_id, program)
        self._record(decision)

    def _standing(self, source: Source) -> Standing:
        posted = self.posted(source)
        return Standing(self.balance, self.joined, sum(posted), len(posted))

    def _record(self, decision: Decision) -> None:
        before = self.balance
        self.entries.extend(decision.entries)
        told = [news.properties["points_balance"] for news in decision.news if news.entry]
        assert told == [before + sum(e.points for e in decision.entries[: n + 1]) for n in range(len(told))]

    def _check(self) -> None:
        by_source: dict[Source, list[int]] = defaultdict(list)
        for entry in self.entries:
            by_source[entry.source].append(entry.points)
            assert entry.points != 0
            given = sum(points for points in by_source[entry.source] if points > 0)
            taken = -sum(points for points in by_source[entry.source] if points < 0)
            assert taken <= given, f"{entry.source} gave {given} and took {taken}"
            assert entry.sequence == len(by_source[entry.source]) - 1
        assert len({entry_id(1, entry) for entry in self.entries}) == len(self.entries)

    def worth(self) -> int:
        """The balance computed from nothing but the newest states, as if nothing had ever been posted."""
        total = self.program.signup.points if self.joined and self.program.signup else 0
        for order_id, known in self.orders.items():
            rule = self.versions.get(order_id, self.program).order
            total += order_award(known.order, rule).points if rule else 0
        for known_review in self.reviews.values():
            if self.program.review and review_problem(known_review) is None:
                total += self.program.review.points
        return total


def chain(entries: Iterable[Entry], member_id: int = 1) -> str:
    """The head of the chain over entries."""
    head = ""
    for position, entry in enumerate(entries, 1):
        head = chain_hash(head, member_id, position, entry)
    return head
