"""The ledger as JSON lines, one entry a line, for a merchant who wants to have it or to prove it elsewhere.

Each line holds what the entry claims and its place in the chain, so the hashes can be recomputed from the export alone.
"""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from loyalty.ledger.reading import accounts


def lines(session: Session, shop_id: int) -> Iterator[str]:
    """Every entry of the shop by member and position, as text without line ends. Flat memory, however many there are."""
    for member, rows in accounts(session, shop_id):
        for row in rows:
            yield json.dumps(_plain(member, row))


def _plain(member: Row[Any], row: Row[Any]) -> dict[str, Any]:
    return {
        "member": member.id,
        "shopify_customer_id": member.shopify_customer_id,
        "email": member.email,
        "points": row.points,
        "kind": row.kind,
        "source": row.source_kind,
        "source_ref": row.source_ref,
        "rule": row.rule,
        "sequence": row.sequence,
        "program_version": row.program_version,
        "occurred_at": row.occurred_at.isoformat(),
        "recorded_at": row.recorded_at.isoformat(),
        "reason": row.reason,
        "why": row.why,
        "id": row.id,
        "position": row.position,
        "previous_hash": row.previous_hash,
        "hash": row.hash,
    }
