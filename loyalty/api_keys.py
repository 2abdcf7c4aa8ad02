"""The keys by which a shop's own programs are known. A key is shown once, when it is made; here only its digest stays."""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from loyalty.models import ApiKey, Shop

MOST_KEYS = 20
_FORM = re.compile(r"laurel_([0-9a-f]{10})_[A-Za-z0-9_-]{43}")
_NOBODY = hashlib.sha256(b"").hexdigest()
# When a key was last used is for people to read; to the minute will do, and a busy program writes no row for it each time.
_USED_TO_THE = timedelta(minutes=1)


class TooManyKeys(Exception):
    """A shop has as many keys as it may have."""


def make(
    session: Session,
    shop_id: int,
    label: str,
    *,
    prefix: str,
    token: str,
    made_by: str,
    now: datetime,
) -> str:
    """A new key, in full for the only time. ``prefix`` (10 hex digits) and ``token`` (43 characters) are the caller's random ones."""
    if len(living(session, shop_id)) >= MOST_KEYS:
        raise TooManyKeys
    key = f"laurel_{prefix}_{token}"
    if not _FORM.fullmatch(key):
        raise ValueError("prefix and token do not make a key")
    session.add(
        ApiKey(
            shop_id=shop_id,
            label=label,
            prefix=prefix,
            digest=_digest(key),
            made_by=made_by,
            created_at=now,
        )
    )
    session.flush()
    return key


def revoke(session: Session, shop_id: int, key_id: int, *, now: datetime) -> bool:
    """End a key for good. False when the shop has no such key that is good."""
    row = session.exec(
        select(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.shop_id == shop_id, col(ApiKey.revoked_at).is_(None))
        .with_for_update()
    ).first()
    if row is None:
        return False
    row.revoked_at = now
    session.add(row)
    return True


def living(session: Session, shop_id: int) -> Sequence[ApiKey]:
    """The shop's good keys, the newest first."""
    statement = select(ApiKey).where(ApiKey.shop_id == shop_id, col(ApiKey.revoked_at).is_(None))
    return session.exec(statement.order_by(col(ApiKey.id).desc())).all()


def owner(
    session: Session, presented: str, *, same: Callable[[str, str], bool] = hmac.compare_digest
) -> tuple[Shop, ApiKey] | None:
    """The shop of a key that somebody presents, with the key's row; None when it is no good."""
    form = _FORM.fullmatch(presented)
    row = session.exec(select(ApiKey).where(ApiKey.prefix == form[1])).first() if form else None
    # An unknown key takes as long as a wrong one.
    is_same = same(_digest(presented), row.digest if row else _NOBODY)
    if row is None or not is_same or row.revoked_at is not None:
        return None
    return session.get_one(Shop, row.shop_id), row


def used(session: Session, key_id: int, *, now: datetime) -> None:
    """Note that a key was used."""
    row = session.get(ApiKey, key_id)
    if row is not None and (row.last_used_at is None or row.last_used_at < now - _USED_TO_THE):
        row.last_used_at = now
        session.add(row)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
