"""Two people who were taken for one are two again: their points part, and what was taken back as given twice returns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from loyalty.core import ledger
from loyalty.core.decide.decision import NOTHING, Decision
from loyalty.core.decide.posting import Change, change
from loyalty.core.ledger import Entry, Source
from loyalty.core.standing import Award, Standing


def decide_separation(
    points: int,
    *,
    of_member: int,
    from_member: int,
    pair: str,
    staff: str,
    at: datetime,
    program_version: int,
    sequence: int,
    lots: Sequence[Sequence[Any]] = (),
) -> tuple[Entry, Entry]:
    """The entries that move ``points`` from ``from_member``, who has them, back to ``of_member``, whose they were.

    ``points`` is what was carried over by the merge, and whatever has been posted since for what moves back; it can be below nothing.
    """

    def entry(rule: str, signed: int, why: Mapping[str, Any]) -> Entry:
        return Entry(
            kind=ledger.TRANSFER,
            points=signed,
            source=Source("merge", pair),
            rule=rule,
            sequence=sequence,
            program_version=program_version,
            reason="Merge undone",
            why={"from_member": from_member, "to_member": of_member, "staff": staff, **why},
            occurred_at=at,
        )

    return entry("unmerge_out", -points, {}), entry(
        "unmerge_in", points, {"lots": [list(lot) for lot in lots]} if lots else {}
    )


def decide_given_again(standing: Standing, award: Award, worth: int, *, at: datetime) -> Decision:
    """What was taken back because somebody else turned out to have had it: it is worth again what it was. Nobody is told anew.

    It is dated as it was earned, so it makes nobody active and grows no younger.
    """
    if award.worth or worth <= 0:
        return NOTHING
    because = {**award.why, "given_again": worth, "slot": award.slot}
    changed, entries, _ = change(
        standing.balance, award, Change(worth, award.occurred_at, because, ""), at=at
    )
    return Decision(entries, (), (changed,))
