"""Members for the merchant: a list to search and one person's account with the reason of every point."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlmodel import Session, col

from loyalty.models import LedgerEntry, Member, OutboxMessage, RewardIssue
from loyalty.statement.keyset import Cursor, Page, fetch_page

Sort = Literal["newest", "balance"]
KEY_SIZES: dict[Sort, int] = {"newest": 1, "balance": 2}
STATES = ("member", "guest", "deleted", "redacted")
_LATEST = 20


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One line of the list."""

    id: int
    customer_id: int | None
    email: str | None
    name: str
    state: str
    balance: int
    lifetime_earned: int
    lifetime_spent: int
    joined_at: datetime | None
    created_at: datetime
    merged_into: int | None

    @property
    def title(self) -> str:
        """What to call the person: the name, else the address, else what is left."""
        return (
            self.name or self.email or ("Erased person" if self.state == "redacted" else f"Member {self.id}")
        )


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One movement of points with everything that explains it."""

    id: str
    position: int
    points: int
    kind: str
    source_kind: str
    source_ref: str
    rule: str
    program_version: int
    reason: str
    why: dict[str, Any]
    occurred_at: datetime
    recorded_at: datetime
    hash: str


def members_page(
    session: Session,
    shop_id: int,
    *,
    search: str = "",
    state: str = "",
    sort: Sort = "newest",
    cursor: Cursor | None = None,
    limit: int = 50,
) -> Page[MemberRow]:
    """One page of the members, those that were merged into others left out."""
    statement = _rows().where(col(Member.shop_id) == shop_id, col(Member.state) != "merged")
    if state in STATES:
        statement = statement.where(col(Member.state) == state)
    if words := search.split():
        folds = session.get_bind().dialect.name != "sqlite"
        statement = statement.where(_matches(words, folds=folds))
    order: list[Any] = [col(Member.balance), col(Member.id)] if sort == "balance" else [col(Member.id)]
    page = fetch_page(
        session,
        statement,
        order,
        cursor=cursor,
        limit=limit,
        key_of=lambda row: (row.balance, row.id) if sort == "balance" else (row.id,),
    )
    return Page(tuple(_member_row(row) for row in page.rows), page.newer, page.older)


def member(session: Session, shop_id: int, member_id: int) -> MemberRow | None:
    """One member of the shop, or None."""
    row = session.execute(_rows().where(col(Member.shop_id) == shop_id, col(Member.id) == member_id)).first()
    return _member_row(row) if row else None


def entries_page(
    session: Session, member_id: int, *, cursor: Cursor | None = None, limit: int = 25
) -> Page[EntryRow]:
    """A member's ledger, the latest movement first."""
    statement = select(*(getattr(LedgerEntry, name) for name in EntryRow.__dataclass_fields__)).where(
        col(LedgerEntry.member_id) == member_id
    )
    position: Any = col(LedgerEntry.position)
    page = fetch_page(
        session, statement, [position], cursor=cursor, limit=limit, key_of=lambda row: (row.position,)
    )
    return Page(tuple(EntryRow(*row) for row in page.rows), page.newer, page.older)


def rewards_of(session: Session, member_id: int) -> tuple[RewardIssue, ...]:
    """The latest rewards that a member got or is getting."""
    newest = col(RewardIssue.created_at).desc()
    statement = select(RewardIssue).where(col(RewardIssue.member_id) == member_id).order_by(newest)
    return tuple(session.scalars(statement.limit(_LATEST)))


def messages_about(session: Session, member_id: int, channel: str) -> tuple[OutboxMessage, ...]:
    """The latest messages about a member on a channel."""
    statement = select(OutboxMessage).where(
        col(OutboxMessage.member_id) == member_id, col(OutboxMessage.channel) == channel
    )
    return tuple(session.scalars(statement.order_by(col(OutboxMessage.id).desc()).limit(_LATEST)))


def member_by_email(session: Session, shop_id: int, email: str) -> int | None:
    """The id of the member with this address, or None."""
    wanted = email.strip().lower()
    return session.scalar(
        select(col(Member.id)).where(col(Member.shop_id) == shop_id, col(Member.email) == wanted)
    )


def names_of(session: Session, member_ids: set[int]) -> dict[int, MemberRow]:
    """Those members, by id."""
    if not member_ids:
        return {}
    return {
        row.id: _member_row(row) for row in session.execute(_rows().where(col(Member.id).in_(member_ids)))
    }


def _rows() -> Select[Any]:
    kept = ("id", "shopify_customer_id", "email", "first_name", "last_name", "state", "balance")
    rest = ("lifetime_earned", "lifetime_spent", "joined_at", "created_at", "merged_into")
    return select(*(getattr(Member, name) for name in (*kept, *rest)))


def _member_row(row: Any) -> MemberRow:
    return MemberRow(
        id=row.id,
        customer_id=row.shopify_customer_id,
        email=row.email,
        name=" ".join(part for part in (row.first_name, row.last_name) if part),
        state=row.state,
        balance=row.balance,
        lifetime_earned=row.lifetime_earned,
        lifetime_spent=row.lifetime_spent,
        joined_at=row.joined_at,
        created_at=row.created_at,
        merged_into=row.merged_into,
    )


def _matches(words: list[str], *, folds: bool) -> ColumnElement[bool]:
    """A beginning of the e-mail, of a name, of both names in their order, or a whole Shopify customer id."""
    first, last = col(Member.first_name), col(Member.last_name)
    if len(words) > 1:
        return and_(_begins(first, words[0], folds=folds), _begins(last, " ".join(words[1:]), folds=folds))
    word = words[0]
    ways = [
        col(Member.email).startswith(word.lower(), autoescape=True),
        _begins(first, word, folds=folds),
        _begins(last, word, folds=folds),
    ]
    if word.isascii() and word.isdigit() and int(word) < 2**63:
        ways.append(col(Member.shopify_customer_id) == int(word))
    return or_(*ways)


def _begins(column: Any, word: str, *, folds: bool) -> ColumnElement[bool]:
    folded: ColumnElement[bool] = func.lower(column).startswith(word.lower(), autoescape=True)
    if folds:
        return folded
    # SQLite folds the case of ASCII letters only, so the word is also tried as names are usually written.
    return or_(folded, column.startswith(word[:1].upper() + word[1:].lower(), autoescape=True))
