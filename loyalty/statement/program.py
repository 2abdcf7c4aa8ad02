"""The program for its page: the document in force and the versions before it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from loyalty.core.orders import round_points
from loyalty.models import ProgramVersion

EXAMPLE_AMOUNT = Decimal("84.50")


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One line of the list of versions."""

    version: int
    author: str
    created_at: datetime


def versions(session: Session, shop_id: int, *, limit: int = 20) -> tuple[VersionRow, ...]:
    """The latest versions, the one in force first."""
    version = col(ProgramVersion.version)
    statement = select(version, col(ProgramVersion.author), col(ProgramVersion.created_at)).where(
        col(ProgramVersion.shop_id) == shop_id
    )
    return tuple(VersionRow(*row) for row in session.execute(statement.order_by(version.desc()).limit(limit)))


def document_of(session: Session, shop_id: int, version: int) -> dict[str, Any] | None:
    """What a version said, or None when there is no such version."""
    return session.scalar(
        select(col(ProgramVersion.document)).where(
            col(ProgramVersion.shop_id) == shop_id, col(ProgramVersion.version) == version
        )
    )


def example_points(rate: Decimal, rounding: str, *, amount: Decimal = EXAMPLE_AMOUNT) -> int:
    """What an order of ``amount`` earns, by the same rounding that real orders get."""
    return round_points(Fraction(amount) * Fraction(rate), rounding)
