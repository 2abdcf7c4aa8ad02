"""What each kind of reward is in the words of the Admin API, and which store credit may be ours."""

import functools
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.fernet import Fernet
from graphql import GraphQLSchema, build_client_schema, parse
from graphql.execution.values import get_variable_values
from graphql.language.ast import OperationDefinitionNode

from loyalty.core.program import Combines, Reward
from loyalty.encryption import Cipher
from loyalty.models import RewardIssue, Shop
from loyalty.redemption.terms import frozen
from shopify_app import documents, gift_cards, store_credit
from shopify_app.discounts import CannotBeMade, creation
from shopify_app.reward_codes import code_of
from shopify_app.store_credit import Credit, credits_of

DATA = Path(__file__).parents[3] / "node_modules/@shopify/dev-mcp/dist/data/admin_2026-10.json.gz"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = datetime(2026, 12, 1, 5, tzinfo=UTC)


def reward(kind: str = "amount_off", **fields: Any) -> Reward:
    """A reward."""
    usual: dict[str, Any] = {"key": "r", "title": "A reward", "points": 100}
    amounts = (
        {"amount": Decimal("5.00")}
        if kind in ("amount_off", "incremental", "gift_card", "store_credit")
        else {}
    )
    return Reward(kind=kind, **(usual | amounts | fields))


def row(terms: Reward, **fields: Any) -> RewardIssue:
    """A reward that somebody is getting."""
    usual: dict[str, Any] = {
        "id": "issue-1",
        "shop_id": 1,
        "member_id": 1,
        "request_key": "key",
        "reward": terms.key,
        "title": terms.title,
        "points": terms.points,
        "kind": terms.kind,
        "terms": frozen(terms),
        "amount": terms.amount,
        "currency": "USD",
        "minimum_subtotal": terms.minimum_subtotal,
        "program_version": 1,
        "code": "LAUREL-1",
        "created_at": NOW,
    }
    return RewardIssue(**(usual | fields))


@functools.cache
def schema() -> GraphQLSchema:
    """Shopify's schema of the pinned version."""
    return build_client_schema(json.loads(gzip.decompress(DATA.read_bytes()))["data"])


def accepted(document: str, variables: dict[str, Any]) -> list[str]:
    """What Shopify's schema has against these variables."""
    (operation,) = parse(document).definitions
    assert isinstance(operation, OperationDefinitionNode)
    found = get_variable_values(schema(), operation.variable_definitions, variables)
    return [error.message for error in found] if isinstance(found, list) else []


KINDS = {
    "amount": reward(minimum_subtotal=Decimal("30.00")),
    "percentage": reward("percentage_off", percentage=Decimal("12.5")),
    "shipping": reward("free_shipping"),
    "product": reward("free_product", variant_id=77),
    "steps": reward("incremental"),
    "products": reward(products=frozenset({5, 4})),
    "collections": reward(collections=frozenset({9})),
}


class TestDiscounts:
    @pytest.mark.node
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("bound", [True, False])
    def test_schema(self, kind, bound):
        """Shopify's schema accepts the input of every kind, for a customer and for anybody."""
        made = creation(row(KINDS[kind], bound=bound, expires_at=END), 7, unit_price=Decimal("28.00"))
        assert accepted(made.document, {"discount": dict(made.discount)}) == []

    @pytest.mark.parametrize(
        ("kind", "gets"),
        [
            (
                "amount",
                {
                    "items": {"all": True},
                    "value": {"discountAmount": {"amount": "5.00", "appliesOnEachItem": False}},
                },
            ),
            ("percentage", {"items": {"all": True}, "value": {"percentage": 0.125}}),
            (
                "product",
                {
                    "items": {"products": {"productVariantsToAdd": ["gid://shopify/ProductVariant/77"]}},
                    "value": {"discountAmount": {"amount": "28.00", "appliesOnEachItem": False}},
                },
            ),
            (
                "products",
                {
                    "items": {
                        "products": {"productsToAdd": ["gid://shopify/Product/4", "gid://shopify/Product/5"]}
                    },
                    "value": {"discountAmount": {"amount": "5.00", "appliesOnEachItem": False}},
                },
            ),
        ],
    )
    def test_worth(self, kind, gets):
        """Each kind takes off what its reward says, from the goods that it says."""
        assert creation(row(KINDS[kind]), 7, unit_price=Decimal("28.00")).discount["customerGets"] == gets

    def test_steps(self):
        """One whose amount was chosen is worth what was chosen, not a step."""
        made = creation(row(KINDS["steps"], amount=Decimal("35.00")), 7).discount["customerGets"]
        assert made["value"]["discountAmount"]["amount"] == "35.00"

    def test_terms(self):
        """One use, one customer, a minimum, an end, and what it combines with."""
        combines = Combines(order=True, product=False, shipping=True)
        terms = reward(minimum_subtotal=Decimal("30.00"), combines=combines)
        made = creation(row(terms, expires_at=END), 7).discount
        assert (made["usageLimit"], made["endsAt"], made["context"]) == (
            1,
            "2026-12-01T05:00:00Z",
            {"customers": {"add": ["gid://shopify/Customer/7"]}},
        )
        assert made["minimumRequirement"] == {"subtotal": {"greaterThanOrEqualToSubtotal": "30.00"}}
        assert list(made["combinesWith"].values()) == [True, False, True]

    def test_shipping_alone(self):
        """A shipping discount never wants another one beside it."""
        made = creation(row(reward("free_shipping", combines=Combines(shipping=True))), 7)
        assert made.discount["combinesWith"]["shippingDiscounts"] is False
        assert "customerGets" not in made.discount

    @pytest.mark.parametrize(
        ("terms", "customer_id", "why"),
        [
            (reward(), None, "no_customer"),
            (
                reward("free_product", variant_id=77, minimum_subtotal=Decimal(5)),
                7,
                "free_product_with_minimum",
            ),
            (reward("free_product", variant_id=77), 7, "worth_nothing"),
        ],
    )
    def test_impossible(self, terms, customer_id, why):
        """What Shopify has no discount for is said, and not tried."""
        # The document knows no minimum for a free product; the row of an older one may have it.
        issue = row(replace(terms, minimum_subtotal=None), minimum_subtotal=terms.minimum_subtotal)
        with pytest.raises(CannotBeMade, match=why):
            creation(issue, customer_id)


