"""Takes a merge back: two people who were taken for one are two again, by entries against entries.

What moved goes back, with whatever was posted for it since; what came since (new orders, rewards, points that were spent or have ended) stays
with the account that was kept, whose balance may go below zero. What has moved on since, or is gone, stays where it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, or_, update
from sqlmodel import Session, SQLModel, col, select

from loyalty import referrals
from loyalty.book import Account, Book
from loyalty.core.decide import debt_source
from loyalty.core.decide.separating import decide_given_again, decide_separation
from loyalty.core.ledger import EARN, REDEEM, REVERSE, Source
from loyalty.core.standing import AwardKey
from loyalty.models import (
    AwardRow,
    LedgerEntry,
    Member,
    MemberDevice,
    MemberMerge,
    OrderStanding,
    Referral,
    Review,
    RewardIssue,
    Shop,
)
from loyalty.points.climbing import climb
from loyalty.points.settling import settle_accounts

_AT_ONCE = 500


class UnmergeRefused(Exception):
    """A merge cannot be taken back. ``code``: unknown, undone, merged_on (the account has become part of another one since, by a merge
    that has to be taken back first) or redacted."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def merges_of(session: Session, shop_id: int, member_id: int) -> Sequence[MemberMerge]:
    """The merges that a member had a part in, the newest first."""
    part = (col(MemberMerge.source_id) == member_id) | (col(MemberMerge.target_id) == member_id)
    newest = (col(MemberMerge.merged_at).desc(), col(MemberMerge.id).desc())
    return session.exec(
        select(MemberMerge).where(MemberMerge.shop_id == shop_id, part).order_by(*newest)
    ).all()


def unmerge(session: Session, shop: Shop, merge_id: int, *, staff: str, now: datetime) -> frozenset[str]:
    """Take a merge back. Raises ``UnmergeRefused``. Returns the outbox channels that have something to send."""
    assert shop.id is not None
    record = _record(session, shop.id, merge_id)
    _may_part(Book(session, shop, now=now), record)
    # Each of the three reads what the one before has written: rows change hands in between.
    given = _give_again(Book(session, shop, now=now), record)
    parted = _part(Book(session, shop, now=now), record, staff=staff)
    return given | parted | _settle(Book(session, shop, now=now), record)


def returning_points(session: Session, record: MemberMerge) -> int:
    """How many points the other account would have back, as it is now, with what would be given again first."""
    names = {tuple(award) for award in record.moved["awards"]}
    again = 0
    for kind, ref, rule, worth in record.moved.get("twice", ()):
        award = (AwardRow.source_kind == kind, AwardRow.source_ref == ref, AwardRow.rule == rule)
        now = session.exec(select(AwardRow.worth).where(AwardRow.shop_id == record.shop_id, *award)).first()
        again += int(worth) if now == 0 and (kind, ref, rule) in names else 0
    return separation_points(session, record) + again


def separation_points(session: Session, record: MemberMerge) -> int:
    """How many points would go back, as it is now: what was carried over, and what was posted since for what goes back with it; debts that
    were forgiven for that are its own too."""
    owner = col(LedgerEntry.member_id)
    # With the kept account, or with one that it was a part of for a while.
    elsewhere = owner.not_in((record.source_id, record.target_id))
    later = or_(
        and_(owner == record.target_id, col(LedgerEntry.position) > record.moved["entries_before"]),
        and_(elsewhere, col(LedgerEntry.recorded_at) > record.merged_at),
    )
    since, debts = 0, set()
    for kind, refs in _moved_sources(session, record).items():
        for entry in _posted(session, record.shop_id, kind, refs, later):
            since += entry.points
            if entry.kind == REVERSE:
                debts.add(debt_source(Source(kind, entry.source_ref), entry.rule, entry.sequence).ref)
    forgiven = sum(int(entry.points) for entry in _posted(session, record.shop_id, "debt", debts, later))
    return record.points + since + forgiven


def _posted(session: Session, shop_id: int, kind: str, refs: Iterable[str], when: Any) -> Iterator[Row[Any]]:
    columns = (getattr(LedgerEntry, name) for name in ("points", "kind", "source_ref", "rule", "sequence"))
    of_kind = select(*columns).where(LedgerEntry.shop_id == shop_id, LedgerEntry.source_kind == kind, when)
    for some in _pieces(sorted(refs)):
        yield from session.execute(of_kind.where(col(LedgerEntry.source_ref).in_(some)))


