"""A shop's file is the shop: restored elsewhere it has the same books under the same seal, and what is not right is refused whole."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from engines import schema
from loyalty import programs, whole_shop
from loyalty.core.facts import CustomerDeleted, CustomersMerged
from loyalty.database import make_engine, reading, transaction
from loyalty.ledger import verify
from loyalty.liability.movements import owed_now
from loyalty.models import LedgerEntry, Member, OutboxMessage, Shop
from loyalty.points import absorb
from loyalty.whole_shop import restoring
from tests.integration.loyalty.conftest import DOMAIN
from tests.integration.loyalty.story import ADA, BO, CY, NOW, bought, joined, member, play, settle
from tests.integration.loyalty.test_member_import import bring


@pytest.fixture(name="elsewhere")
def _elsewhere(request, engine) -> Iterator[Engine]:
    """Another empty database of the same kind."""
    if engine.dialect.name == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('tmp_path')}/elsewhere.db"
        other = make_engine(url)
        schema.upgrade(other)
        yield other
        other.dispose()
        return
    server = request.getfixturevalue("postgres_server")
    other = make_engine(server.create("elsewhere", template="laurel_template"))
    yield other
    other.dispose()
    server.drop("elsewhere")


@pytest.fixture(name="lines")
def _lines(engine, runtime, shop) -> list[str]:
    """The file of a shop with a past: orders, refunds, a review, a reward, a merge, an import."""
    play(engine, shop)
    bring(runtime, shop, f"email,points,birthday\n{ADA.email},120,12-25\nguest@fernandfig.shop,7,\nbad,1,\n")
    return export(engine, shop)


def export(engine: Engine, shop: Shop) -> list[str]:
    """The lines of a shop's file."""
    with reading(engine) as session:
        found = session.exec(select(Shop).where(Shop.domain == shop.domain)).one()
        return list(whole_shop.shop_lines(session, found, now=NOW))


def restore(engine: Engine, lines: list[str]) -> whole_shop.Restored:
    """Restore a file in one transaction."""
    with transaction(engine) as session:
        return whole_shop.restore(session, lines, new_key=lambda domain: f"sealed for {domain}", now=NOW)


def changed(lines: list[str], place: int, **values) -> list[str]:
    """The file with another value in one of its lines."""
    return [*lines[:place], json.dumps(json.loads(lines[place]) | values), *lines[place + 1 :]]


def with_a_stranger(engine: Engine, *, number: int) -> None:
    """Another shop that the database has, and its member with a number."""
    with transaction(engine) as session:
        other = Shop(domain="other.myshopify.com", first_installed_at=NOW, installed_at=NOW)
        session.add(other)
        session.flush()
        people = {"email": "x@fernandfig.shop", "created_at": NOW, "updated_at": NOW}
        session.add(Member(id=number, shop_id=other.id, **people))


def of(lines: list[str], table: str) -> list[int]:
    """The places of a table's rows."""
    return [place for place, line in enumerate(lines) if json.loads(line).get("table") == table]


