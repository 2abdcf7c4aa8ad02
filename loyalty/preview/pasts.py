"""What is known of members' pasts, as facts in the order of their instants, a bounded batch of members at a time. It reads, and no more.

Every order is taken in the newest state that is known, as an import would bring it. What cannot follow from a program (rewards that were
had, what staff gave, imports of points, referrals) is carried over as it is on the books.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, func, select
from sqlmodel import Session, col

from loyalty import reviews
from loyalty.book.reading import AWARD
from loyalty.book.records import ALIVE
from loyalty.bulk import among
from loyalty.core import ledger
from loyalty.core.decide import signup_source
from loyalty.core.facts import ActionDone, BirthdayTold, CustomerSeen, Identity, OrderSeen, OrderSnapshot
from loyalty.core.ledger import Entry, Source
from loyalty.core.replay import Joined, ReplayedFact
from loyalty.core.standing import Award, HandTier
from loyalty.ledger.reading import as_entry
from loyalty.models import AwardRow, LedgerEntry, Member, OrderStanding, Review, RewardIssue
from loyalty.preview.outcome import COUNTED_AS, SOON, Outcome, flows

# These awards follow from what happened, under whatever program; all others but actions' are carried over.
_FOLLOWING = frozenset({"signup", "newsletter", "order", "review", "goal", "birthday", "anniversary", "tier"})
_TOLD_BY_THEIR_SOURCE = ("order", "review")
_CARRIED = (ledger.REDEEM, ledger.RETURN, ledger.ADJUST, ledger.IMPORT, ledger.TRANSFER)
_GIVEN_BY_RULES = ("birthday", "tier")
_RANKS = {CustomerSeen: 0, Joined: 1, OrderSeen: 2}
# What is asked of a member and of an award; whole rows cost several times as much to make.
_MEMBER = tuple(
    getattr(Member, name)
    for name in (
        "id",
        "shopify_customer_id",
        "joined_at",
        "subscribed_at",
        "birthday_month",
        "birthday_day",
        "birthday_told_at",
        "hand_tier",
        "hand_tier_since",
        "hand_tier_until",
        "balance",
        "pending",
        "expires_at",
        "expiring_points",
        "tier",
    )
)
_Person = Row[Any]


@dataclass(slots=True)
class Past:
    """One member: what happened, and what is on the books. ``facts`` are in the order of their instants."""

    member_id: int
    facts: list[tuple[datetime, ReplayedFact]] = field(default_factory=list)
    books: Outcome = field(default_factory=Outcome)

    @property
    def orders(self) -> list[OrderSnapshot]:
        """The orders among the facts."""
        return [fact.order for _, fact in self.facts if isinstance(fact, OrderSeen)]


def read_pasts(
    session: Session, shop_id: int, *, after: int, limit: int, counts_from: datetime | None, until: datetime
) -> list[Past]:
    """The pasts of the next members by id, up to an instant. Members who are gone are left out: nobody can spend their points."""
    members = session.execute(
        select(*_MEMBER)
        .where(col(Member.shop_id) == shop_id, col(Member.id) > after, col(Member.state).in_(ALIVE))
        .order_by(col(Member.id))
        .limit(limit)
    )
    batch: dict[int, _Person] = {member.id: member for member in members}
    owner = _owners(session, shop_id, batch)
    awards: dict[int, list[Award]] = defaultdict(list)
    for member_id, award in _awards(session, owner):
        awards[owner[member_id]].append(award)
    gathered: dict[int, list[tuple[datetime, ReplayedFact]]] = {
        member_id: [*_of_person(member, awards[member_id]), *_of_awards(awards[member_id])]
        for member_id, member in batch.items()
    }
    for member_id, at, fact in (
        *_orders(session, owner),
        *_reviews(session, batch),
        *_carried(session, owner),
    ):
        gathered[owner[member_id]].append((at, fact))
    books = _books(session, owner, batch, awards, counts_from=counts_from, until=until)
    return [
        Past(member_id, _in_order(facts, until), books[member_id]) for member_id, facts in gathered.items()
    ]


def _owners(session: Session, shop_id: int, batch: Iterable[int]) -> dict[int, int]:
    """Whose each account is: the members themselves, and those that became a part of them."""
    owner = {member_id: member_id for member_id in batch}
    fresh = list(owner)
    while fresh:
        merged = select(col(Member.id), col(Member.merged_into)).where(
            col(Member.shop_id) == shop_id, among(session, Member.merged_into, fresh)
        )
        fresh = []
        for member_id, kept in session.execute(merged):
            owner[member_id] = owner[kept]
            fresh.append(member_id)
    return owner


def _in_order(
    facts: Iterable[tuple[datetime, ReplayedFact]], until: datetime
) -> list[tuple[datetime, ReplayedFact]]:
    """By instant; of one instant, the person first and then the orders."""

    def place(told: tuple[datetime, ReplayedFact]) -> tuple[datetime, int, int]:
        at, fact = told
        order_id = fact.order.order_id if isinstance(fact, OrderSeen) else 0
        return at, _RANKS.get(type(fact), len(_RANKS)), order_id

    return sorted((told for told in facts if told[0] <= until), key=place)


def _of_person(member: _Person, awards: Sequence[Award]) -> Iterator[tuple[datetime, ReplayedFact]]:
    if member.birthday_told_at and member.birthday_month and member.birthday_day:
        who = Identity(member.shopify_customer_id, None)
        told = BirthdayTold(who, member.birthday_month, member.birthday_day, member.birthday_told_at)
        yield member.birthday_told_at, told
    if member.hand_tier and member.hand_tier_since:
        hand = HandTier(member.hand_tier, member.hand_tier_since, member.hand_tier_until)
        yield member.hand_tier_since, hand
    if member.joined_at is None:
        return
    if member.shopify_customer_id is None:
        yield member.joined_at, Joined(member.joined_at)
        return
    given = {award.source: award.occurred_at for award in awards if award.worth}
    joined_at = given.get(signup_source(member.shopify_customer_id), member.joined_at)
    agreed = [at for source, at in given.items() if source.kind == "newsletter"]
    subscribed_at = min(agreed, default=member.subscribed_at)
    at_once = subscribed_at is not None and subscribed_at <= joined_at
    yield joined_at, _customer(member, joined_at, joined_at, subscribed_at if at_once else None)
    if subscribed_at is not None and not at_once:
        yield subscribed_at, _customer(member, joined_at, subscribed_at, subscribed_at)


def _customer(
    member: _Person, created_at: datetime, updated_at: datetime, subscribed_at: datetime | None
) -> CustomerSeen:
    who = Identity(member.shopify_customer_id, None)
    return CustomerSeen(
        who, None, None, None, created_at, updated_at, history=True, subscribed_at=subscribed_at
    )


def _awards(session: Session, owner: Collection[int]) -> Iterator[tuple[int, Award]]:
    """The awards that say more than the orders and reviews behind them."""
    found = select(*AWARD).where(
        among(session, AwardRow.member_id, owner), col(AwardRow.source_kind).not_in(_TOLD_BY_THEIR_SOURCE)
    )
    for member_id, kind, ref, *rest in session.execute(found.order_by(col(AwardRow.id))):
        yield member_id, Award(Source(kind, ref), *rest)


def _of_awards(awards: Sequence[Award]) -> Iterator[tuple[datetime, ReplayedFact]]:
    """Actions happened under whatever program; what else no program can repeat is as it is."""
    for award in awards:
        if award.source.kind == "action":
            key = award.source.ref.partition(":")[2]
            done = ActionDone(award.rule, key, Identity(None, None), award.occurred_at)
            yield award.occurred_at, done
        elif award.source.kind not in _FOLLOWING and award.worth:
            yield award.occurred_at, award


def _orders(session: Session, owner: Collection[int]) -> Iterator[tuple[int, datetime, ReplayedFact]]:
    found = select(col(OrderStanding.member_id), col(OrderStanding.snapshot)).where(
        among(session, OrderStanding.member_id, owner)
    )
    for member_id, snapshot in session.execute(found):
        order = OrderSnapshot.from_json(snapshot)
        fact = OrderSeen(order, Identity(None, None), authoritative=True, history=True)
        yield member_id, order.created_at, fact


def _reviews(session: Session, batch: Mapping[int, _Person]) -> Iterator[tuple[int, datetime, ReplayedFact]]:
    """Reviews count from when their authors are members. Those of merged accounts belong to the kept one by now."""
    found = select(Review).where(among(session, Review.member_id, batch)).order_by(col(Review.id))
    for row in session.execute(found).scalars():
        joined_at = batch[row.member_id or 0].joined_at
        if joined_at is not None:
            fact = reviews.as_fact(row)
            yield row.member_id or 0, max(fact.submitted_at, joined_at), fact


def _carried(session: Session, owner: Mapping[int, int]) -> Iterator[tuple[int, datetime, ReplayedFact]]:
    """Movements that no program makes. A transfer between two accounts of one person is none."""
    found = (
        select(LedgerEntry)
        .where(among(session, LedgerEntry.member_id, owner), col(LedgerEntry.kind).in_(_CARRIED))
        .order_by(col(LedgerEntry.member_id), col(LedgerEntry.position))
    )
    for row in session.execute(found).scalars():
        entry = as_entry(row)
        if not _is_inside(entry, owner):
            yield row.member_id, entry.occurred_at, entry


def _is_inside(entry: Entry, owner: Mapping[int, int]) -> bool:
    if entry.kind != ledger.TRANSFER:
        return False
    out, into = owner.get(entry.why.get("from_member", 0)), owner.get(entry.why.get("to_member", 0))
    return out is not None and out == into


def _books(
    session: Session,
    owner: Mapping[int, int],
    batch: Mapping[int, _Person],
    awards: Mapping[int, Sequence[Award]],
    *,
    counts_from: datetime | None,
    until: datetime,
) -> dict[int, Outcome]:
    """What the ledger and the members' rows say."""
    sums: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for member_id, kind, points in session.execute(_sums(session, owner, counts_from)):
        sums[owner[member_id]][COUNTED_AS[kind]] += int(points)
    gifts = _gifts(session, owner, counts_from)
    return {
        member_id: Outcome(
            **flows(sums[member_id]),
            balance=member.balance,
            pending=member.pending,
            expiring=member.expiring_points if _ends_soon(member, until) else 0,
            goals=sum(award.slot.startswith("goal:") and award.worth > 0 for award in awards[member_id]),
            gifts=gifts[member_id],
            tier=member.tier,
        )
        for member_id, member in batch.items()
    }


