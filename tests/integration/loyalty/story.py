"""A small life of a shop, settled for real, for tests that look at the whole ledger."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text
from sqlmodel import Session, select

from loyalty.core.facts import (
    CustomerSeen,
    CustomersMerged,
    Fact,
    Identity,
    OrderSeen,
    PointsAdjusted,
    RewardRequested,
)
from loyalty.database import transaction
from loyalty.models import Member, Shop
from loyalty.points import absorb
from loyalty.redemption import request_reward
from loyalty.staff import adjust
from tests.unit.core.makers import line, order, review

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ADA = Identity(7001, "ada@fernandfig.shop")
BO = Identity(7002, "bo@fernandfig.shop")
CY = Identity(7003, "cy@fernandfig.shop")


def joined(who: Identity) -> CustomerSeen:
    """Somebody made an account."""
    return CustomerSeen(who, "Ada", "Byron", "en", NOW, NOW)


def bought(who: Identity, order_id: int, amount: str, *, refunded: str = "0", minute: int = 0) -> OrderSeen:
    """Somebody bought something, and perhaps had money back; as read at Shopify."""
    snapshot = order(line(amount), order_id=order_id, name=f"#{order_id}", created_at=NOW, refunded=refunded)
    at = NOW + timedelta(minutes=minute)
    return OrderSeen(replace(snapshot, updated_at=at), who, authoritative=True)


def settle(engine: Engine, shop: Shop, *facts: Fact) -> None:
    """Settle facts in one batch."""
    with transaction(engine) as session:
        absorb(session, shop, facts, now=NOW)


def member(engine: Engine, who: Identity) -> Member:
    """Somebody's row."""
    with Session(engine, expire_on_commit=False) as session:
        return session.exec(select(Member).where(Member.shopify_customer_id == who.customer_id)).one()


def play(engine: Engine, shop: Shop) -> None:
    """Three join; Ada buys, has some money back, writes a review and takes a reward; Bo buys; Cy becomes a part of Bo."""
    settle(engine, shop, joined(ADA), joined(BO), joined(CY), bought(ADA, 1, "800"), bought(BO, 2, "40.50"))
    settle(engine, shop, bought(ADA, 1, "800", refunded="100", minute=5))
    settle(engine, shop, review(email=ADA.email, submitted_at=NOW, seen_at=NOW))
    settle(engine, shop, CustomersMerged(7002, 7003, NOW))
    with transaction(engine) as session:
        request = RewardRequested("five_off", "key", "issue-1", NOW, code="LAUREL-1")
        request_reward(session, shop, session.get_one(Member, member(engine, ADA).id), request, now=NOW)
    with transaction(engine) as session:
        fact = PointsAdjusted(-7, "adjust-1", "A mistake", "staff", NOW)
        adjust(session, shop, session.get_one(Member, member(engine, BO).id), fact, now=NOW)


def tamper(engine: Engine, statement: str, **values: object) -> int:
    """What somebody with the database's password can do: lift the guard, change rows, put the guard back."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE ledger_entry DISABLE TRIGGER USER"))
            changed = connection.execute(text(statement), values).rowcount
            connection.execute(text("ALTER TABLE ledger_entry ENABLE TRIGGER USER"))
            return changed
        guards = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger_entry'")
        ).all()
        for name, _ in guards:
            connection.execute(text(f"DROP TRIGGER {name}"))
        changed = connection.execute(text(statement), values).rowcount
        for _, sql in guards:
            connection.exec_driver_sql(sql)
        return changed
