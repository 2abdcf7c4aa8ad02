"""One member's chain, without a database."""

from dataclasses import replace
from types import SimpleNamespace

from loyalty.core.ledger import Entry, Source, chain_hash, entry_id
from loyalty.ledger.chain import chain_problems
from loyalty.ledger.problem import Problem
from loyalty.ledger.reading import Fold
from tests.unit.core.makers import NOON

EARNED = Entry("earn", 40, Source("order", "1"), "order", 0, 1, "Place an order", {"basis": "40"}, NOON)
SPENT = replace(EARNED, kind="redeem", points=-30, source=Source("reward", "i"), rule="five_off")
BACK = replace(SPENT, kind="return", points=30, sequence=1)


def stored(*entries, member_id=5):
    """Entries as rows, chained as the program chains them."""
    head, rows = "", []
    for position, entry in enumerate(entries, 1):
        digest = chain_hash(head, member_id, position, entry)
        values = {
            name: getattr(entry, name) for name in ("kind", "points", "rule", "sequence", "reason", "why")
        }
        rows.append(
            SimpleNamespace(
                id=entry_id(2, entry),
                shop_id=2,
                member_id=member_id,
                position=position,
                source_kind=entry.source.kind,
                source_ref=entry.source.ref,
                program_version=entry.program_version,
                occurred_at=entry.occurred_at,
                previous_hash=head,
                hash=digest,
                **values,
            )
        )
        head = digest
    return rows


def found(rows):
    fold = Fold()
    return list(chain_problems(iter(rows), fold)), fold


class TestChainProblems:
    def test_nothing(self):
        """A member without entries has no problems and stands at nothing."""
        assert ([], Fold()) == found([])

    def test_sound(self):
        """A sound chain gives the member's figures."""
        rows = stored(EARNED, SPENT, BACK)
        assert ([], Fold(40, 40, 0, 3, rows[-1].hash)) == found(rows)

    def test_first_missing(self):
        """A chain that does not begin at its beginning is noticed."""
        problems, _ = found(stored(EARNED, SPENT)[1:])
        assert [
            "is at position 2 where 1 was expected: an entry is missing",
            "does not follow the entry before it",
        ] == [problem.what for problem in problems]

    def test_gap_once(self):
        """One gap is told once, however many entries follow it."""
        rows = stored(EARNED, SPENT, BACK, replace(EARNED, source=Source("order", "2")))
        problems, _ = found([rows[0], *rows[2:]])
        assert {rows[2].id} == {problem.entry_id for problem in problems}

    def test_another_member(self):
        """An entry that was moved to somebody else does not fit there."""
        rows = stored(EARNED)
        rows[0].member_id = 6
        problems, _ = found(rows)
        assert ["was changed after it was recorded: its hash does not match"] == [p.what for p in problems]

    def test_why_changed(self):
        """A changed explanation is a changed entry."""
        rows = stored(EARNED)
        rows[0].why = {"basis": "41"}
        assert 1 == len(found(rows)[0])


class TestProblem:
    def test_text(self):
        """A problem reads as one line that says where it is."""
        assert "member 5: entry abc was moved" == str(Problem(5, "abc", "was moved"))
        assert "member 5: balance says 3" == str(Problem(5, None, "balance says 3"))
        assert "entries name version 7" == str(Problem(None, None, "entries name version 7"))
