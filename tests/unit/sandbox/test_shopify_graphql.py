"""The local Admin API: its schema is Shopify's, its costs are paid, its scopes hold."""

import functools
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_client_schema,
    get_named_type,
    is_composite_type,
)

from sandbox.shopify.graphql.schema import schema
from tests.unit.sandbox.shopify_rig import Rig, rig

REAL = Path(__file__).parents[3] / "node_modules/@shopify/dev-mcp/dist/data/admin_2026-10.json.gz"
EVERY_SCOPE = (
    "write_customers,write_orders,read_products,write_discounts,write_gift_cards,read_all_orders,"
    "read_store_credit_accounts,write_store_credit_account_transactions,read_customer_merge"
)


@pytest.fixture(name="shop")
def _shop() -> Iterator[Rig]:
    with rig() as found:
        yield found


@functools.cache
def real():
    """Shopify's own schema."""
    return build_client_schema(json.loads(gzip.decompress(REAL.read_bytes()))["data"])


@pytest.mark.node
class TestSubset:
    def test_agrees(self):
        """Every type, field, argument and enum value here exists there, with the same type."""
        wrong = []
        for name, kind in schema().type_map.items():
            if name.startswith("__"):
                continue
            theirs = real().type_map[name]
            for value in getattr(kind, "values", {}):
                if value not in theirs.values:
                    wrong.append(f"{name}.{value}")
            if not isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType, GraphQLInputObjectType)):
                continue
            for field_name, field in kind.fields.items():
                other = theirs.fields.get(field_name)
                if other is None or str(other.type) != str(field.type):
                    wrong.append(f"{name}.{field_name}")
                    continue
                for argument, given in getattr(field, "args", {}).items():
                    if argument not in other.args or str(other.args[argument].type) != str(given.type):
                        wrong.append(f"{name}.{field_name}({argument})")
        assert wrong == []

    def test_required_arguments(self):
        """No argument or input field that Shopify demands is missing here."""
        missing = []
        for name, kind in schema().type_map.items():
            if isinstance(kind, GraphQLInputObjectType):
                theirs = real().type_map[name].fields
                missing += [
                    f"{name}.{key}"
                    for key, value in theirs.items()
                    if str(value.type).endswith("!") and key not in kind.fields
                ]
        assert missing == []


def selection(kind, depth: int, seen: tuple[str, ...] = ()) -> str:
    """A selection of every field down to a depth; lists are asked for by `first`."""
    parts = ["__typename"]
    for name, field in getattr(kind, "fields", {}).items():
        target = get_named_type(field.type)
        needed = [a for a, given in field.args.items() if str(given.type).endswith("!")]
        arguments = {"key": 'key: "points"', "first": "first: 3"}
        if any(argument not in arguments for argument in needed):
            continue
        given = ", ".join(text for key, text in arguments.items() if key in field.args)
        given = f"({given})" if given else ""
        if not is_composite_type(target):
            parts.append(name + given)
        elif depth and target.name not in seen:
            below = selection(target, depth - 1, (*seen, target.name))
            parts.append(f"{name}{given} {{ {below} }}")
    return " ".join(parts)


class TestEveryField:
    """A field of the schema that no resolver answers would only be noticed by whoever needs it."""

    @pytest.fixture(name="graph")
    def _graph(self):
        with rig(scopes=EVERY_SCOPE) as found:
            found.post("//limits", bucket_size=100_000_000)
            person = found.post("/customers", email="ada@fernandfig.shop", phone="+15035550100")
            order = found.order(
                {"product": "boston-fern", "quantity": 3},
                {"product": "gift-card"},
                customer=person["id"],
                shipping="5.00",
                tax_rate="0.1",
                discount_amount="3",
            )
            path = f"/orders/{order['id']}"
            found.post(f"{path}/refund", lines=[{"index": 0, "quantity": 1}], shipping="1.00", amount="2.00")
            found.post(f"{path}/dispute")
            yield found, found.graph(), person, order

    @pytest.mark.parametrize("kind", ["Order", "Customer", "Shop", "AppInstallation", "Product"])
    def test_answers(self, graph, kind):
        """All fields of the objects that matter resolve without an error."""
        found, ask, person, order = graph
        roots = {
            "Order": f'order(id: "{order["admin_graphql_api_id"]}")',
            "Customer": f'customer(id: "{person["admin_graphql_api_id"]}")',
            "Shop": "shop",
            "AppInstallation": "currentAppInstallation",
            "Product": f'product(id: "gid://shopify/Product/{next(iter(found.sandbox.state.shop(found.domain).products))}")',
        }
        for field in schema().type_map[kind].fields.values():
            target = get_named_type(field.type)
            name = next(key for key, value in schema().type_map[kind].fields.items() if value is field)
            given = ", ".join(
                text
                for key, text in {"key": 'key: "points"', "first": "first: 2"}.items()
                if key in field.args
            )
            below = f" {{ {selection(target, 2, (kind,))} }}" if is_composite_type(target) else ""
            answer = ask(f"{{ {roots[kind]} {{ {name}{f'({given})' if given else ''}{below} }} }}")
            assert "errors" not in answer, (name, answer)

    def test_lists(self, graph):
        """The lists page, and their cursors lead on."""
        found, ask, *_ = graph
        found.post("/customers/synthetic", count=10)
        first = ask(
            "{ customers(first: 4) { nodes { id email } pageInfo { hasNextPage hasPreviousPage endCursor } } }"
        )
        page = first["data"]["customers"]
        assert page["pageInfo"]["hasNextPage"] is True
        second = ask(
            "query Q($a: String) { customers(first: 50, after: $a) { nodes { id } pageInfo { hasNextPage } } }",
            a=page["pageInfo"]["endCursor"],
        )["data"]["customers"]
        ids = [row["id"] for row in page["nodes"] + second["nodes"]]
        assert (len(set(ids)), second["pageInfo"]["hasNextPage"]) == (11, False)


