"""What the law asks for: a person's data, forgetting a person, forgetting a shop."""

import json
from datetime import timedelta

import pytest
from sqlmodel import SQLModel, select

from loyalty import inbox
from loyalty.models import (
    InboxMessage,
    KlaviyoConnection,
    LedgerEntry,
    Member,
    OutboxMessage,
    PrivacyRequest,
    Review,
    Run,
    Shop,
)
from shopify_app.errors import BeingErased
from shopify_app.lifecycle import install
from shopify_app.person_export import answer_request, member_export

EMAIL = "iris@fernandfig.shop"


def everything(store) -> str:
    """Every value of every table, as text; sealed values stay sealed."""
    found = []
    with store.runtime.reading() as session:
        for table in SQLModel.metadata.sorted_tables:
            for row in session.execute(table.select()):
                found.append(f"{table.name}: {tuple(row)!r}")
    return "\n".join(found)


def connect_klaviyo(store) -> None:
    """Pretend that the shop is connected to Klaviyo, as far as the tables know."""
    with store.runtime.transaction() as session:
        session.add(
            KlaviyoConnection(
                shop_id=store.shop().id, road="oauth", state="connected", connected_at=store.runtime.clock()
            )
        )


def wait_for_review(store, email: str) -> None:
    """A review whose author is not known yet."""
    now = store.runtime.clock()
    with store.runtime.transaction() as session:
        session.add(
            Review(
                shop_id=store.shop().id,
                review_id="r1",
                email=email,
                kind="review",
                submitted_at=now,
                updated_at=now,
            )
        )


def deliver(store, topic: str, body: dict, *, state: str = "due", delivery_id: str = "d1") -> None:
    """Put a delivery into the inbox as it would lie there."""
    now = store.runtime.clock()
    with store.runtime.transaction() as session:
        inbox.receive(
            session.connection(),
            shop_domain=store.domain,
            source="shopify",
            delivery_id=delivery_id,
            topic=topic,
            body=json.dumps(body).encode(),
            now=now,
        )
        row = session.exec(select(InboxMessage).where(InboxMessage.delivery_id == delivery_id)).one()
        row.state = state
        row.due_at = now + timedelta(hours=1)