class TestRoundTrip:
    def test_same_books(self, engine, elsewhere, shop, lines):
        """The restored books are right and have the same digest; written again, the file is the same."""
        restored = restore(elsewhere, lines)
        with reading(engine) as here, reading(elsewhere) as there:
            assert list(verify.verify(there)) == []
            assert verify.digest(there, restored.shop_id) == verify.digest(here, shop.id) == restored.digest
        assert export(elsewhere, shop) == lines
        assert restored.rows["member"] == 4
        assert restored.rows["ledger_entry"] > 8

    def test_another_number(self, elsewhere, lines):
        """The shop may have another number there: the entries get the ids that belong to it."""
        with transaction(elsewhere) as session:
            session.add(Shop(domain="other.myshopify.com", first_installed_at=NOW, installed_at=NOW))
        restored = restore(elsewhere, lines)
        assert restored.shop_id == 2
        with reading(elsewhere) as session:
            assert list(verify.verify(session)) == []

    def test_life_goes_on(self, elsewhere, shop, lines):
        """Facts settle in the restored shop as they would have: nothing is given twice, new members get new numbers."""
        restore(elsewhere, lines)
        with reading(elsewhere) as session:
            there = session.exec(select(Shop)).one()
        before = member(elsewhere, ADA)
        settle(elsewhere, there, joined(ADA), bought(ADA, 1, "800", refunded="100", minute=5))
        settle(elsewhere, there, CustomersMerged(7002, 7003, NOW))
        assert member(elsewhere, ADA).balance == before.balance
        settle(elsewhere, there, bought(BO, 77, "10"))
        newcomer = joined(type(ADA)(7099, "dee@fernandfig.shop"))
        settle(elsewhere, there, newcomer)
        with reading(elsewhere) as session:
            assert list(verify.verify(session)) == []

    def test_merged(self, elsewhere, lines):
        """Who became a part of whom is restored."""
        restore(elsewhere, lines)
        assert member(elsewhere, CY).merged_into == member(elsewhere, BO).id

    def test_older(self, elsewhere, shop, lines):
        """A file from before money and time zones were kept restores; both are the shop's present ones then."""
        head = json.loads(lines[0])
        del head["shop"]["money_format"]
        place = head["tables"]["program_version"].index("timezone")
        head["tables"]["program_version"].pop(place)
        older = [json.dumps(head)]
        for line in lines[1:]:
            told = json.loads(line)
            if told.get("table") == "program_version" and "row" in told:
                told["row"].pop(place)
            older.append(json.dumps(told))
        restored = restore(elsewhere, older)
        with reading(elsewhere) as session:
            assert session.exec(select(Shop)).one().money_format == ""
            program = programs.current(session, restored.shop_id)
            assert program.timezone.key == session.exec(select(Shop)).one().timezone

    def test_before_people_were_gone(self, engine, elsewhere, shop, runtime):
        """A file from before it was noted when people went: nobody is owed the points of those who are gone, as after an upgrade."""
        play(engine, shop)
        with transaction(engine) as session:
            absorb(session, session.get_one(Shop, shop.id), [CustomerDeleted(ADA.customer_id)], now=NOW)
        lines = export(engine, shop)
        head = json.loads(lines[0])
        place = head["tables"]["member"].index("gone_at")
        head["tables"]["member"].pop(place)
        older = [json.dumps(head)]
        for line in lines[1:]:
            told = json.loads(line)
            if told.get("table") == "member" and "row" in told:
                told["row"].pop(place)
            older.append(json.dumps(told))
        with reading(engine) as session:
            owed = owed_now(session, shop.id)
        restored = restore(elsewhere, older)
        gone = member(elsewhere, ADA)
        assert (gone.gone_at, gone.balance > 0) == (gone.updated_at, True)
        assert member(elsewhere, BO).gone_at is None
        with reading(elsewhere) as session:
            assert owed_now(session, restored.shop_id) == owed

    def test_not_installed(self, elsewhere, lines):
        """A shop that the database did not know waits for its merchant; nothing is sent for it before."""
        restore(elsewhere, lines)
        with reading(elsewhere) as session:
            assert session.exec(select(Shop)).one().uninstalled_at is not None
            assert session.exec(select(OutboxMessage)).first() is None

    def test_installed(self, elsewhere, lines):
        """A shop that has just been installed and is empty takes the file; Shopify then gets every balance."""
        with transaction(elsewhere) as session:
            later = NOW + timedelta(hours=1)
            session.add(Shop(domain=DOMAIN, first_installed_at=later, installed_at=later))
        restore(elsewhere, lines)
        with reading(elsewhere) as session:
            assert session.exec(select(Shop)).one().first_installed_at < NOW
            told = session.exec(select(OutboxMessage)).all()
        assert {message.kind for message in told} == {"balance_metafield"}

    def test_small_batches(self, elsewhere, lines, monkeypatch):
        """The size of the batches changes nothing."""
        monkeypatch.setattr(restoring, "ROWS_AT_ONCE", 2)
        assert restore(elsewhere, lines).rows["member"] == 4


