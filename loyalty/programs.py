"""The versions of a shop's program: which one is in force, what an old one said, and how a new one begins.

A version never changes, and neither does what it means: it keeps the shop's time zone of its day. Going back is beginning a new version with the words of an old one, so what happened under the versions between
stays explained by them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlmodel import Session, col, select

from loyalty.core.document import difference, parse_program, plain, zones
from loyalty.core.program import Program
from loyalty.models import ProgramVersion, Shop

_MOST_VERSIONS = 2**31 - 1


class NoProgram(LookupError):
    """The shop has no program (or not this version of one)."""


class ProgramMoved(Exception):
    """Somebody else began a new version since the one that an author had before them. ``version`` is the one in force."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the program is at version {version} by now")
        self.version = version


@dataclass(frozen=True, slots=True)
class Version:
    """Who began a version, and when."""

    version: int
    author: str
    created_at: datetime


def current(session: Session, shop_id: int) -> Program:
    """The version in force. Raises ``NoProgram``."""
    return _program(session, _latest(session, shop_id), shop_id)


def at_version(session: Session, shop_id: int, version: int) -> Program:
    """An earlier version, as it was. Raises ``NoProgram``."""
    return _program(session, _row(session, shop_id, version), shop_id)


def document(session: Session, shop_id: int) -> dict[str, Any]:
    """The document in force, as data. Raises ``NoProgram``."""
    row = _latest(session, shop_id)
    if row is None:
        raise NoProgram(shop_id)
    return row.document


def document_at(session: Session, shop_id: int, version: int) -> dict[str, Any]:
    """The document of a version, as data. Raises ``NoProgram``."""
    row = _row(session, shop_id, version)
    if row is None:
        raise NoProgram(shop_id, version)
    return row.document


def meaning_at(session: Session, shop_id: int, version: int) -> dict[str, Any]:
    """The document of a version with the time zone that it means, as data. Raises ``NoProgram``."""
    row = _row(session, shop_id, version)
    if row is None:
        raise NoProgram(shop_id, version)
    return {"timezone": _zone_name(session, row), **row.document}


def versions(
    session: Session, shop_id: int, *, before: int | None = None, limit: int = 100
) -> Sequence[Version]:
    """The newest versions first, ``before`` a version if one is given."""
    asked = select(
        col(ProgramVersion.version), col(ProgramVersion.author), col(ProgramVersion.created_at)
    ).where(ProgramVersion.shop_id == shop_id)
    if before is not None and before <= _MOST_VERSIONS:
        asked = asked.where(col(ProgramVersion.version) < before)
    found = session.exec(asked.order_by(col(ProgramVersion.version).desc()).limit(limit))
    return [Version(*row) for row in found]


def draft(session: Session, shop_id: int, document: Mapping[str, Any]) -> Program:
    """The program of a document that nobody has saved, as the shop's next version would be. Raises ``ProgramInvalid``."""
    shop, latest = session.get_one(Shop, shop_id), _latest(session, shop_id)
    version = latest.version + 1 if latest else 1
    return parse_program(document, version=version, timezone=_zone(shop.timezone))


def apply(
    session: Session,
    shop_id: int,
    document: Mapping[str, Any],
    *,
    author: str,
    now: datetime,
    based_on: int | None = None,
) -> Program:
    """Begin a new version, or change nothing when the document is the one in force. Raises ``ProgramInvalid``.

    ``based_on`` is the version that the author changed: where another one is in force by now it raises ``ProgramMoved``, so that
    nobody takes back unseen what somebody else has just saved. Two authors at once are told apart by the lock on the shop's row.
    """
    shop = session.exec(select(Shop).where(Shop.id == shop_id).with_for_update()).one()
    # Before Shopify has told of the shop, its time zone is nobody's choice and binds nobody.
    zone = shop.timezone if shop.shopify_id is not None else None
    latest = _latest(session, shop_id)
    version = latest.version + 1 if latest else 1
    program = parse_program(document, version=version, timezone=_zone(shop.timezone))
    said = plain(document)
    # The same words in another spelling are no new version, unless they mean other days by now.
    moved = latest is not None and _moves(latest, zone)
    if latest and not moved and not difference(latest.document, said):
        return _program(session, latest, shop_id)
    if latest and based_on is not None and latest.version != based_on:
        raise ProgramMoved(latest.version)
    session.add(
        ProgramVersion(
            shop_id=shop_id, version=version, document=said, timezone=zone, author=author, created_at=now
        )
    )
    session.flush()
    return program


def follow_timezone(session: Session, shop_id: int, *, before: str, now: datetime) -> Program | None:
    """The shop is in another time zone now: what there is goes on to mean the one ``before``, and a new version means the new one.
    None where the program in force names its own, or there is none."""
    session.execute(
        update(ProgramVersion)
        .where(col(ProgramVersion.shop_id) == shop_id, col(ProgramVersion.timezone).is_(None))
        .values(timezone=before)
    )
    latest = _latest(session, shop_id)
    if latest is None or "timezone" in latest.document:
        return None
    return apply(session, shop_id, latest.document, author="Shopify", now=now)


def _latest(session: Session, shop_id: int) -> ProgramVersion | None:
    newest_first = col(ProgramVersion.version).desc()
    return session.exec(
        select(ProgramVersion).where(ProgramVersion.shop_id == shop_id).order_by(newest_first).limit(1)
    ).first()


def _row(session: Session, shop_id: int, version: int) -> ProgramVersion | None:
    if not 0 < version <= _MOST_VERSIONS:
        return None
    return session.exec(
        select(ProgramVersion).where(ProgramVersion.shop_id == shop_id, ProgramVersion.version == version)
    ).first()


def _program(session: Session, row: ProgramVersion | None, shop_id: int) -> Program:
    if row is None:
        raise NoProgram(shop_id)
    zone = "" if "timezone" in row.document else _zone_name(session, row)
    return _parsed(json.dumps(row.document), row.version, zone)


def _zone_name(session: Session, row: ProgramVersion) -> str:
    """The time zone of a document that names none."""
    if row.timezone is not None:
        return row.timezone
    shop = session.get(Shop, row.shop_id)  # most often the session has it already
    return shop.timezone if shop else ""


def _moves(latest: ProgramVersion, zone: str | None) -> bool:
    """Whether the words of the version in force would mean other days if they were said now."""
    return (
        "timezone" not in latest.document and None not in (zone, latest.timezone) and zone != latest.timezone
    )


@lru_cache(maxsize=256)
def _parsed(document: str, version: int, shop_zone: str) -> Program:
    """A version's program. Every batch asks for it, and reading a document thoroughly takes longer than all else that a batch asks."""
    return parse_program(json.loads(document), version=version, timezone=_zone(shop_zone))


def _zone(name: str) -> ZoneInfo | None:
    return ZoneInfo(name) if name in zones() else None