def _record(session: Session, shop_id: int, merge_id: int) -> MemberMerge:
    record = session.exec(
        select(MemberMerge)
        .where(MemberMerge.shop_id == shop_id, MemberMerge.id == merge_id)
        .with_for_update()
    ).first()
    if record is None:
        raise UnmergeRefused("unknown")
    if record.undone_at is not None:
        raise UnmergeRefused("undone")
    return record


def _may_part(book: Book, record: MemberMerge) -> None:
    source, target = _pair(book, record)
    if source.merged_into != target.id or target.merged_into is not None:
        raise UnmergeRefused("merged_on")
    if target.state == "redacted":
        raise UnmergeRefused("redacted")


def _pair(book: Book, record: MemberMerge) -> tuple[Account, Account]:
    book.load_members((record.source_id, record.target_id))
    people = {account.id: account for account in book.accounts()}
    return people[record.source_id], people[record.target_id]


def _give_again(book: Book, record: MemberMerge) -> frozenset[str]:
    """Give again what was taken back as given twice: on the account that it was taken from, before anything parts."""
    _, target = _pair(book, record)
    book.load_history((target,))
    for kind, ref, rule, worth in record.moved.get("twice", ()):
        award = target.awards.get(AwardKey(Source(kind, ref), rule))
        if award is not None:
            book.apply(target, decide_given_again(target, award, int(worth), at=book.now))
    return book.write()


def _part(book: Book, record: MemberMerge, *, staff: str) -> frozenset[str]:
    """Part the points and the people, and let go back what moved."""
    session, now = book.session, book.now
    source, target = _pair(book, record)
    book.load_entries((source, target))
    points = separation_points(session, record)
    pair = f"{source.id}-{target.id}"
    if points:
        out, into = decide_separation(
            points,
            of_member=record.source_id,
            from_member=record.target_id,
            pair=pair,
            staff=staff,
            at=now,
            program_version=book.program.version,
            sequence=_times(session, record.shop_id, pair),
            lots=_lots(session, record.shop_id, pair),
        )
        book.post(target, (out,), ())
        book.post(source, (into,), ())
    _let_go(session, record)
    _two_people(book, record, source, target)
    record.undone_at, record.undone_by = now, staff
    session.add(record)
    channels = book.write()
    _recount(session, source.id or 0)
    _recount(session, target.id or 0)
    return channels


def _settle(book: Book, record: MemberMerge) -> frozenset[str]:
    """With each having what is theirs: see what goals and tiers say, and what lies ahead."""
    accounts = _pair(book, record)
    book.load_history(accounts)
    for account in accounts:
        account.changed = True
        climb(book, account, history=True)
    referrals.settle_members(book, accounts, settle_accounts)
    return book.write()


def _two_people(book: Book, record: MemberMerge, source: Account, target: Account) -> None:
    moved = record.moved
    source.merged_into, source.changed, target.changed = None, True, True
    source.state = moved["state"]
    # Whatever time brought while they were one was brought to the one.
    source.calendar_at = target.calendar_at
    if moved["gives_birthday"] and source.birthday is not None and _born_alike(source, target):
        target.birthday = None
    if target.hand_tier == source.hand_tier:
        target.hand_tier = target.hand_tier_by = None
    if target.joined_at == source.joined_at:
        _member_as_before(target, moved)
    if moved["gives_consent"] and target.subscribed_at == source.subscribed_at:
        target.subscribed_at = None
    if record.email is None:
        return
    if moved["gives_email"] and target.email == record.email:
        book.rename(target, customer_id=target.shopify_customer_id, email=None)
        # The address is unique at every moment: whoever gives it up is written first.
        book.write()
    book.load_people((), (record.email,))
    if book.by_email(record.email) is None:
        book.rename(source, customer_id=source.shopify_customer_id, email=record.email)


def _member_as_before(target: Account, moved: Mapping[str, Any]) -> None:
    """Since when the kept account is a member again; a guest, if the other one's account made it a member."""
    if moved.get("joined_at"):
        target.joined_at = datetime.fromisoformat(moved["joined_at"])
    elif "joined_at" in moved and target.state == "member" and target.joined_at is not None:
        target.joined_at, target.state, target.is_guest = None, "guest", True


def _born_alike(source: Account, target: Account) -> bool:
    one, other = source.birthday, target.birthday
    return one is not None and other is not None and (one.month, one.day) == (other.month, other.day)


