"""What loyalty rewards are made of in the local Shopify: codes for some goods, free shipping, gift cards, store credit."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import requests

from tests.unit.sandbox.shopify_rig import Rig, rig

BASIC = """mutation C($d: DiscountCodeBasicInput!) { discountCodeBasicCreate(basicCodeDiscount: $d) {
  codeDiscountNode { id codeDiscount { ... on DiscountCodeBasic { customerGets { items { __typename
    ... on DiscountProducts { productVariants(first: 5) { nodes { id } } }
    ... on DiscountCollections { collections(first: 5) { nodes { title } } } } } } } }
  userErrors { field code } } }"""
SHIPPING = """mutation C($d: DiscountCodeFreeShippingInput!) { discountCodeFreeShippingCreate(freeShippingCodeDiscount: $d) {
  codeDiscountNode { id } userErrors { field code } } }"""
BXGY = """mutation C($d: DiscountCodeBxgyInput!) { discountCodeBxgyCreate(bxgyCodeDiscount: $d) {
  codeDiscountNode { id } userErrors { field code } } }"""
CARD = """mutation G($i: GiftCardCreateInput!) { giftCardCreate(input: $i) {
  giftCard { id lastCharacters balance { amount } } userErrors { field code } } }"""
CREDIT = """mutation S($id: ID!, $i: StoreCreditAccountCreditInput!) { storeCreditAccountCredit(id: $id, creditInput: $i) {
  storeCreditAccountTransaction { id } userErrors { field code } } }"""
CREDITS = """query Q($id: ID!, $back: Boolean!) { customer(id: $id) { storeCreditAccounts(first: 5) { nodes {
  transactions(first: 5, reverse: $back, query: "type:credit") { nodes {
    ... on StoreCreditAccountCreditTransaction { id amount { amount } } } } } } } }"""
RIGHTS = ["write_gift_cards", "read_store_credit_accounts", "write_store_credit_account_transactions"]


@pytest.fixture(name="shop")
def _shop() -> Iterator[Rig]:
    with rig() as found:
        found.post("//app", optional_scopes=",".join(RIGHTS))
        found.post("/scopes", add=RIGHTS)
        yield found


def code(**changes: Any) -> dict[str, Any]:
    """What every code has."""
    made = {
        "title": "A reward",
        "code": "LOY-1",
        "startsAt": "2026-01-01T00:00:00Z",
        "context": {"all": "ALL"},
    }
    return made | changes


def five_off(items: dict[str, Any]) -> dict[str, Any]:
    """Five dollars off some goods."""
    return code(
        customerGets={
            "items": items,
            "value": {"discountAmount": {"amount": "5.00", "appliesOnEachItem": False}},
        }
    )


def get(shop: Rig, path: str) -> Any:
    """Look into the shop."""
    answer = requests.get(f"{shop.base}{path}", timeout=30)
    assert answer.ok, answer.text
    return answer.json()


class TestGoods:
    def test_variant(self, shop):
        """A code for one variant takes its amount off that variant's lines, once however many pieces there are."""
        fern = next(item for item in get(shop, "/products")["products"] if item["handle"] == "boston-fern")
        variant = f"gid://shopify/ProductVariant/{fern['variant_id']}"
        made = shop.graph()(BASIC, d=five_off({"products": {"productVariantsToAdd": [variant]}}))["data"]
        items = made["discountCodeBasicCreate"]["codeDiscountNode"]["codeDiscount"]["customerGets"]["items"]
        order = shop.order(
            {"product": "boston-fern", "quantity": 2}, {"product": "maidenhair-fern"}, code="LOY-1"
        )

        assert items == {"__typename": "DiscountProducts", "productVariants": {"nodes": [{"id": variant}]}}
        assert [line["net"] for line in order["lines"]] == ["51.00", "24.50"]

    def test_collection(self, shop):
        """A code for a collection holds for what is in it, and for nothing else."""
        answer = shop.graph()("{ collections(first: 5) { nodes { id title } } }")["data"]["collections"][
            "nodes"
        ]
        plants = next(item["id"] for item in answer if item["title"] == "Plants")
        made = shop.graph()(BASIC, d=five_off({"collections": {"add": [plants]}}))["data"]
        assert made["discountCodeBasicCreate"]["userErrors"] == []
        order = shop.order({"product": "boston-fern"}, {"price": "40.00"}, code="LOY-1")

        assert [line["net"] for line in order["lines"]] == ["23.00", "40.00"]
        refused = shop.post("/orders", 422, lines=[{"price": "40.00"}], code="LOY-1")
        assert refused["error"] == "discount_not_applicable"

    @pytest.mark.parametrize(
        ("items", "wrong"),
        [
            ({"products": {"productVariantsToAdd": ["gid://shopify/ProductVariant/1"]}}, "INVALID"),
            ({"products": {"productsToAdd": ["gid://shopify/Product/1"]}}, "INVALID"),
            ({"collections": {"add": ["gid://shopify/Collection/1"]}}, "INVALID"),
            ({"products": {"productsToAdd": []}}, "BLANK"),
        ],
    )
    def test_unknown(self, shop, items, wrong):
        """Goods that the shop does not have are a user error."""
        made = shop.graph()(BASIC, d=five_off(items))["data"]["discountCodeBasicCreate"]
        assert [error["code"] for error in made["userErrors"]] == [wrong]

    def test_all_in_buy_x(self, shop):
        """Buy X get Y takes no "all items" on either side, as the schema says."""
        gets = {
            "items": {
                "products": {
                    "productsToAdd": [f"gid://shopify/Product/{get(shop, '/products')['products'][0]['id']}"]
                }
            },
            "value": {"discountOnQuantity": {"quantity": "1", "effect": {"percentage": 1.0}}},
        }
        buys = {"items": {"all": True}, "value": {"amount": "0.01"}}
        made = shop.graph()(BXGY, d=code(customerBuys=buys, customerGets=gets))["data"][
            "discountCodeBxgyCreate"
        ]
        assert [error["code"] for error in made["userErrors"]] == ["INVALID"]


