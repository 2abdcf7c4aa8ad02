"""What products are of: their tags and collections, by which rules choose goods. Webhooks and imported files do not tell."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from loyalty.core.facts import OrderLine, OrderSnapshot
from loyalty.inbox import Malformed
from shopify_app import documents, reading
from shopify_app.admin_api import ACCESS_DENIED, AdminClient
from shopify_app.errors import AccessDenied, Unreachable
from shopify_app.gids import gid, number_of

Kinds = tuple[tuple[str, ...] | None, tuple[int, ...] | None]
# A line of no product, or of one that is gone, is of nothing; that is known, and not worth asking for again.
NOTHING: Kinds = ((), ())
UNKNOWN: Kinds = (None, None)


def catalogue_of(product: Any) -> Kinds:
    """Tags and collections of a product as the Admin API answers it; ``UNKNOWN`` where they were not asked for. Raises ``Malformed``."""
    if product is None:
        return NOTHING
    if not isinstance(product, dict):
        raise Malformed("product is not an object")
    if "collections" not in product:
        return UNKNOWN
    tags = product.get("tags")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise Malformed("tags is not a list of texts")
    rows = reading.tables(reading.table(product, "collections"), "nodes")
    try:
        return tuple(tags), tuple(number_of(row.get("id"), "Collection") for row in rows)
    except ValueError as error:
        raise Malformed(str(error)) from None


class Catalogue:
    """The products that one import has met, each asked for once."""

    def __init__(self, api: AdminClient) -> None:
        self._api = api
        self._known: dict[int, Kinds] = {}

    def learn(self, orders: Iterable[OrderSnapshot]) -> None:
        """Ask Shopify for the products of these orders that are not known yet. Raises ``ShopifyError``."""
        met = {line.product_id for order in orders for line in order.lines if _asks(line)}
        missing = sorted(number for number in met if number is not None and number not in self._known)
        for start in range(0, len(missing), documents.MOST_PRODUCTS):
            self._ask(missing[start : start + documents.MOST_PRODUCTS])

    def complete(self, order: OrderSnapshot) -> OrderSnapshot:
        """The order with what its products are of, as far as that was learnt."""
        return replace(order, lines=tuple(self._line(line) for line in order.lines))

    def _ask(self, numbers: list[int]) -> None:
        answer = self._api.query(documents.CATALOGUE, {"ids": [gid("Product", number) for number in numbers]})
        nodes = answer.data.get("nodes")
        # Nothing in the place of a product that may not be read does not mean that it is gone.
        if ACCESS_DENIED in answer.errors:
            raise AccessDenied(ACCESS_DENIED, status=200)
        if answer.errors or not isinstance(nodes, list) or len(nodes) != len(numbers):
            raise Unreachable(",".join(answer.errors) or "no_catalogue", status=200)
        try:
            found = [catalogue_of(node) for node in nodes]
        except Malformed as error:
            raise Unreachable(f"catalogue: {error}", status=200) from None
        self._known.update(zip(numbers, found, strict=True))

    def _line(self, line: OrderLine) -> OrderLine:
        if not _asks(line):
            return line
        tags, collections = self._known.get(line.product_id or 0, UNKNOWN)
        return replace(line, tags=tags, collections=collections)


def _asks(line: OrderLine) -> bool:
    return line.tags is None or line.collections is None
