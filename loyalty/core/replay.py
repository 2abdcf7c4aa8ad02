"""One member's history, settled in memory: what would become of these facts under this program.

It does with values what ``loyalty.points`` and the calendar do with rows, by the same decisions. It touches nothing, so that a change of
the program can be looked at before it is made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from loyalty.core.calendar import Era, move
from loyalty.core.calendar import settle as settle_calendar
from loyalty.core.decide import (
    NOTHING,
    ActionRefused,
    Decision,
    GiftDue,
    Pin,
    decide_action,
    decide_birthday_told,
    decide_customer,
    decide_debt,
    decide_goals,
    decide_order,
    decide_review,
    decide_subscription,
    decide_tier,
    order_credit,
)
from loyalty.core.decide.posting import Change, change
from loyalty.core.expiry import foresee
from loyalty.core.facts import ActionDone, BirthdayTold, CustomerSeen, OrderSeen, OrderUnreadable, ReviewSeen
from loyalty.core.ledger import Entry
from loyalty.core.news import News, entry_news
from loyalty.core.orders import counted_amount, is_newer, keep_catalogue
from loyalty.core.program import Program
from loyalty.core.standing import Award, Birthday, HandTier, OrderCredit, Standing
from loyalty.core.tiers import Climb


@dataclass(frozen=True, slots=True)
class Joined:
    """A person became a member otherwise than by a customer record: nothing is earned by it."""

    joined_at: datetime


# An award or an entry is one that was made under other rules (a referral, a reward, an adjustment), and holds under any program.
_Told = Joined | BirthdayTold | HandTier | Award | Entry
ReplayedFact = CustomerSeen | OrderSeen | OrderUnreadable | ReviewSeen | ActionDone | _Told


@dataclass(slots=True)
class Replay:
    """See the module. ``programs`` are the versions by number; ``program`` is the one in force. ``unread`` are the orders that would be
    read again before their points are moved."""

    program: Program
    earning_since: datetime
    standing: Standing = field(default_factory=lambda: Standing(name="1"))
    programs: dict[int, Program] = field(default_factory=dict)
    orders: dict[int, OrderSeen] = field(default_factory=dict)
    pins: dict[int, Pin] = field(default_factory=dict)
    reviews: dict[str, ReviewSeen] = field(default_factory=dict)
    unread: set[int] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    gifts: list[GiftDue] = field(default_factory=list)
    # The last look at the member's way up, while it still holds.
    _seen: Climb | None = field(default=None, init=False, repr=False)

    def happen(self, fact: ReplayedFact, eras: Sequence[Era], *, at: datetime) -> None:
        """Let time pass up to ``at``, and then a fact be known. Facts come in the order of their instants."""
        self.wait(eras, until=at)
        self.settle((fact,), at=at)
        foresee(self.standing, self.program, at)

    def wait(self, eras: Sequence[Era], *, until: datetime) -> None:
        """Let happen what time alone brings. ``eras`` are the versions that are in force, from the oldest."""
        settle_calendar(
            self.standing,
            eras,
            until,
            lambda decision, program, _: self._take(decision, program),
            climb=self._seen,
        )
        in_force = [era.program for era in eras if era.since <= until]
        self.program = in_force[-1] if in_force else eras[0].program

    def settle(self, facts: Iterable[ReplayedFact], *, at: datetime) -> None:
        """Settle facts in the order given, as if it were ``at`` now."""
        for fact in facts:
            match fact:
                case CustomerSeen():
                    self._customer(fact, at)
                case OrderSeen():
                    self._order(fact, at)
                case OrderUnreadable(order_id):
                    self._unreadable(order_id, at)
                case ReviewSeen():
                    self._review(fact, at)
                case ActionDone():
                    self._action(fact, at)
                case _:
                    self._take_as_told(fact, at)

    def _take_as_told(self, fact: _Told, at: datetime) -> None:
        """What is so, and is not decided about."""
        match fact:
            case Joined():
                self._join(fact.joined_at, at)
            case BirthdayTold():
                self._birthday(fact)
            case HandTier():
                self.standing.hand_tier, self._seen = fact, None
                self._climb(at)
            case Award():
                self._award(fact, at)
            case Entry():
                self.apply(Decision(entries=(fact,)))

    def apply(self, decision: Decision) -> None:
        """Take what was decided."""
        self._take(decision, self.program)

    def _take(self, decision: Decision, program: Program) -> None:
        if decision is NOTHING:
            return
        if decision.awards and self._seen is not None and self._seen.asks_awards:
            self._seen = None
        for award in decision.awards:
            self.standing.put(award)
        move(self.standing, decision)
        self.gifts.extend(decision.gifts)
        self.news.extend(decision.news)
        for entry in decision.entries:
            self._enter(entry)
            forgiven = decide_debt(self.standing, entry, program)
            if forgiven is not None:
                self._enter(forgiven)
                self.news.append(entry_news(forgiven, balance=self.standing.balance))

    def _enter(self, entry: Entry) -> None:
        self.standing.take(entry)
        self.entries.append(entry)

    def _customer(self, fact: CustomerSeen, at: datetime) -> None:
        since = self.earning_since
        decision = decide_customer(self.standing, fact, self.program, earning_since=since, at=at)
        if decision.joins:
            self.standing.joined_at, self.standing.is_guest, self._seen = fact.created_at, False, None
        self.apply(decision)
        self.apply(decide_subscription(self.standing, fact, self.program, earning_since=since, at=at))
        if decision.joins:
            self._settle_again(at)
        self._climb(at)

    def _birthday(self, fact: BirthdayTold) -> None:
        decision = decide_birthday_told(self.standing, fact)
        if decision is not None:
            self.standing.birthday = Birthday(fact.month, fact.day, fact.told_at)
            self.apply(decision)

    def _join(self, joined_at: datetime, at: datetime) -> None:
        self.standing.joined_at, self.standing.is_guest, self._seen = joined_at, False, None
        self._settle_again(at)
        self._climb(at)

    def _settle_again(self, at: datetime) -> None:
        """What was bought as a guest is a member's from now on."""
        if self.program.guests == "earn" and all(rule.guests for rule in self.program.order_rules):
            return
        for order_id in sorted(self.orders, key=lambda one: (self.orders[one].order.created_at, one)):
            self._settle_order(order_id, at)

    def _order(self, fact: OrderSeen, at: datetime) -> None:
        order_id, known = fact.order.order_id, self.orders.get(fact.order.order_id)
        if known is None:
            self.orders[order_id] = fact
        elif is_newer(fact, known.order, read=known.authoritative):
            self.orders[order_id] = replace(fact, order=keep_catalogue(fact.order, known.order))
        self._settle_order(order_id, at)

    def _unreadable(self, order_id: int, at: datetime) -> None:
        if order_id in self.orders:
            self.orders[order_id] = replace(self.orders[order_id], unreadable=True)
            self._settle_order(order_id, at)

    def _settle_order(self, order_id: int, at: datetime) -> None:
        known, pin = self.orders[order_id], self.pins.get(order_id)
        self.programs.setdefault(self.program.version, self.program)
        program = self.programs[pin.version] if pin else self.program
        counted = counted_amount(known.order, program.basis)
        decision = decide_order(self.standing, known, program, at=at, pin=pin, counted=counted)
        if decision.reread:
            self.unread.add(order_id)
            return
        if decision.pin is not None:
            self.pins[order_id] = decision.pin
        self.apply(decision)
        credit, before = (
            order_credit(known.order, program, counted=counted),
            self.standing.orders.get(order_id),
        )
        self.standing.orders[order_id] = credit
        self._count(before, credit)
        if self.standing.last_order_at is None or credit.placed_at > self.standing.last_order_at:
            self.standing.last_order_at = credit.placed_at
        self._climb(at, counts_less=before is not None and credit.amount < before.amount)

    def _count(self, before: OrderCredit | None, credit: OrderCredit) -> None:
        """Let the last look at the way up take in one more order. An order that counts otherwise than before needs a new look."""
        if self._seen is None or credit == before:
            return
        if before is not None or not self._seen.goes_on(credit):
            self._seen = None

    def _review(self, fact: ReviewSeen, at: datetime) -> None:
        known = self.reviews.get(fact.review_id)
        if known is None or fact.seen_at >= known.seen_at:
            self.reviews[fact.review_id] = fact
        self.apply(decide_review(self.standing, self.reviews[fact.review_id], self.program, at=at))
        self._climb(at)

    def _action(self, fact: ActionDone, at: datetime) -> None:
        try:
            self.apply(decide_action(self.standing, fact, self.program, at=at))
        except ActionRefused:
            return
        self._climb(at)

    def _award(self, award: Award, at: datetime) -> None:
        fresh = replace(award, worth=0, posted=0, postings=0)
        to = Change(award.worth, award.occurred_at, award.why, "")
        changed, entries, news = change(self.standing.balance, fresh, to, at=at, history=True)
        self.apply(Decision(entries, news, (changed,)))
        self._climb(at)

    def _climb(self, at: datetime, *, counts_less: bool = False) -> None:
        program = self.program
        if not (counts_less or program.goals or program.tiers or self.standing.tier):
            return
        if counts_less or program.goals:
            self.apply(decide_goals(self.standing, program, at=at))
        if self._seen is None or self._seen.program is not program:
            self._seen = Climb(self.standing, program)
        self.apply(decide_tier(self.standing, program, at, climb=self._seen))
