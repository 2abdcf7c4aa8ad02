"""Whatever is done to a ledger behind its back, ``verify`` names it."""

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty.core.facts import Identity
from loyalty.database import reading, transaction
from loyalty.ledger.rebuild import LedgerBroken, rebuild
from loyalty.ledger.verify import Problem, digest, verify
from loyalty.models import LedgerEntry, Member, Shop
from tests.integration.loyalty.story import ADA, BO, CY, bought, joined, member, play, settle, tamper


def problems(engine: Engine, shop: Shop | None = None) -> list[Problem]:
    with reading(engine) as session:
        return list(verify(session, shop.id if shop else None))


def texts(engine: Engine) -> list[str]:
    return [problem.what for problem in problems(engine)]


def entries(engine: Engine, who) -> list[LedgerEntry]:
    with Session(engine, expire_on_commit=False) as session:
        of_member = select(LedgerEntry).where(LedgerEntry.member_id == member(engine, who).id)
        return list(session.exec(of_member.order_by(col(LedgerEntry.position))).all())


@pytest.fixture(name="lived")
def _lived(engine: Engine, shop: Shop) -> Engine:
    play(engine, shop)
    return engine


class TestVerify:
    def test_empty(self, engine, shop):
        """A shop without members has nothing wrong with it, nor has a database without shops."""
        assert [] == problems(engine) == problems(engine, shop)

    def test_sound(self, lived, shop):
        """A ledger that was only ever written by the program holds, with merges, refunds, rewards and corrections in it."""
        assert [] == problems(lived) == problems(lived, shop)
        assert {"earn", "reverse", "redeem", "adjust", "transfer"} == {
            entry.kind for who in (ADA, BO, CY) for entry in entries(lived, who)
        }

    @pytest.mark.parametrize(
        "change",
        [
            "kind = 'adjust'",
            "reason = 'Because'",
            "program_version = 0 + program_version, occurred_at = recorded_at, reason = reason || '!'",
            "points = points + 1",
        ],
    )
    def test_edited(self, lived, change):
        """An entry that was edited is named, and no other."""
        victim = entries(lived, ADA)[1]
        tamper(lived, f"UPDATE ledger_entry SET {change} WHERE id = :id", id=victim.id)
        named = [problem for problem in problems(lived) if problem.entry_id]
        assert [Problem(victim.member_id, victim.id, named[0].what)] == named
        assert "its hash does not match" in named[0].what

    def test_points_edited(self, lived):
        """Changed points also show in the balance, the lifetime figure and the order that they belong to."""
        victim = entries(lived, ADA)[1]
        tamper(lived, "UPDATE ledger_entry SET points = 801 WHERE id = :id", id=victim.id)
        assert [
            "was changed after it was recorded: its hash does not match",
            "balance says 350, the entries give 351",
            "lifetime_earned says 850, the entries give 851",
            "the award of order 1 by order says 700 points in 2 entries; there are 701 in 2",
        ] == texts(lived)

    def test_removed(self, lived):
        """An entry that is missing in the middle is noticed at the next one."""
        gone, after = entries(lived, ADA)[1:3]
        tamper(lived, "DELETE FROM ledger_entry WHERE id = :id", id=gone.id)
        found = [(problem.entry_id, problem.what) for problem in problems(lived)]
        assert (after.id, "is at position 3 where 2 was expected: an entry is missing") in found
        assert (after.id, "does not follow the entry before it") in found
        assert (None, "entry_count says 5, the entries give 4") in found

    def test_cut_off(self, lived):
        """An entry that is missing at the end is noticed at the member."""
        tamper(lived, "DELETE FROM ledger_entry WHERE id = :id", id=entries(lived, ADA)[-1].id)
        assert [
            "balance says 350, the entries give 850",
            "lifetime_spent says 500, the entries give nothing",
            "entry_count says 5, the entries give 4",
        ] == [what for what in texts(lived) if not what.startswith("chain_head")]
        assert any(what.startswith("chain_head") for what in texts(lived))

    def test_swapped(self, lived):
        """Two entries that changed places are both named."""
        one, other = entries(lived, ADA)[1:3]
        tamper(lived, "UPDATE ledger_entry SET position = 99 WHERE id = :id", id=one.id)
        tamper(lived, "UPDATE ledger_entry SET position = 2 WHERE id = :id", id=other.id)
        tamper(lived, "UPDATE ledger_entry SET position = 3 WHERE id = :id", id=one.id)
        assert {one.id, other.id} <= {problem.entry_id for problem in problems(lived)}

    def test_rehashed(self, lived):
        """Whoever gives a changed entry a fitting hash of its own breaks the link to the next one."""
        victim, after = entries(lived, ADA)[:2]
        tamper(lived, "UPDATE ledger_entry SET hash = 'ff' WHERE id = :id", id=victim.id)
        assert (after.id, "does not follow the entry before it") in [
            (p.entry_id, p.what) for p in problems(lived)
        ]

    def test_another_id(self, lived):
        """An id is its source's: a free one does not pass."""
        victim = entries(lived, ADA)[0]
        tamper(lived, "UPDATE ledger_entry SET id = 'free' WHERE id = :id", id=victim.id)
        assert ["has an id that does not belong to its source, rule and sequence"] == texts(lived)

    @pytest.mark.parametrize("figure", ["balance", "lifetime_earned", "lifetime_spent", "entry_count"])
    def test_figure(self, lived, figure):
        """A member's figure that the entries do not give is named."""
        ada = member(lived, ADA)
        tamper(lived, f"UPDATE member SET {figure} = {figure} + 3 WHERE id = :id", id=ada.id)
        (problem,) = problems(lived)
        right = getattr(ada, figure)
        assert Problem(ada.id, None, f"{figure} says {right + 3}, the entries give {right}") == problem

    def test_chain_head(self, lived):
        """A member's head that is not the last entry's hash is named."""
        tamper(lived, "UPDATE member SET chain_head = '' WHERE id = :id", id=member(lived, BO).id)
        (problem,) = problems(lived)
        assert problem.what.startswith("chain_head says nothing, the entries give ")

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            (
                "posted = 900",
                "the award of order 1 by order says 900 points in 2 entries; there are 700 in 2",
            ),
            (
                "postings = 1",
                "the award of order 1 by order says 700 points in 1 entries; there are 700 in 2",
            ),
            ("source_ref = '77'", "order 1 has 2 entries by order and no award"),
        ],
    )
    def test_award(self, lived, change, what):
        """An award that does not say what was posted is named."""
        tamper(lived, f"UPDATE award SET {change} WHERE source_kind = 'order' AND source_ref = '1'")
        assert what in texts(lived)

    def test_empty_award(self, lived):
        """An award that claims points without an entry is named."""
        tamper(lived, "UPDATE award SET source_ref = '77' WHERE source_kind = 'order' AND source_ref = '1'")
        assert "the award of order 77 says 700 points and has no entry" in texts(lived)

    def test_sequence(self, lived):
        """A source whose postings do not count up from nought is named."""
        victim = entries(lived, BO)[1]
        tamper(lived, "UPDATE ledger_entry SET sequence = 4 WHERE id = :id", id=victim.id)
        assert Problem(
            victim.member_id, victim.id, "is posting 4 of its source where 0 was expected"
        ) in problems(lived)

    def test_merge(self, lived):
        """A merge that makes points out of nothing is named."""
        tamper(lived, "UPDATE ledger_entry SET points = points + 5 WHERE rule = 'merge_in'")
        cy, bo = member(lived, CY).id, member(lived, BO).id
        assert f"merge {cy}-{bo} does not sum to zero: +5 points" in texts(lived)

    def test_taken_twice(self, lived):
        """A source that took back more than it gave is named, and so is a reward that gave back more than it took."""
        tamper(lived, "UPDATE ledger_entry SET points = -900 WHERE kind = 'reverse'")
        tamper(lived, "UPDATE ledger_entry SET points = 500 WHERE kind = 'redeem'")
        assert "order 1 took back 100 points more than it gave" in texts(lived)
        assert "reward issue-1 gave back 500 points more than it took" in texts(lived)

    def test_version(self, lived):
        """Entries can be explained only by a program that exists."""
        tamper(lived, "UPDATE program_version SET version = 8")
        assert ["entries name version 1 of the program, which does not exist"] == texts(lived)

    def test_unknown_kind(self, lived):
        """A kind that the program does not know is named."""
        victim = entries(lived, ADA)[0]
        tamper(lived, "UPDATE ledger_entry SET kind = 'gift' WHERE id = :id", id=victim.id)
        assert "is of the unknown kind 'gift'" in texts(lived)

    def test_another_shop(self, lived, shop):
        """An entry that was moved to another shop is named, and the check of one shop stays in that shop."""
        with transaction(lived) as session:
            at = shop.installed_at
            other = Shop(domain="other.myshopify.com", first_installed_at=at, installed_at=at)
            session.add(other)
        assert [] == problems(lived, other)
        victim = entries(lived, ADA)[0]
        tamper(lived, "UPDATE ledger_entry SET shop_id = :shop WHERE id = :id", shop=other.id, id=victim.id)
        assert Problem(victim.member_id, victim.id, "belongs to another shop than its member") in problems(
            lived, other
        )

    def test_many(self, engine, shop, monkeypatch):
        """Batches of members, rows and sources meet without a seam."""
        for customer_id in range(8000, 8025):
            who = Identity(customer_id, f"p{customer_id}@fernandfig.shop")
            settle(engine, shop, joined(who), bought(who, customer_id, "12"))
        monkeypatch.setattr("loyalty.ledger.reading.MEMBERS_AT_ONCE", 4)
        monkeypatch.setattr("loyalty.ledger.reading.ROWS_AT_ONCE", 3)
        monkeypatch.setattr("loyalty.ledger.sources.SOURCES_AT_ONCE", 2)
        assert [] == problems(engine)
        tamper(engine, "UPDATE member SET balance = balance + 1")
        assert 25 == len(problems(engine))

    def test_while_writing(self, lived, shop):
        """A check sees one moment: what is posted while it runs is not taken for a mistake."""
        with reading(lived) as session:
            running = verify(session, shop.id)
            session.exec(select(Member.id)).all()  # the moment is taken
            settle(lived, shop, bought(ADA, 5, "10"))
            assert [] == list(running)


