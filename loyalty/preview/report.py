"""What a comparison says, as plain values: for the command line, for JSON and for the page."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from loyalty.core.program import Program
from loyalty.core.worth import PointWorth, point_worth
from loyalty.preview.totals import SIDES, Side, Totals, tier_moves


def report(
    totals: Totals,
    in_force: Program,
    changed: Program,
    *,
    begins: datetime | None,
    until: datetime,
    names: dict[int, str],
) -> dict[str, Any]:
    """Everything that a comparison found. ``names`` says what the members are called."""
    worths = {"books": point_worth(in_force), "before": point_worth(in_force), "after": point_worth(changed)}
    sides = {side: _side(totals.sides[side], worths[side]) for side in SIDES}
    moves = tier_moves(totals.moves, in_force.tiers, changed.tiers)
    from_books = tier_moves(totals.moves_from_books, in_force.tiers, changed.tiers)
    return {
        "version": in_force.version,
        "from": begins.isoformat() if begins else None,
        "at": until.isoformat(),
        "members": totals.members,
        "orders": totals.orders,
        "orders_with_unknown_products": totals.unknown_goods,
        **sides,
        "cost": _difference(sides, "earned_and_pending_worth"),
        "liability_change": _difference(sides, "outstanding_worth"),
        "gaining": totals.gaining,
        "losing": totals.losing,
        "tiers_up": sum(move.members for move in moves if move.direction == "up"),
        "tiers_down": sum(move.members for move in moves if move.direction == "down"),
        "tier_moves": [asdict(move) for move in moves],
        "tier_moves_from_books": [asdict(move) for move in from_books],
        "most_affected": [
            {
                "member_id": one.member_id,
                "name": names.get(one.member_id, f"Member {one.member_id}"),
                "before": one.before,
                "after": one.after,
                "difference": one.difference,
            }
            for one in totals.affected
        ],
    }


def _side(side: Side, worth: PointWorth | None) -> dict[str, Any]:
    sums = side.sums
    return {
        "earned": sums["earned"],
        "pending": sums["pending"],
        "redeemed": sums["redeemed"],
        "adjusted": sums["adjusted"],
        "expired": sums["expired"],
        "forgiven": sums["forgiven"],
        "outstanding": sums["balance"],
        "outstanding_worth": worth.of(sums["balance"]) if worth else None,
        "earned_and_pending_worth": worth.of(sums["earned"] + sums["pending"]) if worth else None,
        "point_worth_from": None if worth is None else worth.reward or "program",
        "expiring_soon": sums["expiring"],
        "goals": sums["goals"],
        "gifts": sums["gifts"],
        "below_zero": side.below_zero,
        "tiers": {key: number for key, number in sorted(side.tiers.items()) if key},
    }


def _difference(sides: dict[str, dict[str, Any]], name: str) -> Decimal | None:
    before, after = sides["before"][name], sides["after"][name]
    return None if before is None or after is None else after - before