class TestMoney:
    @pytest.mark.node
    def test_schema(self):
        """Shopify's schema accepts a gift card and a credit, with an end."""
        card = gift_cards.card_input(
            row(reward("gift_card"), expires_at=END, code="LAUREL12345"), 7, ZoneInfo("UTC")
        )
        credit = store_credit.credit_input(row(reward("store_credit"), expires_at=END))
        asked = {"customer": "gid://shopify/Customer/7", "credit": credit}
        assert accepted(documents.GIFT_CARD_CREATE, {"card": card}) == []
        assert accepted(documents.STORE_CREDIT_GIVE, asked) == []

    def test_last_day(self):
        """A card ends with the last day of its reward, in the shop's calendar."""
        ends = datetime(2026, 12, 1, 5, tzinfo=UTC)  # midnight in New York
        made = gift_cards.card_input(
            row(reward("gift_card"), expires_at=ends), 7, ZoneInfo("America/New_York")
        )
        assert made["expiresOn"] == "2026-11-30"

    def test_gift_for_a_stranger(self):
        """A card for somebody without an account is nobody's."""
        assert "customerId" not in gift_cards.card_input(
            row(reward("gift_card"), bound=False), None, ZoneInfo("UTC")
        )


class TestCodes:
    @pytest.fixture
    def shop(self) -> tuple[Cipher, Shop]:
        """A shop with a key of its own."""
        cipher = Cipher([Fernet.generate_key().decode()])
        domain = "fern-and-fig.myshopify.com"
        shop = Shop(domain=domain, first_installed_at=NOW, installed_at=NOW)
        shop.code_key = cipher.seal("a key of the shop's own", row=f"shop:{domain}")
        return cipher, shop

    def test_same(self, shop: tuple[Cipher, Shop]) -> None:
        """The same reward always has the same code, another one another, and store credit none."""
        one = code_of(*shop, row(reward(code_prefix="FERN")))
        assert one == code_of(*shop, row(reward(code_prefix="FERN")))
        assert one != code_of(*shop, row(reward(code_prefix="FERN"), id="issue-2"))
        assert one is not None
        assert one.startswith("FERN-")
        assert code_of(*shop, row(reward("store_credit"))) is None

    @pytest.mark.parametrize("prefix", ["A", "LAUREL", "EIGHTLET"])
    def test_cards(self, shop: tuple[Cipher, Shop], prefix: str) -> None:
        """A card's code is 8 to 20 letters and digits."""
        code = code_of(*shop, row(reward("gift_card", code_prefix=prefix)))
        assert code is not None
        assert code.isalnum()
        assert code.isupper()
        assert 8 <= len(code) <= 20


class TestCredits:
    """Which credits of a customer may be a reward's."""

    ASKED = row(reward("store_credit"), asked_at=NOW, asked_after="c1")

    def credit(
        self, name: str, amount: str = "5.00", minutes: float = 0, ends: datetime | None = None
    ) -> Credit:
        """A credit."""
        return Credit(name, Decimal(amount), NOW + timedelta(minutes=minutes), ends)

    @pytest.mark.parametrize(
        ("others", "found"),
        [
            ([], []),
            ([("c2", "5.00", 0)], ["c2"]),
            ([("c2", "5", 9)], ["c2"]),
            ([("c2", "6.00", 0)], []),
            ([("c2", "5.00", 11)], []),
            ([("c2", "5.00", -11)], []),
            ([("c3", "5.00", 1), ("c2", "5.00", 0)], ["c3", "c2"]),
        ],
    )
    def test_alike(self, others, found):
        """The same amount at about that time, and after what the customer had before: anything else is not ours."""
        history = [self.credit(*other) for other in others] + [
            self.credit("c1", minutes=-1),
            self.credit("c0"),
        ]
        assert [credit.id for credit in credits_of(self.ASKED, history)] == found

    def test_refund(self):
        """Money of a refund that was given back as credit is not ours, whatever its amount."""
        assert credits_of(self.ASKED, [replace(self.credit("c2"), by_hand=False)]) == []

    @pytest.mark.parametrize(
        ("ends", "ours"), [(END, True), (END + timedelta(seconds=2), False), (None, False)]
    )
    def test_end(self, ends, ours):
        """A credit with another end is another's."""
        asked = row(reward("store_credit"), asked_at=NOW, asked_after="", expires_at=END)
        assert bool(credits_of(asked, [self.credit("c2", ends=ends)])) is ours