class TestCustomerRedact:
    """Forgetting a person."""

    def test_forgotten(self, store):
        """No name or address of the person is left, and their id only where the ledger says what an entry came from."""
        customer, other = store.sign_up(), store.sign_up("rowan@fernandfig.shop", first_name="Rowan")
        store.buy(customer=customer)
        store.settle()
        member = store.member(customer)
        connect_klaviyo(store)
        wait_for_review(store, EMAIL)
        deliver(store, "orders/updated", {"customer": {"id": customer, "email": EMAIL}}, state="parked")
        entries = store.rows(LedgerEntry, member_id=member.id)
        store.act("POST", f"/customers/{customer}/redact")
        store.receive()
        left = everything(store)
        assert "iris" not in left.lower()
        tables = {line.split(":")[0] for line in left.splitlines() if str(customer) in line}
        assert tables <= {"ledger_entry", "award"}
        with store.runtime.reading() as session:
            gone = session.get_one(Member, member.id)
            assert (gone.state, gone.balance) == ("redacted", member.balance)
            assert gone.gone_at is not None
        assert [row.hash for row in store.rows(LedgerEntry, member_id=member.id)] == [
            row.hash for row in entries
        ]
        assert store.member(other).email == "rowan@fernandfig.shop"

    def test_klaviyo(self, store):
        """Klaviyo is asked to forget what we wrote; the address travels sealed."""
        customer = store.sign_up()
        store.settle()
        connect_klaviyo(store)
        store.act("POST", f"/customers/{customer}/redact")
        store.receive()
        (message,) = store.outbox("forget_profile")
        assert message.channel == "klaviyo"
        assert EMAIL not in json.dumps(message.payload)
        assert store.runtime.cipher.open(message.payload["sealed"], row=f"forget:{store.shop().id}") == EMAIL

    def test_former_address(self, store):
        """The address of an account that is merged into another one is nobody's any more, and Klaviyo is asked to forget it, too."""
        first, second = store.sign_up(), store.sign_up("iris.old@fernandfig.shop")
        store.settle()
        connect_klaviyo(store)
        store.act("POST", f"/customers/{first}/merge", **{"with": second})
        store.receive()
        (message,) = store.outbox("forget_profile")
        sealed = message.payload["sealed"]
        kept = store.member(first).email
        given_up = {EMAIL, "iris.old@fernandfig.shop"} - {kept}
        assert {store.runtime.cipher.open(sealed, row=f"forget:{store.shop().id}")} == given_up

    def test_recorded(self, store):
        """The request is on record as answered, and names nobody."""
        customer = store.sign_up()
        store.settle()
        store.act("POST", f"/customers/{customer}/redact")
        store.receive()
        (request,) = store.rows(PrivacyRequest)
        assert (request.kind, request.shopify_customer_id) == ("customer_redact", None)
        assert request.completed_at is not None

    def test_merged_accounts(self, store):
        """Accounts that were merged into the person's are forgotten with it."""
        first, second = store.sign_up(), store.sign_up("iris.old@fernandfig.shop")
        store.settle()
        store.act("POST", f"/customers/{first}/merge", **{"with": second})
        store.settle()
        store.act("POST", f"/customers/{first}/redact")
        store.receive()
        assert "iris" not in everything(store).lower()

    def test_unknown(self, store):
        """A person that we never met is answered too."""
        deliver(
            store,
            "customers/redact",
            {"shop_domain": store.domain, "customer": {"id": 5, "email": "nobody@fernandfig.shop"}},
        )
        with store.runtime.transaction() as session:
            session.exec(select(InboxMessage)).one().due_at = store.runtime.clock()
        store.receive()
        assert [row.kind for row in store.rows(PrivacyRequest)] == ["customer_redact"]

    def test_address_of_another(self, store):
        """Whoever has the person's address by now (as the same people who come back have) is another customer, and keeps everything."""
        first = store.sign_up()
        store.settle()
        store.act("DELETE", f"/customers/{first}")
        store.settle()
        second = store.sign_up()
        store.settle()
        connect_klaviyo(store)
        deliver(store, "orders/updated", {"customer": {"id": second, "email": EMAIL}}, delivery_id="waits")
        body = {"shop_domain": store.domain, "customer": {"id": first, "email": EMAIL}}
        deliver(store, "customers/redact", body)
        with store.runtime.transaction() as session:
            for row in session.exec(select(InboxMessage).where(InboxMessage.delivery_id == "d1")):
                row.due_at = store.runtime.clock()
        store.receive()
        assert sorted((row.state, row.shopify_customer_id) for row in store.rows(Member)) == [
            ("member", second),
            ("redacted", None),
        ]
        assert (store.member(second).email, store.member(second).balance) == (EMAIL, 100)
        assert store.outbox("forget_profile") == []
        assert [row.state for row in store.rows(InboxMessage, delivery_id="waits")] == ["due"]

    def test_late_delivery(self, store):
        """A delivery about the person in the same batch does not bring the person back."""
        customer = store.sign_up()
        store.settle()
        store.switch("/webhooks/modes", hold=True)
        store.act("POST", f"/customers/{customer}/redact")
        store.switch("/webhooks/modes", hold=False)
        assert store.sandbox.state.sender.idle(60)
        body = {
            "id": customer,
            "email": EMAIL,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
        }
        deliver(store, "customers/update", body, delivery_id="late")
        with store.runtime.transaction() as session:
            for row in session.exec(select(InboxMessage)).all():
                if row.delivery_id == "late":
                    row.due_at = store.runtime.clock()
        store.receive()
        assert "iris" not in everything(store).lower()
        assert {row.state for row in store.rows(InboxMessage)} <= {"done", "ignored"}


