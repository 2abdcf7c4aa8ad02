"""An entry of the ledger and the chain that binds a member's entries together.

The chain makes a change of an old entry visible: each entry's hash covers the hash before it, so ``verify`` names the first entry
that was touched. It proves integrity against accidents and quiet edits, not against somebody who rewrites a whole chain.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

EARN = "earn"
REDEEM = "redeem"
RETURN = "return"
REVERSE = "reverse"
ADJUST = "adjust"
TRANSFER = "transfer"
EXPIRE = "expire"
FORGIVE = "forgive"
IMPORT = "import"

KINDS = (EARN, REDEEM, RETURN, REVERSE, ADJUST, TRANSFER, EXPIRE, FORGIVE, IMPORT)


class Source(NamedTuple):
    """What an entry comes from: an order, a sign-up, a review, a reward, a person of staff, a merge."""

    kind: str
    ref: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement of points that was decided and not yet recorded.

    (shop, source, rule, sequence) is its business key: the n-th posting of a rule for a source. ``reason`` is what the
    customer may read; ``why`` explains the number.
    """

    kind: str
    points: int
    source: Source
    rule: str
    sequence: int
    program_version: int
    reason: str
    why: Mapping[str, Any]
    occurred_at: datetime


def lifetime(kind: str, points: int) -> tuple[int, int]:
    """What an entry adds to a member's lifetime figures, earned and spent. Adjustments, expiry, merges and imports are neither."""
    if kind in (EARN, REVERSE):
        return points, 0
    if kind in (REDEEM, RETURN):
        return 0, -points
    return 0, 0


def is_activity(kind: str) -> bool:
    """Whether a movement shows that the member is active, and so puts off the end of points. What staff, the calendar, refunds and
    imports do shows nothing of the member."""
    return kind in (EARN, REDEEM)


def entry_id(shop_id: int, entry: Entry) -> str:
    """A stable id from the business key: deciding the same thing again gives the same id, on any machine."""
    key = json.dumps([shop_id, entry.source.kind, entry.source.ref, entry.rule, entry.sequence])
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def chain_hash(previous_hash: str, member_id: int, position: int, entry: Entry) -> str:
    """SHA-256 over the previous hash and everything that the entry claims, in one canonical form."""
    claim = [
        previous_hash,
        member_id,
        position,
        entry.kind,
        entry.points,
        entry.source.kind,
        entry.source.ref,
        entry.rule,
        entry.sequence,
        entry.program_version,
        entry.reason,
        entry.why,
        entry.occurred_at.astimezone(UTC).isoformat(),
    ]
    canonical = json.dumps(claim, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=dict)
    return hashlib.sha256(canonical.encode()).hexdigest()
