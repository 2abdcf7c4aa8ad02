"""The lines of an import whose turn is next, and those that are left at its end: for the import, and for undoing it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlmodel import Session, col

from loyalty.models import ImportBatch, ImportRow

# So many are one transaction, and as long as it lasts their members are locked.
ROWS_AT_ONCE = 1_000
# What the two need of a line. As values: nobody changes a line but by what became of it.
_COLUMNS = tuple(
    getattr(ImportRow, name)
    for name in ("id", "number", "line", "email", "customer_id", "told", "member_id", "points", "before")
)


def next_lines(
    session: Session, batch: ImportBatch, state: str, *, after: int, limit: int
) -> Sequence[Row[Any]]:
    """The first lines in a state behind number ``after``, in the order of the file."""
    statement = select(*_COLUMNS).where(
        col(ImportRow.shop_id) == batch.shop_id,
        col(ImportRow.batch_id) == batch.id,
        col(ImportRow.number) > after,
        col(ImportRow.state) == state,
    )
    return session.execute(statement.order_by(col(ImportRow.number)).limit(limit)).all()


def forget_people(session: Session, batch: ImportBatch) -> None:
    """When an import is over, nobody needs to know any longer whom its other lines are about (the bad ones kept that for their twins)."""
    left = update(ImportRow).where(
        col(ImportRow.shop_id) == batch.shop_id,
        col(ImportRow.batch_id) == batch.id,
        col(ImportRow.state).in_(("good", "bad")),
    )
    session.execute(
        left.values(email=None, customer_id=None, told={}),
        execution_options={"synchronize_session": False},
    )