class TestDataRequest:
    """Handing a person's data over."""

    def test_export(self, store):
        """The export holds everything that is known of the person, and counts as the answer."""
        customer = store.sign_up()
        order = store.buy(customer=customer)
        store.settle()
        store.act("POST", f"/customers/{customer}/data_request")
        store.receive()
        (request,) = store.rows(PrivacyRequest)
        assert (request.kind, request.completed_at) == ("data_request", None)
        with store.runtime.transaction() as session:
            export = answer_request(session, store.shop().id, request.id, now=store.runtime.clock())
        assert export["person"]["email"] == EMAIL
        assert export["person"]["shopify_customer_id"] == customer
        assert [entry["points"] for entry in export["points"]] == [100, 100]
        assert [row["order_id"] for row in export["orders"]] == [order["id"]]
        assert {message["kind"] for message in export["messages"]} >= {"balance_metafield"}
        json.dumps(export)
        (request,) = store.rows(PrivacyRequest)
        assert request.completed_at is not None

    def test_merged(self, store):
        """What belonged to accounts that were merged into the person's is theirs."""
        first, second = store.sign_up(), store.sign_up("iris.old@fernandfig.shop")
        store.settle()
        store.act("POST", f"/customers/{first}/merge", **{"with": second})
        store.settle()
        with store.runtime.reading() as session:
            export = member_export(session, session.get_one(Member, store.member(first).id))
        assert [row["shopify_customer_id"] for row in export["merged_accounts"]] == [second]
        assert sum(entry["points"] for entry in export["points"]) == store.member(first).balance

    def test_repeat(self, store):
        """A request that is delivered again is the same request; one of another shop is not answered here."""
        customer = store.sign_up()
        store.settle()
        store.switch("/webhooks/modes", copies=3)
        store.act("POST", f"/customers/{customer}/data_request")
        store.receive()
        (request,) = store.rows(PrivacyRequest)
        with store.runtime.transaction() as session:
            assert answer_request(session, 999, request.id, now=store.runtime.clock()) is None


class TestShopRedact:
    """Forgetting a shop."""

    @pytest.fixture
    def gone(self, store):
        """A shop with a past, that removed the app and of which Shopify asks to forget everything."""
        customer, other = store.sign_up(), store.sign_up("rowan@fernandfig.shop")
        store.buy(customer=customer)
        store.settle()
        store.act("POST", f"/customers/{customer}/merge", **{"with": other})
        store.settle()
        connect_klaviyo(store)
        wait_for_review(store, "x@fernandfig.shop")
        store.act("POST", "/uninstall")
        store.receive()
        store.act("POST", "/redact")
        store.receive()
        return store

    def test_nothing_left(self, gone):
        """Not a row is left, of any table; another shop keeps all of its own."""
        now = gone.runtime.clock()
        with gone.runtime.transaction() as session:
            install(session, gone.runtime.cipher, "other-shop.myshopify.com", now=now)
        (run,) = gone.rows(Run, kind="shop_erasure")
        assert gone.shop().erasing_at is not None
        gone.erase(run.id)
        left = [line for line in everything(gone).splitlines() if "other-shop" not in line]
        assert {line.split(":")[0] for line in left} <= {"run", "program_version", "outbox"}
        with gone.runtime.reading() as session:
            (shop,) = session.exec(select(Shop)).all()
            assert shop.domain == "other-shop.myshopify.com"
            assert {row.shop_id for row in session.exec(select(OutboxMessage))} == {shop.id}
            assert {row.shop_id for row in session.exec(select(Run))} == {shop.id}

    def test_not_in_the_middle(self, gone):
        """Nobody installs the app anew while the shop is being erased; afterwards it is a new shop."""
        with pytest.raises(BeingErased), gone.runtime.transaction() as session:
            install(session, gone.runtime.cipher, gone.domain, now=gone.runtime.clock())
        gone.act("POST", "/install")
        page = gone.open_app()
        assert (page.status_code, "being erased" in page.text) == (503, True)
        (run,) = gone.rows(Run, kind="shop_erasure")
        gone.erase(run.id)
        assert gone.open_app().status_code == 200
        assert gone.rows(LedgerEntry) == []

    def test_reinstalled(self, store):
        """A shop that has the app again is not erased by an old message."""
        customer = store.sign_up()
        store.settle()
        deliver(store, "shop/redact", {"shop_id": 1, "shop_domain": store.domain})
        with store.runtime.transaction() as session:
            for row in session.exec(select(InboxMessage).where(InboxMessage.state == "due")):
                row.due_at = store.runtime.clock()
        store.settle()
        assert store.shop().erasing_at is None
        assert store.member(customer).balance == 100

    def test_unheard_removal(self, store):
        """A shop of whose removal nobody told is erased when Shopify asks for it and no longer knows our tokens."""
        store.switch("/webhooks/modes", drop_percent=100)
        store.act("POST", "/uninstall")
        store.switch("/webhooks/modes", drop_percent=0)
        store.act("POST", "/redact")
        store.receive()
        assert store.shop().erasing_at is None
        store.settle()
        assert (store.shop().erasing_at is None, store.shop().uninstalled_at is None) == (False, False)
        (run,) = store.rows(Run, kind="shop_erasure")
        store.erase(run.id)
        with store.runtime.reading() as session:
            assert session.exec(select(Shop)).all() == []
