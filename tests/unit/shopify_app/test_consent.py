"""Who agrees to marketing e-mail: what webhooks say of it, and what the customer's own record says."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select

from loyalty.core.facts import CustomerSeen, ShopMessage
from loyalty.inbox import Malformed
from loyalty.models import InboxMessage, OutboxMessage
from loyalty.programs import apply
from shopify_app.consent import CONSENT_TOPIC, consent_changed
from shopify_app.customer_node import customer_of_node
from shopify_app.translate import translate

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AGREED = "2026-11-20T10:00:00-05:00"
NODE: dict[str, Any] = {
    "id": "gid://shopify/Customer/7",
    "firstName": "Iris",
    "lastName": None,
    "locale": "en",
    "createdAt": "2026-11-01T00:00:00Z",
    "updatedAt": "2026-11-20T15:00:00Z",
    "defaultEmailAddress": {
        "emailAddress": "Iris@FernAndFig.shop",
        "marketingState": "SUBSCRIBED",
        "marketingUpdatedAt": "2026-11-20T15:00:00Z",
    },
}
CUSTOMER: dict[str, Any] = {
    "id": 7,
    "email": "iris@fernandfig.shop",
    "created_at": "2026-11-01T00:00:00Z",
    "updated_at": "2026-11-01T00:00:00Z",
}
DOCUMENT = {
    "points": {"one": "point", "many": "points"},
    "earn": {"newsletter": {"points": 50, "title": "Join our newsletter"}},
}


def facts(topic: str, body: Any) -> Any:
    """The facts of a delivery."""
    return translate(
        InboxMessage(
            topic=topic,
            body=json.dumps(body).encode(),
            shop_domain="fern-and-fig.myshopify.com",
            source="shopify",
            delivery_id="d",
            received_at=AT,
            due_at=AT,
        )
    )


def consent(state: Any, at: Any = AGREED) -> dict[str, Any]:
    """The body of the topic."""
    return {"customer_id": 7, "email_marketing_consent": {"state": state, "consent_updated_at": at}}


class TestWebhook:
    def test_agreed(self):
        """Whoever agreed is to be read, once for each time that they agree; their address is not passed on."""
        (message,) = facts(CONSENT_TOPIC, consent("subscribed"))
        assert message == ShopMessage(
            CONSENT_TOPIC, {"customer_id": 7, "occasion": "2026-11-20T15:00:00+00:00"}
        )
        (undated,) = facts(CONSENT_TOPIC, consent("subscribed", None))
        assert undated.payload["occasion"] == AT.isoformat()

    @pytest.mark.parametrize(
        "state", ["not_subscribed", "pending", "unsubscribed", "redacted", "invalid", None]
    )
    def test_not_agreed(self, state):
        """Nobody is read who did not agree."""
        assert facts(CONSENT_TOPIC, consent(state)) == ()

    @pytest.mark.parametrize(
        "body", [{}, {"customer_id": 7, "email_marketing_consent": []}, consent("subscribed", "soon"),
                 {"email_marketing_consent": {"state": "subscribed"}}]
    )  # fmt: skip
    def test_malformed(self, body):
        """What cannot be understood is put aside with its reason."""
        with pytest.raises(Malformed):
            facts(CONSENT_TOPIC, body)

    def test_new_account(self):
        """A new account may have come with a ticked box: it is seen, and read for that."""
        seen, message = facts("customers/create", CUSTOMER)
        assert isinstance(seen, CustomerSeen)
        assert message.payload == {"customer_id": 7, "occasion": "created"}

    def test_changed_account(self):
        """A change of a customer does not say anything about it."""
        (seen,) = facts("customers/update", CUSTOMER)
        assert seen.subscribed_at is None

    def test_told_with_customer(self):
        """Where the customer's own message says it, nobody needs to be read."""
        told = CUSTOMER | {"email_marketing_consent": {"state": "subscribed", "consent_updated_at": AGREED}}
        (seen,) = facts("customers/create", told)
        assert seen.subscribed_at == datetime(2026, 11, 20, 15, tzinfo=UTC)


class TestNode:
    def test_agreed(self):
        """The record says since when."""
        fact = customer_of_node(NODE)
        assert fact.subscribed_at == datetime(2026, 11, 20, 15, tzinfo=UTC)
        assert (fact.identity.customer_id, fact.identity.email) == (7, "iris@fernandfig.shop")
        assert not fact.history

    @pytest.mark.parametrize(
        "address",
        [
            None,
            {"emailAddress": "a@fernandfig.shop", "marketingState": "PENDING", "marketingUpdatedAt": AGREED},
            {"emailAddress": "a@fernandfig.shop", "marketingState": "UNSUBSCRIBED", "marketingUpdatedAt": AGREED},
            {"emailAddress": "a@fernandfig.shop", "marketingState": "SUBSCRIBED", "marketingUpdatedAt": None},
        ],
    )  # fmt: skip
    def test_not_agreed(self, address):
        """Asked, gone again, or since nobody knows when: not agreed."""
        assert customer_of_node(NODE | {"defaultEmailAddress": address}).subscribed_at is None

    @pytest.mark.parametrize("change", [{"id": "7"}, {"createdAt": None}, {"defaultEmailAddress": "iris"}])
    def test_malformed(self, change):
        """A record of another shape is refused by the name of its field."""
        with pytest.raises(Malformed):
            customer_of_node(NODE | change)


class TestQueue:
    def asked(self, runtime, shop):
        """Two messages of one occasion; returns what was queued."""
        message = ShopMessage(CONSENT_TOPIC, {"customer_id": 7, "occasion": "created"})
        with runtime.transaction() as session:
            for _ in range(2):
                consent_changed(session, shop, message, AT)
        with runtime.reading() as session:
            rows = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "reread_customer"))
            return [row.payload for row in rows]

    def test_once(self, runtime, shop):
        """A customer is read once per occasion, where the program gives points for it."""
        with runtime.transaction() as session:
            apply(session, shop.id, DOCUMENT, author="test", now=AT)
        assert self.asked(runtime, shop) == [{"customer_id": 7}]

    def test_nothing_to_give(self, runtime, shop):
        """Nobody is read while the program gives nothing for it, or before there is a program."""
        assert self.asked(runtime, shop) == []
