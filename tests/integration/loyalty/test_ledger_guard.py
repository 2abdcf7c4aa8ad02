"""The database itself keeps the ledger append-only, whoever asks."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from loyalty.models import LedgerEntry, Shop
from tests.integration.loyalty.story import ADA, joined, play, settle, tamper


def count(engine: Engine) -> int:
    with Session(engine) as session:
        return session.exec(select(func.count(col(LedgerEntry.id)))).one()


class TestGuard:
    @pytest.mark.parametrize(
        "change", ["points = points + 1", "reason = 'x'", "recorded_at = occurred_at", "hash = hash"]
    )
    def test_update(self, engine, shop, change):
        """No column of an entry can be changed, not even to what it is."""
        settle(engine, shop, joined(ADA))
        with pytest.raises(IntegrityError, match="never changed"), engine.begin() as connection:
            connection.execute(text(f"UPDATE ledger_entry SET {change}"))

    def test_delete(self, engine, shop):
        """No entry can be removed."""
        settle(engine, shop, joined(ADA))
        with pytest.raises(IntegrityError, match="never removed"), engine.begin() as connection:
            connection.execute(text("DELETE FROM ledger_entry"))
        assert 1 == count(engine)

    def test_erasing(self, engine, shop):
        """While a shop is being erased its entries can go, and only its own."""
        settle(engine, shop, joined(ADA))
        with engine.begin() as connection:
            connection.execute(text("UPDATE shop SET erasing_at = :at"), {"at": "2026-11-02 00:00:00+00"})
            assert 1 == connection.execute(text("DELETE FROM ledger_entry")).rowcount

    def test_erasing_another(self, engine, shop):
        """One shop's erasure opens no other shop's ledger."""
        settle(engine, shop, joined(ADA))
        with Session(engine) as session, session.begin():
            at = shop.installed_at
            other = Shop(domain="other.myshopify.com", first_installed_at=at, installed_at=at, erasing_at=at)
            session.add(other)
        with pytest.raises(IntegrityError, match="never removed"), engine.begin() as connection:
            connection.execute(text("DELETE FROM ledger_entry"))

    def test_erasing_is_no_pen(self, engine, shop):
        """Not even an erasure may change an entry."""
        settle(engine, shop, joined(ADA))
        with engine.begin() as connection:
            connection.execute(text("UPDATE shop SET erasing_at = :at"), {"at": "2026-11-02 00:00:00+00"})
        with pytest.raises(IntegrityError, match="never changed"), engine.begin() as connection:
            connection.execute(text("UPDATE ledger_entry SET points = 1"))

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_replace(self, engine, shop):
        """SQLite's INSERT OR REPLACE, which removes without saying so, is refused like a removal."""
        settle(engine, shop, joined(ADA))
        statement = "INSERT OR REPLACE INTO ledger_entry SELECT * FROM ledger_entry"
        with pytest.raises(IntegrityError, match="never removed"), engine.begin() as connection:
            connection.execute(text(statement))

    @pytest.mark.postgres
    def test_truncate(self, postgres_engine):
        """PostgreSQL's TRUNCATE, which fires no row's trigger, is refused even on an empty table."""
        with pytest.raises(IntegrityError, match="never changed"), postgres_engine.begin() as connection:
            connection.execute(text("TRUNCATE ledger_entry CASCADE"))

    def test_no_zero(self, engine, shop):
        """An entry moves points, or it is none."""
        play(engine, shop)
        with pytest.raises(IntegrityError, match="moves_points"):
            tamper(engine, "UPDATE ledger_entry SET points = 0")

    def test_once(self, engine, shop):
        """The same posting of the same source cannot be recorded twice, under whatever id and whoever's name."""
        play(engine, shop)
        columns = ", ".join(column for column in LedgerEntry.model_fields if column not in ("id", "position"))
        statement = f"INSERT INTO ledger_entry (id, position, {columns}) SELECT id || 'x', 99, {columns} FROM ledger_entry"
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(statement + " WHERE position = 1"))