def _ends_soon(member: _Person, until: datetime) -> bool:
    return member.expires_at is not None and member.expires_at <= until + SOON


def _sums(session: Session, owner: Mapping[int, int], counts_from: datetime | None) -> Any:
    found = select(col(LedgerEntry.member_id), col(LedgerEntry.kind), func.sum(LedgerEntry.points)).where(
        among(session, LedgerEntry.member_id, owner)
    )
    if counts_from is not None:
        found = found.where(col(LedgerEntry.occurred_at) >= counts_from)
    return found.group_by(col(LedgerEntry.member_id), col(LedgerEntry.kind))


def _gifts(session: Session, owner: Mapping[int, int], counts_from: datetime | None) -> dict[int, int]:
    counted = (
        func.count()
        if counts_from is None
        else func.count(case((col(RewardIssue.created_at) >= counts_from, 1)))
    )
    found = (
        select(col(RewardIssue.member_id), counted)
        .where(
            among(session, RewardIssue.member_id, owner),
            col(RewardIssue.given_for).in_(_GIVEN_BY_RULES),
        )
        .group_by(col(RewardIssue.member_id))
    )
    gifts: dict[int, int] = defaultdict(int)
    for member_id, number in session.execute(found):
        gifts[owner[member_id]] += number
    return gifts
