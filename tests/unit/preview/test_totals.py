"""The sums of a preview: kept between two steps as they are, and told in order."""

import json
from decimal import Decimal

from loyalty.core.program import Tier, Tiers
from loyalty.preview.outcome import Outcome
from loyalty.preview.totals import MOST_AFFECTED, Totals, tier_moves

OLD = Tiers(ladder=(Tier("silver", "Silver", Decimal(1)), Tier("gold", "Gold", Decimal(2))))
NEW = Tiers(ladder=(Tier("gold", "Gold", Decimal(1)), Tier("black", "Black", Decimal(2))))


def totals() -> Totals:
    """Thirty members: the one of id n has n points more than before, every third n fewer."""
    found = Totals()
    for number in range(1, 31):
        after = 100 - number if number % 3 == 0 else 100 + number
        found.add(number, Outcome(), Outcome(balance=100, tier="silver"), Outcome(balance=after, tier="gold"))
    return found


class TestTotals:
    def test_kept(self) -> None:
        """What is kept as JSON is the same when it is read, and what is added then is added to nothing else."""
        kept = json.loads(json.dumps(totals().to_json()))
        read = Totals.from_json(kept)
        assert read == totals()
        read.add(31, Outcome(), Outcome(), Outcome(balance=1))
        assert Totals.from_json(kept) == totals()

    def test_most_affected(self) -> None:
        """Ten of them, the largest differences first, in either direction."""
        found = totals()
        assert [one.member_id for one in found.affected] == list(range(30, 30 - MOST_AFFECTED, -1))
        assert (found.affected[0].difference, found.affected[1].difference) == (-30, 29)
        assert (found.gaining, found.losing) == (20, 10)

    def test_alike(self) -> None:
        """Of equal differences the older member comes first, whatever batch they came in."""
        found = Totals()
        for number in (5, 2, 9):
            found.add(number, Outcome(), Outcome(), Outcome(pending=3))
        assert [one.member_id for one in found.affected] == [2, 5, 9]


class TestTierMoves:
    def test_directions(self) -> None:
        """Up and down are the new ladder's; a tier that it does not have stands where it stood."""
        counted = {"": {"gold": 4, "": 9}, "gold": {"black": 3, "": 2}, "silver": {"gold": 1}}
        told = [(one.before, one.after, one.members, one.direction) for one in tier_moves(counted, OLD, NEW)]
        assert told == [
            (None, "gold", 4, "up"),
            ("gold", "black", 3, "up"),
            ("gold", None, 2, "down"),
            ("silver", "gold", 1, "sideways"),
        ]

    def test_no_tiers(self) -> None:
        """A program without tiers takes them away."""
        (move,) = tier_moves({"gold": {"": 7}}, OLD, None)
        assert (move.direction, move.after, move.members) == ("down", None, 7)