class TestDigest:
    def test_same(self, lived, shop):
        """The digest of an unchanged ledger is the same, and says how much it covers."""
        with reading(lived) as session:
            first, again = digest(session, shop.id), digest(session, shop.id)
        assert first == again
        assert (3, 12) == (first.members, first.entries)
        with Session(lived) as session:
            assert sum(session.exec(select(Member.balance)).all()) == first.points

    def test_grows(self, lived, shop):
        """One more entry is another digest."""
        with reading(lived) as session:
            before = digest(session, shop.id)
        settle(lived, shop, bought(ADA, 5, "1"))
        with reading(lived) as session:
            after = digest(session, shop.id)
        assert before.sha256 != after.sha256
        assert before.entries + 1 == after.entries

    def test_rewritten(self, lived, shop):
        """A chain whose end was cut off, with the member mended to match, is sound in itself and has another digest."""
        with reading(lived) as session:
            before = digest(session, shop.id)
        last = entries(lived, BO)[-1]
        tamper(lived, "DELETE FROM ledger_entry WHERE id = :id", id=last.id)
        with transaction(lived) as session:
            assert 1 == rebuild(session, shop.id)
        assert [] == problems(lived)
        with reading(lived) as session:
            assert before != digest(session, shop.id)


class TestRebuild:
    def test_same(self, lived, shop):
        """Figures built anew from the entries are those that were kept all along."""
        with transaction(lived) as session:
            assert 0 == rebuild(session, shop.id)

    def test_lost(self, lived, shop):
        """Lost figures come back from the entries alone."""
        before = [member(lived, who).model_dump() for who in (ADA, BO, CY)]
        tamper(
            lived,
            "UPDATE member SET balance = 9, lifetime_earned = 9, lifetime_spent = 9, entry_count = 0, chain_head = ''",
        )
        with transaction(lived) as session:
            assert 3 == rebuild(session, shop.id)
        assert before == [member(lived, who).model_dump() for who in (ADA, BO, CY)]

    def test_broken(self, lived, shop):
        """Nothing is built on a chain that does not hold."""
        victim = entries(lived, ADA)[0]
        tamper(lived, "UPDATE ledger_entry SET points = 999 WHERE id = :id", id=victim.id)
        with pytest.raises(LedgerBroken) as broken, transaction(lived) as session:
            rebuild(session, shop.id)
        assert victim.id == broken.value.problem.entry_id
        assert 350 == member(lived, ADA).balance
