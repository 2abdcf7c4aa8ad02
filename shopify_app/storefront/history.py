"""A member's latest movements for the widget: what the merchant wrote stays as it is written, and what we say ourselves has a name that
the widget's locale files give words to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from loyalty.core import ledger
from loyalty.statement.shopper import Movement, movements

_AFTER_ALL = ": used after all"
# What the core says by itself, by the kind of the entry. The ledger never changes, so neither may these.
OWN_WORDS: Mapping[tuple[str, str], str] = {
    (ledger.RETURN, "Reward cancelled"): "reward_cancelled",
    (ledger.RETURN, "Reward could not be made"): "reward_failed",
    (ledger.TRANSFER, "Accounts merged"): "merged",
    (ledger.TRANSFER, "Merge undone"): "unmerged",
    (ledger.IMPORT, "Points brought over"): "brought",
    (ledger.IMPORT, "Points corrected"): "corrected",
    (ledger.IMPORT, "Import undone"): "import_undone",
    (ledger.EXPIRE, "Points expired"): "expired",
    (ledger.FORGIVE, "Debt written off"): "forgiven",
}


def history_answer(session: Session, member_id: int) -> list[dict[str, Any]]:
    """The movements, the newest first. ``cause`` is None where ``reason`` is the merchant's own text; ``title`` and ``order`` are what
    the words of a cause speak of."""
    return [
        {
            "points": move.points,
            "kind": move.kind,
            "reason": move.reason,
            **_cause(move),
            "at": _instant(move.occurred_at),
        }
        for move in movements(session, member_id)
    ]


def _cause(move: Movement) -> dict[str, str | None]:
    order = move.why.get("order") if move.source_kind == "order" else None
    if move.kind == ledger.REVERSE and order:
        return {"cause": "order_changed", "title": move.title, "order": str(order)}
    if move.kind == ledger.REVERSE and move.title:
        return {"cause": "taken_back", "title": move.title, "order": None}
    if move.kind == ledger.REDEEM and move.reason.endswith(_AFTER_ALL):
        return {"cause": "taken_again", "title": move.reason.removesuffix(_AFTER_ALL), "order": None}
    return {"cause": OWN_WORDS.get((move.kind, move.reason)), "title": None, "order": None}


def _instant(moment: datetime) -> str:
    return moment.isoformat()
