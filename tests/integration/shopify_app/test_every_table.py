"""The law knows no list of tables: whatever holds something of a shop is emptied with it, and whatever names a person forgets them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import JSON, Column, Engine, Table, func, insert, select
from sqlmodel import SQLModel
from sqlmodel import select as of_table

from loyalty import runs, whole_shop
from loyalty.core.facts import ShopMessage
from loyalty.database import reading, transaction
from loyalty.encryption import Cipher
from loyalty.models import Run, Shop
from loyalty.models.columns import Money, UtcDateTime
from loyalty.runtime import Runtime
from shopify_app.erasure import erase_step, owned_tables
from shopify_app.lifecycle import redacted
from shopify_app.privacy import customer_redacted

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
EMAIL = "ada.lovelace@fernandfig.shop"
NAMES = ("Augusta", "Lovelace")
CUSTOMER = 7_001_700_170
# Columns that hold, or could hold, something of a person, and who forgets it there.
PERSONAL = {
    "import_row.email": "shopify_app.forgetting",
    "klaviyo_connection.account_name": "the merchant's own account",
    "member.birthday_day": "shopify_app.privacy",
    "member.birthday_month": "shopify_app.privacy",
    "member.birthday_told_at": "shopify_app.privacy",
    "member.email": "shopify_app.privacy",
    "member.first_name": "shopify_app.privacy",
    "member.last_name": "shopify_app.privacy",
    "member.locale": "shopify_app.privacy",
    "member.referral_code": "shopify_app.privacy",
    "member_device.device": "shopify_app.forgetting",
    "member_merge.email": "shopify_app.forgetting",
    "referral.device": "shopify_app.forgetting",
    "referral.network": "shopify_app.forgetting",
    "review.email": "shopify_app.privacy",
    "shop.contact_email": "the merchant's own, gone with the shop",
}
_SUSPICIOUS = re.compile(
    r"email|first_name|last_name|account_name|phone|address|birthday|locale|device$|network|referral_code|^ip_"
)

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(name="runtime")
def _runtime(engine: Engine) -> Runtime:
    return Runtime(engine, Cipher([Fernet.generate_key().decode()]), lambda *_a, **_k: None, lambda: NOW)


def filled(engine: Engine, domain: str, **given: Any) -> dict[str, Any]:
    """A row in every table for one shop (and what it needs); returns the key of each. ``given`` are values by ``table_column``."""
    keys: dict[str, Any] = {}
    with transaction(engine) as session:
        for table in SQLModel.metadata.sorted_tables:
            values = {column.name: _value(column, domain, keys) for column in table.columns}
            values |= {
                name.partition("__")[2]: value
                for name, value in given.items()
                if name.startswith(f"{table.name}__")
            }
            row = {name: value for name, value in values.items() if value is not None}
            (key,) = table.primary_key.columns
            keys[table.name] = session.execute(insert(table).values(row).returning(key)).scalar_one()
    return keys


def _value(column: Column[Any], domain: str, keys: dict[str, Any]) -> Any:
    """Something that the column can hold."""
    table: Table = column.table
    for key in column.foreign_keys:
        return keys.get(key.column.table.name)
    if column.name in ("domain", "shop_domain"):
        return domain
    if (table.name, column.name) in (("shop", "erasing_at"), ("member", "merged_into")):
        return None
    if isinstance(column.type, UtcDateTime):
        return NOW
    if isinstance(column.type, Money):
        return Decimal(1)
    if isinstance(column.type, JSON):
        return {}
    kind = column.type.python_type
    if column.primary_key and kind is int:
        return None
    made = {int: 1, bool: False, bytes: b"x"}
    return made.get(kind, f"{domain}:{table.name}.{column.name}")


def counts(engine: Engine) -> dict[str, int]:
    """How many rows every table has."""
    with reading(engine) as session:
        return {
            table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in SQLModel.metadata.sorted_tables
        }


def everything(engine: Engine) -> list[str]:
    """Every value of every table, as text."""
    found = []
    with reading(engine) as session:
        for table in SQLModel.metadata.sorted_tables:
            found += [f"{table.name}: {tuple(row)!r}" for row in session.execute(select(table))]
    return found


class TestShopRedact:
    def test_every_table(self, engine, runtime):
        """Nothing of an erased shop is left in any table, and nothing of another shop is gone."""
        mine = filled(engine, "gone.myshopify.com")
        other = filled(engine, "stays.myshopify.com")
        with transaction(engine) as session:
            shop = session.get_one(Shop, mine["shop"])
            redacted(session, shop, ShopMessage("shop/redact", {}), NOW)
            run_id = session.exec(of_table(Run.id).where(Run.kind == "shop_erasure")).one()
        assert runs.advance(runtime, run_id, erase_step, seconds=60) is None
        assert mine["shop"] != other["shop"]
        left = counts(engine)
        # Leases have no shop; each ends by itself.
        assert {name: count for name, count in left.items() if count != 1 and name != "lease"} == {}
        assert [
            line
            for line in everything(engine)
            if "gone.myshopify.com" in line and not line.startswith("lease")
        ] == []

    def test_no_table_forgotten(self):
        """Every table that belongs to a shop is either erased with it by name or is the shop's own."""
        owned = {table.name for table in owned_tables()}
        belongs = {
            table.name
            for table in SQLModel.metadata.sorted_tables
            if any(key.column.table.name in ("shop", "run", "member") for key in table.foreign_keys)
        }
        assert belongs - owned == {"run"}


