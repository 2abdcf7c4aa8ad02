"""The versions of a shop's program: which one is in force, what an old one said, and how a new one begins."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from loyalty.core.document import parse_program
from loyalty.core.program import Program
from loyalty.models import ProgramVersion, Shop


class NoProgram(LookupError):
    """The shop has no program (or not this version of one)."""


def current(session: Session, shop_id: int) -> Program:
    """The version in force. Raises ``NoProgram``."""
    row = _latest(session, shop_id)
    if row is None:
        raise NoProgram(shop_id)
    return parse_program(row.document, version=row.version)


def at_version(session: Session, shop_id: int, version: int) -> Program:
    """An earlier version, as it was. Raises ``NoProgram``."""
    row = session.exec(
        select(ProgramVersion).where(ProgramVersion.shop_id == shop_id, ProgramVersion.version == version)
    ).first()
    if row is None:
        raise NoProgram(shop_id, version)
    return parse_program(row.document, version=row.version)


def document(session: Session, shop_id: int) -> dict[str, Any]:
    """The document in force, as data. Raises ``NoProgram``."""
    row = _latest(session, shop_id)
    if row is None:
        raise NoProgram(shop_id)
    return row.document


def apply(
    session: Session, shop_id: int, document: Mapping[str, Any], *, author: str, now: datetime
) -> Program:
    """Begin a new version, or change nothing when the document is the one in force. Raises ``ProgramInvalid``.

    Two authors at once are told apart by the lock on the shop's row: the second one's version follows the first one's.
    """
    session.exec(select(Shop.id).where(Shop.id == shop_id).with_for_update()).one()
    latest = _latest(session, shop_id)
    version = latest.version + 1 if latest else 1
    program = parse_program(document, version=version)
    if latest and latest.document == dict(document):
        return parse_program(latest.document, version=latest.version)
    row = ProgramVersion(
        shop_id=shop_id, version=version, document=dict(document), author=author, created_at=now
    )
    session.add(row)
    session.flush()
    return program


def _latest(session: Session, shop_id: int) -> ProgramVersion | None:
    newest_first = col(ProgramVersion.version).desc()
    return session.exec(
        select(ProgramVersion).where(ProgramVersion.shop_id == shop_id).order_by(newest_first).limit(1)
    ).first()
