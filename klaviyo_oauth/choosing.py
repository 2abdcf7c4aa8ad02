"""Chooses the dialects of a shop's link. Events follow at once; profiles follow by a sync, which also takes off what was written in dialects
that are left."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from klaviyo_oauth import connections, sync
from loyalty.models import Run


class NotLinked(Exception):
    """There is no link that could speak."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What came of a choice. ``run`` is the sync that writes the profiles anew; None when nothing changed, and before the merchant's own
    first sync, which writes them all the same."""

    changed: bool
    run: Run | None = None


def choose(session: Session, shop_id: int, keys: Iterable[str], *, now: datetime) -> Chosen:
    """Speak these dialects from now on. Raises ``NotLinked``, and ``ValueError`` for no dialect or one that there is not."""
    row = connections.load(session, shop_id, lock=True)
    if row is None or row.state != connections.CONNECTED:
        raise NotLinked
    if not connections.choose(row, keys):
        return Chosen(changed=False)
    session.add(row)
    session.flush()
    if row.details.get("needs_sync") is not None:
        return Chosen(changed=True)
    return Chosen(changed=True, run=sync.start_sync(session, shop_id, now=now))
