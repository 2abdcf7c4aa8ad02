"""A shop is installed once, and comes back as the one it was, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty.database import transaction
from loyalty.encryption import Cipher
from loyalty.models import Run, Shop
from shopify_app import lifecycle

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DOMAIN = "fern-and-fig.myshopify.com"


def install(session: Session, *, days: int = 0) -> lifecycle.Installed:
    """The merchant opens the app some days later."""
    cipher = Cipher([Fernet.generate_key().decode()])
    return lifecycle.install(session, cipher, DOMAIN, now=NOW + timedelta(days=days))


class TestChanged:
    """What Shopify tells of the shop and of our rights in it."""

    def test_late(self, store: Any) -> None:
        """A delivery that arrives after a newer one does not undo it: in either order, what is true at Shopify stays."""
        old = {"id": 1, "name": "Fern", "iana_timezone": "Europe/Madrid", "currency": "EUR"}
        store.act("PATCH", "", name="Fern, Fig and Moss", timezone="America/Chicago")
        store.act("POST", "/scopes", add=["read_all_orders"])
        store.settle()
        for topic, payload in (("shop/update", old), ("app/scopes_update", {"current": [], "previous": []})):
            store.act("POST", "/webhooks", topic=topic, payload=payload)
            store.settle()

        shop = store.shop()
        assert (shop.name, shop.timezone, shop.currency) == ("Fern, Fig and Moss", "America/Chicago", "USD")
        assert {"read_all_orders", "read_orders"} <= set(shop.scopes.split(","))


class TestInstall:
    def test_again(self, engine: Engine) -> None:
        """A shop that has the app is not installed again: no new import, and the same key."""
        with transaction(engine) as session:
            first = install(session)
            key = session.get_one(Shop, first.shop_id).code_key
        with transaction(engine) as session:
            again = install(session, days=1)
            shop = session.get_one(Shop, first.shop_id)
            assert (first.is_new, again.is_new, again.run_id) == (True, False, None)
            assert (shop.code_key, shop.installed_at) == (key, NOW)
            assert len(session.exec(select(Run)).all()) == 1

    def test_back(self, engine: Engine) -> None:
        """A shop that was away is there again, and its customers are imported anew."""
        with transaction(engine) as session:
            shop_id = install(session).shop_id
            session.get_one(Shop, shop_id).uninstalled_at = NOW
        with transaction(engine) as session:
            assert install(session, days=9).is_new
            shop = session.get_one(Shop, shop_id)
            assert (shop.uninstalled_at, shop.installed_at) == (None, NOW + timedelta(days=9))
            assert shop.first_installed_at == NOW

    def test_back_at_once(self, engine: Engine) -> None:
        """A shop that comes back while its import is still being stopped is given a new import."""
        with transaction(engine) as session:
            first = install(session)
            lifecycle.forget_access(session, session.get_one(Shop, first.shop_id), now=NOW)
        with transaction(engine) as session:
            back = install(session, days=1)
            assert back.run_id != first.run_id
            states = session.exec(
                select(Run.state).where(Run.kind == lifecycle.CUSTOMER_IMPORT).order_by(col(Run.id))
            ).all()
            assert states == ["cancelled", "queued"]
