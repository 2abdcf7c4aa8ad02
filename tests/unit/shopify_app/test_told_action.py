"""An action as a program tells of it: what is taken, and what is said about what is not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.core.facts import ActionDone, Identity
from loyalty.inbox import Malformed
from loyalty.models import InboxMessage
from shopify_app.api.told_action import Mistaken, read_action, translate

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GOOD: dict[str, Any] = {"rule": "survey", "id": "survey-1041", "email": "Iris@FernAndFig.shop "}


def wrong(**changes: Any) -> set[str]:
    """The fields that are named as wrong; a change to ``...`` takes the field out."""
    body = {key: value for key, value in (GOOD | changes).items() if value is not ...}
    with pytest.raises(Mistaken) as caught:
        read_action(body, now=NOW)
    return set(caught.value.errors)


class TestRead:
    def test_good(self):
        """Rule, id and person are read; the address in one spelling, the time as an instant."""
        told = read_action(GOOD | {"occurred_at": "2026-11-22T12:30:00+01:00"}, now=NOW)
        assert (told.rule, told.key, told.identity) == (
            "survey",
            "survey-1041",
            Identity(None, "iris@fernandfig.shop"),
        )
        assert told.occurred_at == NOW - timedelta(minutes=30)

    @pytest.mark.parametrize("given", [7001, "7001"])
    def test_customer(self, given):
        """Shopify's number of the customer may come as a number or as a text."""
        told = read_action({"rule": "survey", "id": "1", "customer_id": given}, now=NOW)
        assert told.identity == Identity(7001, None)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("rule", ...), ("rule", "Survey!"), ("rule", 7), ("rule", "x" * 51),
            ("id", ...), ("id", ""), ("id", "a b"), ("id", "x" * 101), ("id", 12), ("id", "ü"),
            ("email", ...), ("email", "iris"), ("email", None), ("email", "i\x00ris@fernandfig.shop"), ("email", ["a"]),
            ("customer_id", 0), ("customer_id", -1), ("customer_id", True), ("customer_id", 2**63),
            ("customer_id", "7001a"), ("customer_id", 7.0), ("customer_id", None),
            ("occurred_at", "soon"), ("occurred_at", "2026-11-22T12:00:00"), ("occurred_at", 5),
            ("occurred_at", "2026-11-22T12:06:00Z"), ("occurred_at", "0001-01-01T00:00:00+14:00"),
            ("occurred_at", "0001-01-01T00:00:00Z"), ("colour", "red"),
        ],
    )  # fmt: skip
    def test_mistakes(self, field, value):
        """Every mistake is named by its field."""
        assert wrong(**{field: value}) == {field}

    def test_all_at_once(self):
        """All mistakes are told together."""
        assert wrong(rule="", id="", email="x", when=1) == {"rule", "id", "email", "when"}


class TestTranslate:
    def message(self, body: bytes, **changes: Any) -> InboxMessage:
        """A delivery of the source ``api``."""
        return InboxMessage(
            shop_domain="fern-and-fig.myshopify.com",
            source="api",
            delivery_id="survey-1041",
            topic="action",
            body=body,
            received_at=NOW,
            due_at=NOW,
            **changes,
        )

    def test_fact(self):
        """It happened when it is said to have happened, else when we heard of it."""
        (fact,) = translate(self.message(json.dumps(GOOD).encode()))
        assert fact == ActionDone("survey", "survey-1041", Identity(None, "iris@fernandfig.shop"), NOW)

    def test_emptied(self):
        """A delivery that was emptied because its person is to be forgotten says nothing."""
        assert translate(self.message(b"", state="ignored")) == ()

    @pytest.mark.parametrize("body", [b"{", b"[]", b'{"rule": "survey"}'])
    def test_malformed(self, body):
        """What cannot be read is put aside, and the reason names no value."""
        with pytest.raises(Malformed):
            translate(self.message(body))