class TestRules:
    def test_unknown_field(self, shop):
        """A field that does not exist is refused before anything runs."""
        answer = shop.graph()("{ shop { nickname } }")
        assert answer["errors"][0]["extensions"]["code"] == "undefinedField"
        assert "data" not in answer

    def test_page_size_needed(self, shop):
        """A list without a page size is an error with HTTP 200."""
        answer = shop.graph()("{ orders { nodes { id } } }")
        assert answer["errors"][0]["message"] == "you must provide one of first or last"

    def test_too_expensive(self, shop):
        """A query over 1000 points is refused whatever the bucket holds."""
        answer = shop.graph()("{ orders(first: 100) { nodes { id lineItems(first: 50) { nodes { id } } } } }")
        assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"

    def test_long_array(self, shop):
        """An input array holds at most 250 items."""
        answer = shop.graph()("query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["gid://x"] * 251)
        assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"

    def test_long_array_in_the_text(self, shop):
        """Neither does it matter whether the array is a variable or written out."""
        ids = ", ".join(['"gid://shopify/Order/1"'] * 251)
        answer = shop.graph()(f"{{ nodes(ids: [{ids}]) {{ id }} }}")
        assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"

    def test_operation_name(self, shop):
        """Of several operations the named one is carried out."""
        token = shop.exchange().json()["access_token"]
        url = f"{shop.sandbox.url}/shops/{shop.domain}/admin/api/2026-10/graphql.json"
        body = {"query": "query A { shop { name } } query B { shop { id } }", "operationName": "B"}
        headers = {"X-Shopify-Access-Token": token}
        answer = requests.post(url, json=body, headers=headers, timeout=30).json()
        assert list(answer["data"]["shop"]) == ["id"]
        wrong = requests.post(url, json=body | {"variables": ["x"]}, headers=headers, timeout=30)
        assert (wrong.status_code, "errors" in wrong.json()) == (200, True)

    def test_scope_of_writes(self, shop):
        """Tags and metafields of customers are written with the right to write customers only."""
        person = shop.post("/customers", email="tagged@fernandfig.shop")["admin_graphql_api_id"]
        graph = shop.graph()
        given = {"ownerId": person, "namespace": "$app", "key": "points"}
        graph(
            "mutation($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) { userErrors { code } } }",
            m=[{"ownerId": person, "key": "points", "value": "5"}],
        )
        shop.post("/scopes", remove=["write_customers"], add=["read_customers"])
        for query, variables in (
            ('mutation($o: ID!) { tagsAdd(id: $o, tags: ["vip"]) { node { id } } }', {"o": person}),
            ('mutation($o: ID!) { tagsRemove(id: $o, tags: ["vip"]) { node { id } } }', {"o": person}),
            (
                (
                    "mutation($m: [MetafieldIdentifierInput!]!)"
                    " { metafieldsDelete(metafields: $m) { deletedMetafields { key } } }"
                ),
                {"m": [given]},
            ),
        ):
            assert graph(query, **variables)["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"

    def test_scope(self, shop):
        """A field whose scope was not granted is null, with ACCESS_DENIED beside the rest of the answer."""
        order = shop.order(email="ada@fernandfig.shop")
        shop.post("/scopes", remove=["read_customers", "write_customers"])
        answer = shop.graph()(
            "query O($id: ID!) { order(id: $id) { name customer { id } } }", id=order["admin_graphql_api_id"]
        )
        assert answer["data"]["order"] == {"name": "#1001", "customer": None}
        assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"

    def test_old_orders(self, shop):
        """Without read_all_orders the world is sixty days old."""
        shop.order(processed_at="2026-01-05T10:00:00Z", silent=True)
        answer = shop.graph()("{ orders(first: 5) { nodes { name } } }")
        assert answer["data"]["orders"]["nodes"] == []

    def test_protected_data(self, shop):
        """Without approval for protected customer data a personal field is null with an error."""
        person = shop.post("/customers", email="ada@fernandfig.shop")
        shop.sandbox.state.shop(shop.domain).protected_data = "none"
        answer = shop.graph()(
            "query C($id: ID!) { customer(id: $id) { id firstName } }", id=person["admin_graphql_api_id"]
        )
        assert answer["data"]["customer"]["firstName"] is None
        assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


class TestThrottle:
    QUERY = "{ customers(first: 100) { nodes { id } } }"

    def test_bucket(self, shop):
        """A full page is reserved, and what was not used comes back."""
        shop.post("//limits", restore_rate=0.001)
        cost = shop.graph()(self.QUERY)["extensions"]["cost"]
        assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (102, 2)
        assert cost["throttleStatus"]["currentlyAvailable"] in (1997.0, 1998.0)

    def test_empty_bucket(self, shop):
        """A query that the bucket cannot pay is THROTTLED with HTTP 200 and does nothing."""
        shop.post("//limits", bucket_size=150.0, restore_rate=0.001)
        shop.post("/customers/synthetic", count=200)
        ask = shop.graph()
        assert "errors" not in ask(self.QUERY)
        answer = ask(self.QUERY)
        assert answer["errors"][0]["extensions"]["code"] == "THROTTLED"
        assert answer["extensions"]["cost"]["actualQueryCost"] is None


class TestMetafields:
    SET = "mutation M($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) { metafields { value compareDigest } userErrors { field code elementIndex } } }"

    def test_all_or_none(self, shop):
        """One bad value keeps all 25 from being written."""
        owner = shop.post("/customers", email="ada@fernandfig.shop")["admin_graphql_api_id"]
        ask = shop.graph()
        rows = [{"ownerId": owner, "key": "points", "value": "7"}]
        bad = ask(self.SET, m=[*rows, {"ownerId": owner, "key": "points", "value": "many"}])["data"]
        assert bad["metafieldsSet"]["userErrors"][0]["code"] == "INVALID_VALUE"
        query = 'query C($id: ID!) { customer(id: $id) { metafield(key: "points") { value } } }'
        assert ask(query, id=owner)["data"]["customer"]["metafield"] is None
        ask(self.SET, m=rows)
        assert ask(query, id=owner)["data"]["customer"]["metafield"]["value"] == "7"

    def test_compare(self, shop):
        """A stale digest is refused."""
        owner = shop.post("/customers", email="ada@fernandfig.shop")["admin_graphql_api_id"]
        ask = shop.graph()
        made = ask(self.SET, m=[{"ownerId": owner, "key": "points", "value": "7"}])["data"]["metafieldsSet"]
        row = {
            "ownerId": owner,
            "key": "points",
            "value": "8",
            "compareDigest": made["metafields"][0]["compareDigest"],
        }
        assert ask(self.SET, m=[row])["data"]["metafieldsSet"]["userErrors"] == []
        assert ask(self.SET, m=[row])["data"]["metafieldsSet"]["userErrors"][0]["code"] == "STALE_OBJECT"

    def test_installation(self, shop):
        """The app may write to its own installation."""
        ask = shop.graph()
        owner = ask("{ currentAppInstallation { id } }")["data"]["currentAppInstallation"]["id"]
        row = {"ownerId": owner, "namespace": "laurel", "key": "program", "type": "json", "value": '{"a": 1}'}
        assert ask(self.SET, m=[row])["data"]["metafieldsSet"]["userErrors"] == []

    def test_too_many(self, shop):
        """More than 25 at once is refused."""
        owner = shop.post("/customers", email="ada@fernandfig.shop")["admin_graphql_api_id"]
        rows = [{"ownerId": owner, "key": "points", "value": "7"}] * 26
        answer = shop.graph()(self.SET, m=rows)["data"]["metafieldsSet"]
        assert answer["userErrors"][0]["code"] == "LESS_THAN_OR_EQUAL_TO"