class TestCustomerRedact:
    def test_every_table(self, engine, runtime):
        """After the redaction no table holds the person's address or name, and the customer's number stands nowhere but in the ledger."""
        keys = filled(
            engine,
            "fern-and-fig.myshopify.com",
            member__email=EMAIL,
            member__first_name=NAMES[0],
            member__last_name=NAMES[1],
            member__referral_code="AUGUSTA-1",
            member__shopify_customer_id=CUSTOMER,
            member__state="member",
            review__email=EMAIL,
            inbox__body=f'{{"customer": {{"id": {CUSTOMER}, "email": "{EMAIL}"}}}}'.encode(),
            inbox__state="parked",
            import_chunk__data=f"email,name\nbo@fernandfig.shop,Bo\n{EMAIL.upper()},Augusta Lovelace\n".encode(),
            import_row__email=EMAIL,
            import_row__customer_id=CUSTOMER,
            import_row__state="good",
            import_row__told={"first_name": "Augusta", "birthday": [12, 10]},
            import_row__before={"first_name": [None, "Augusta"]},
            member_merge__email=EMAIL,
            member_merge__moved={"orders": [1]},
            privacy_request__shopify_customer_id=CUSTOMER,
        )
        payload = {"customer_id": CUSTOMER, "email": EMAIL, "inbox_id": 999, "orders": []}
        with transaction(engine) as session:
            shop = session.get_one(Shop, keys["shop"])
            message = ShopMessage("customers/redact", payload)
            customer_redacted(runtime.cipher, session, shop, message, NOW + timedelta(minutes=1))
        left = everything(engine)
        words = (EMAIL, *NAMES, "AUGUSTA-1", str(CUSTOMER))
        assert [line for line in left if any(word.lower() in line.lower() for word in words)] == []
        (piece,) = [line for line in left if line.startswith("import_chunk")]
        assert "bo@fernandfig.shop,Bo\\n\\n" in piece
        (merge,) = [line for line in left if line.startswith("member_merge")]
        assert "orders" in merge

    def test_columns_known(self):
        """Every column that sounds like a person has somebody who forgets it: a new one needs a thought."""
        found = {
            f"{table.name}.{column.name}"
            for table in SQLModel.metadata.sorted_tables
            for column in table.columns
            if _SUSPICIOUS.search(column.name)
        }
        assert found == set(PERSONAL)


class TestWholeShop:
    def test_every_table(self):
        """Every table of a shop is in its file, or stays behind for a reason that is written down."""
        kept = {model.__table__.name for model in whole_shop.KEPT}
        owned = {table.name for table in owned_tables()} | {"inbox", "run"}
        assert kept & set(whole_shop.LEFT_OUT) == set()
        assert kept | set(whole_shop.LEFT_OUT) == owned
