"""Every member of a shop as a CSV file in our own format. What is read back makes the same balances, tiers by hand, birthdays and codes."""

from collections.abc import Iterator

from sqlalchemy import Row, select
from sqlmodel import Session, col

from loyalty.ledger.reading import stream
from loyalty.member_file import HEADER, member_line
from loyalty.models import Member

_COLUMNS = (
    "email",
    "shopify_customer_id",
    "first_name",
    "last_name",
    "balance",
    "hand_tier",
    "hand_tier_until",
    "birthday_month",
    "birthday_day",
    "referral_code",
    "joined_at",
    "lifetime_earned",
    "tier",
    "state",
)


def member_lines(session: Session, shop_id: int) -> Iterator[str]:
    """The lines of the file with their ends, the header first. Flat memory. Merged, deleted and erased people are not in it: nobody can
    spend their points, and whoever reads the file back would owe them again."""
    yield member_line(HEADER)
    statement = (
        select(*(getattr(Member, name) for name in _COLUMNS))
        .where(col(Member.shop_id) == shop_id, col(Member.state).not_in(("merged", "deleted", "redacted")))
        .order_by(col(Member.id))
    )
    for row in stream(session, statement):
        if row.email is not None or row.shopify_customer_id is not None:
            yield member_line(_values(row))


def _values(row: Row[tuple[object, ...]]) -> tuple[object, ...]:
    told = tuple(row)
    month, day = told[7], told[8]
    birthday = f"{month:02}-{day:02}" if month is not None else None
    return (*told[:7], birthday, *told[9:])