class TestShipping:
    def test_free(self, shop):
        """The code pays for shipping and leaves the goods alone."""
        shop.graph()(SHIPPING, d=code(destination={"all": True}))
        order = shop.order({"price": "40.00"}, shipping="7.00", code="LOY-1")
        assert (order["subtotal"], order["total"]) == ("40.00", "40.00")

    def test_two(self, shop):
        """A shipping discount that wants to combine with others of its class is refused."""
        made = shop.graph()(SHIPPING, d=code(combinesWith={"shippingDiscounts": True}))["data"]
        errors = made["discountCodeFreeShippingCreate"]["userErrors"]
        assert [error["code"] for error in errors] == ["INVALID_COMBINES_WITH_FOR_DISCOUNT_CLASS"]


class TestGiftCard:
    CARD: ClassVar = {
        "code": "LAUREL7Q4K9M2X",
        "initialAmount": {"amount": "10.00", "currencyCode": "USD"},
        "note": "Ten dollars",
    }

    def test_found_by_code(self, shop):
        """The whole code finds a card; the answer shows its end, its note and what is left of it."""
        ask = shop.graph()
        ask(CARD, i=self.CARD)
        shop.post("/gift_cards/laurel7q4k9m2x/spend", amount="4.00")
        query = """{ giftCards(first: 3, query: "laurel7q4k9m2x") {
          nodes { note lastCharacters balance { amount } initialValue { amount } } } }"""
        (card,) = ask(query)["data"]["giftCards"]["nodes"]
        other = ask('{ giftCards(first: 3, query: "laurel7q4k9m2y") { nodes { id } } }')["data"]["giftCards"]

        assert (card["note"], card["lastCharacters"]) == ("Ten dollars", "9m2x")
        assert (float(card["balance"]["amount"]), float(card["initialValue"]["amount"])) == (6.0, 10.0)
        assert other["nodes"] == []

    def test_taken(self, shop):
        """A second card with the code is TAKEN, whatever the letter case."""
        ask = shop.graph()
        ask(CARD, i=self.CARD)
        again = ask(CARD, i=self.CARD | {"code": "laurel7q4k9m2x"})["data"]["giftCardCreate"]
        assert [error["code"] for error in again["userErrors"]] == ["TAKEN"]

    def test_scope(self, shop):
        """Without the right nothing is made."""
        shop.post("/scopes", remove=["write_gift_cards"])
        answer = shop.graph()(CARD, i=self.CARD)
        assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
        assert get(shop, "/gift_cards")["gift_cards"] == []


class TestStoreCredit:
    @pytest.fixture(name="owner")
    def _owner(self, shop):
        return shop.post("/customers", email="ada@fernandfig.shop")["admin_graphql_api_id"]

    def credit(self, shop: Rig, owner: str, amount: str) -> str:
        """Pay store credit; the transaction's id."""
        given = {"creditAmount": {"amount": amount, "currencyCode": "USD"}}
        made = shop.graph()(CREDIT, id=owner, i=given)["data"]["storeCreditAccountCredit"]
        assert made["userErrors"] == []
        return str(made["storeCreditAccountTransaction"]["id"])

    def test_no_key(self, shop, owner):
        """What is asked for twice is paid twice."""
        self.credit(shop, owner, "5.00")
        self.credit(shop, owner, "5.00")
        (account,) = get(shop, f"/customers/{owner.rsplit('/', 1)[1]}/store_credit")["accounts"]
        assert account["balance"] == "10.00"

    @pytest.mark.parametrize("back", [False, True])
    def test_order(self, shop, owner, back):
        """Credits are listed from the oldest, or from the newest when asked."""
        made = [self.credit(shop, owner, "5.00"), self.credit(shop, owner, "6.00")]
        nodes = shop.graph()(CREDITS, id=owner, back=back)["data"]["customer"]["storeCreditAccounts"]["nodes"]
        assert [row["id"] for row in nodes[0]["transactions"]["nodes"]] == (made[::-1] if back else made)

    @pytest.mark.parametrize(
        "scope", ["read_store_credit_accounts", "write_store_credit_account_transactions"]
    )
    def test_scope(self, shop, owner, scope):
        """Reading accounts and reading their movements are rights of their own."""
        self.credit(shop, owner, "5.00")
        shop.post("/scopes", remove=[scope])
        answer = shop.graph()(CREDITS, id=owner, back=True)
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"ACCESS_DENIED"}