def _let_go(session: Session, record: MemberMerge) -> None:
    """Give back the rows that moved and are still with the kept account."""
    moved = record.moved
    lists: tuple[tuple[type[SQLModel], Any, Any, Iterable[Any]], ...] = (
        (OrderStanding, OrderStanding.order_id, OrderStanding.member_id, moved["orders"]),
        (Review, Review.id, Review.member_id, moved["reviews"]),
        (RewardIssue, RewardIssue.id, RewardIssue.member_id, moved["issues"]),
        (Referral, Referral.id, Referral.advocate_id, moved["advocate_of"]),
        (Referral, Referral.id, Referral.friend_id, moved["friend_of"]),
        (MemberDevice, MemberDevice.id, MemberDevice.member_id, moved["devices"]),
    )
    for table, key, owner, keys in lists:
        for some in _pieces(list(keys)):
            _give(session, record, table, owner, col(key).in_(some), table.shop_id == record.shop_id)  # type: ignore[attr-defined]
    for kind, refs in _moved_sources(session, record).items():
        of_kind = (AwardRow.shop_id == record.shop_id, AwardRow.source_kind == kind)
        for some in _pieces(sorted(refs)):
            _give(session, record, AwardRow, AwardRow.member_id, *of_kind, col(AwardRow.source_ref).in_(some))


def _give(session: Session, record: MemberMerge, table: type[SQLModel], owner: Any, *which: Any) -> None:
    with_target = update(table).where(*which, col(owner) == record.target_id)
    session.execute(
        with_target.values({owner: record.source_id}), execution_options={"synchronize_session": False}
    )


def _moved_sources(session: Session, record: MemberMerge) -> dict[str, set[str]]:
    """What the awards and entries of the things that go back are posted under: also of what had earned nothing yet when it moved."""
    moved = record.moved
    found = {"reward": set(moved["issues"]), "order": {str(order_id) for order_id in moved["orders"]}}
    for kind, name, key, ids in (
        ("review", Review.review_id, Review.id, moved["reviews"]),
        ("referral", Referral.key, Referral.id, moved["advocate_of"]),
    ):
        names = (session.exec(select(name).where(col(key).in_(some))).all() for some in _pieces(list(ids)))
        found[kind] = {one for some in names for one in some}
    for kind, ref, _ in moved["awards"]:
        found.setdefault(kind, set()).add(ref)
    return found


def _pieces(keys: list[Any]) -> Iterator[list[Any]]:
    yield from (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))


def _times(session: Session, shop_id: int, pair: str) -> int:
    statement = select(func.count()).where(
        LedgerEntry.shop_id == shop_id,
        LedgerEntry.source_kind == "merge",
        LedgerEntry.source_ref == pair,
        LedgerEntry.rule == "unmerge_out",
    )
    return int(session.exec(statement).one())


def _lots(session: Session, shop_id: int, pair: str) -> list[list[Any]]:
    """How old the points were that the latest merge of the two carried over."""
    newest = col(LedgerEntry.sequence).desc()
    found = session.exec(
        select(LedgerEntry)
        .where(
            LedgerEntry.shop_id == shop_id,
            LedgerEntry.source_kind == "merge",
            LedgerEntry.source_ref == pair,
            LedgerEntry.rule == "merge_in",
        )
        .order_by(newest)
    ).first()
    return list(found.why.get("lots", ())) if found else []


def _recount(session: Session, member_id: int) -> None:
    """What of a member's row follows from rows that changed hands: points on hold, and when something last happened."""
    waiting = select(func.coalesce(func.sum(AwardRow.worth), 0)).where(
        AwardRow.member_id == member_id, col(AwardRow.release_at).is_not(None), AwardRow.postings == 0
    )
    active = select(func.max(LedgerEntry.occurred_at)).where(
        LedgerEntry.member_id == member_id, col(LedgerEntry.kind).in_((EARN, REDEEM))
    )
    ordered = select(func.max(OrderStanding.placed_at)).where(OrderStanding.member_id == member_id)
    session.execute(
        update(Member)
        .where(col(Member.id) == member_id)
        .values(
            pending=int(session.exec(waiting).one()),
            last_activity_at=session.exec(active).one(),
            last_order_at=session.exec(ordered).one(),
        ),
        execution_options={"synchronize_session": False},
    )
