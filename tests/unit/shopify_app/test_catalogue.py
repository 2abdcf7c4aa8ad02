"""What products are of, as the Admin API answers it."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from loyalty.core.facts import OrderLine
from loyalty.inbox import Malformed
from shopify_app.admin_api import AdminClient
from shopify_app.catalogue import NOTHING, UNKNOWN, Catalogue, catalogue_of
from shopify_app.errors import AccessDenied, Unreachable
from tests.unit.core.makers import line, order


def node(*collections: int, tags: Any = ("fern",)) -> dict[str, Any]:
    """A product of the Admin API."""
    rows = [{"id": f"gid://shopify/Collection/{number}"} for number in collections]
    return {"id": "gid://shopify/Product/1", "tags": list(tags), "collections": {"nodes": rows}}


def of_product(number: int) -> OrderLine:
    """A line of an order, of which a webhook told."""
    return replace(line("10.00", line_id=number), product_id=number)


class Shopify:
    """Answers what products are of, and notes how many were asked for."""

    def __init__(self, nodes: dict[int, Any]) -> None:
        self.nodes = nodes
        self.errors: tuple[str, ...] = ()
        self.asked: list[list[int]] = []

    def query(self, _document: str, variables: dict[str, Any]) -> Any:
        numbers = [int(text.rpartition("/")[2]) for text in variables["ids"]]
        self.asked.append(numbers)
        return SimpleNamespace(
            data={"nodes": [self.nodes.get(number) for number in numbers]}, errors=self.errors
        )


class TestReading:
    def test_known(self):
        """Tags and collections are read; of a product that is gone, it is known that there are none."""
        assert catalogue_of(node(5, 6)) == (("fern",), (5, 6))
        assert catalogue_of(None) == NOTHING == ((), ())

    def test_not_asked_for(self):
        """A file whose lines cannot hold it leaves it open."""
        assert catalogue_of({"id": "gid://shopify/Product/1"}) == UNKNOWN == (None, None)

    @pytest.mark.parametrize(
        "product",
        ["fern", node() | {"tags": None}, node() | {"tags": [1]}, node() | {"collections": []},
         node() | {"collections": {"nodes": [{"id": "gid://shopify/Product/5"}]}}],
    )  # fmt: skip
    def test_malformed(self, product):
        """Another shape is refused by the name of its field."""
        with pytest.raises(Malformed):
            catalogue_of(product)


class TestImport:
    def catalogue(self, nodes: dict[int, Any]) -> tuple[Catalogue, Shopify]:
        """A catalogue before a Shopify of these products."""
        shopify = Shopify(nodes)
        api: AdminClient = shopify  # type: ignore[assignment]
        return Catalogue(api), shopify

    def test_once(self):
        """Each product is asked for once, fifteen at a time; lines that know are left as they are."""
        nodes = {number: node(number) for number in range(1, 18)}
        catalogue, shopify = self.catalogue(nodes)
        bought = order(*(of_product(n) for n in range(1, 18)))
        for _ in range(2):
            catalogue.learn([bought, bought])
        assert [len(numbers) for numbers in shopify.asked] == [15, 2]
        assert [row.collections for row in catalogue.complete(bought).lines] == [(n,) for n in range(1, 18)]
        catalogue.learn([catalogue.complete(bought)])
        assert len(shopify.asked) == 2

    def test_gone(self):
        """A product that is gone is of nothing from now on."""
        catalogue, _ = self.catalogue({})
        bought = order(of_product(7))
        catalogue.learn([bought])
        (row,) = catalogue.complete(bought).lines
        assert (row.tags, row.collections) == NOTHING

    def test_not_told(self):
        """A product that may not be read is not one that is gone."""
        catalogue, shopify = self.catalogue({})
        shopify.errors = ("ACCESS_DENIED",)
        with pytest.raises(AccessDenied):
            catalogue.learn([order(of_product(7))])

    def test_strange(self):
        """An answer of another shape is no answer."""
        catalogue, _ = self.catalogue({7: {"collections": 5}})
        with pytest.raises(Unreachable):
            catalogue.learn([order(of_product(7))])