class TestRefused:
    def refused(self, engine: Engine, lines: list[str], words: str) -> None:
        with pytest.raises(whole_shop.RestoreRefused, match=words):
            restore(engine, lines)
        with reading(engine) as session:
            assert session.exec(select(Member).where(Member.email == ADA.email)).first() is None
            assert session.exec(select(LedgerEntry)).first() is None

    def test_not_empty(self, engine, shop, lines):
        """A shop that has members already takes no file."""
        with pytest.raises(whole_shop.RestoreRefused, match="not empty"):
            restore(engine, lines)

    def test_numbers_taken(self, elsewhere, lines):
        """Where others have the members' numbers the file is refused: the seals hold for these numbers only."""
        with_a_stranger(elsewhere, number=1)
        self.refused(elsewhere, lines, "same numbers")

    def test_another_shops_people(self, elsewhere, lines):
        """A file cannot reach into another shop: neither change its members nor hang anything on them."""
        with_a_stranger(elsewhere, number=9_001)
        own = json.loads(lines[of(lines, "member")[0]])["row"][0]
        link = json.dumps({"table": "member", "link": [9_001, "merged_into", own]})
        restored = lines[:]
        restored.insert(of(lines, "member")[-1] + 1, link)
        restore(elsewhere, restored)
        with reading(elsewhere) as session:
            assert session.get_one(Member, 9_001).merged_into is None

    @pytest.mark.parametrize(("table", "column"), [("award", "member_id"), ("member", "merged_into")])
    def test_about_strangers(self, elsewhere, lines, table, column):
        """Rows that are about another shop's members are refused."""
        with_a_stranger(elsewhere, number=9_001)
        columns, place = json.loads(lines[0])["tables"][table], of(lines, table)[-1]
        told = json.loads(lines[place])
        if column in columns:
            told["row"][columns.index(column)] = 9_001
        else:
            told["link"][2] = 9_001
        self.refused(elsewhere, changed(lines, place, **told), "of another shop")

    def test_cut_short(self, elsewhere, lines):
        """A file that was not written to its end is refused."""
        self.refused(elsewhere, lines[:-1], "ends too early")
        self.refused(elsewhere, lines[:1], "ends too early")

    def test_row_lost(self, elsewhere, lines):
        """A file that lacks a row is refused."""
        place = of(lines, "review")[0]
        self.refused(elsewhere, lines[:place] + lines[place + 1 :], "should have")

    def test_entry_changed(self, elsewhere, lines):
        """A file in which an entry was touched is refused."""
        place = of(lines, "ledger_entry")[0]
        row = json.loads(lines[place])["row"]
        columns = json.loads(lines[0])["tables"]["ledger_entry"]
        row[columns.index("points")] += 1
        self.refused(elsewhere, changed(lines, place, row=row), "not right")

    def test_other_seal(self, elsewhere, lines):
        """Books that are right in themselves but not those of the first line are refused."""
        seal = json.loads(lines[0])["digest"] | {"points": 1}
        self.refused(elsewhere, changed(lines, 0, digest=seal), "first line seals")

    @pytest.mark.parametrize(
        ("place", "values", "words"),
        [
            (0, {"laurel_shop": 99}, "version 99"),
            (0, {"shop": {}}, "which shop"),
            (0, {"digest": None}, "what the file has"),
            (0, {"tables": {"member": ["wings"]}}, "newer program"),
            (0, {"tables": {}}, "does not say what"),
            (1, {"table": "lease"}, "not known"),
            (1, {"row": [1]}, "does not fit"),
        ],
    )
    def test_nonsense(self, elsewhere, lines, place, values, words):
        """What is not understood is refused with its line."""
        self.refused(elsewhere, changed(lines, place, **values), words)

    def test_nowhere(self, elsewhere, lines):
        """A line that says who became a part of whom says both."""
        place = of(lines, "member")[-1]
        self.refused(elsewhere, changed(lines, place, link=[1]), "what points where")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "not a shop's file"),
            ("{}", "not a shop's file"),
            ("email,points", "not JSON"),
            ("[]", "not an object"),
        ],
    )
    def test_no_file(self, elsewhere, text, words):
        """Other files are told apart."""
        self.refused(elsewhere, text.splitlines(), words)

    def test_behind_the_end(self, elsewhere, lines):
        """Two files in one are not one file."""
        self.refused(elsewhere, lines + lines[1:2], "behind")
