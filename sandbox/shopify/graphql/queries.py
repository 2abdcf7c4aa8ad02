"""The root of every query: single objects, lists, and the look-ups a loyalty app needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from graphql import GraphQLError

from sandbox.shopify.config import API_VERSION
from sandbox.shopify.graphql import connections
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.registry import fields
from sandbox.shopify.graphql.search import matcher
from sandbox.shopify.graphql.shop_fields import variant
from sandbox.shopify.ids import number
from sandbox.shopify.order import Order
from sandbox.shopify.people import Customer
from sandbox.shopify.totals import financial_status

RECENT = timedelta(days=60)

ORDER_SEARCH: dict[str, Callable[[Order], Any]] = {
    "id": lambda o: o.id,
    "name": lambda o: o.name,
    "created_at": lambda o: o.created_at,
    "updated_at": lambda o: o.updated_at,
    "processed_at": lambda o: o.processed_at,
    "email": lambda o: o.email,
    "customer_id": lambda o: o.customer_id,
    "financial_status": financial_status,
    "test": lambda o: o.test,
    "tag": lambda o: o.tags,
    "source_name": lambda o: o.source_name,
    "discount_code": lambda o: o.codes,
    "status": lambda o: "cancelled" if o.cancelled_at else "closed" if o.closed_at else "open",
}
CUSTOMER_SEARCH: dict[str, Callable[[Customer], Any]] = {
    "id": lambda p: p.id,
    "email": lambda p: p.email,
    "phone": lambda p: p.phone,
    "first_name": lambda p: p.first_name,
    "last_name": lambda p: p.last_name,
    "customer_date": lambda p: p.created_at,
    "created_at": lambda p: p.created_at,
    "updated_at": lambda p: p.updated_at,
    "state": lambda p: p.state,
    "tag": lambda p: p.tags,
    "orders_count": lambda p: p.orders,
}
ORDER_SORTS: dict[str, Callable[[Order], Any]] = {
    "ID": lambda o: o.id,
    "CREATED_AT": lambda o: (o.created_at, o.id),
    "UPDATED_AT": lambda o: (o.updated_at, o.id),
    "PROCESSED_AT": lambda o: (o.processed_at, o.id),
    "ORDER_NUMBER": lambda o: o.number,
    "TOTAL_PRICE": lambda o: (o.placed["total"], o.id),
}
CUSTOMER_SORTS: dict[str, Callable[[Customer], Any]] = {
    "ID": lambda p: p.id,
    "CREATED_AT": lambda p: (p.created_at, p.id),
    "UPDATED_AT": lambda p: (p.updated_at, p.id),
    "NAME": lambda p: (p.display_name, p.id),
}


def visible_orders(context: Context) -> Iterable[Order]:
    """The orders the app may see: the last sixty days, unless it holds read_all_orders."""
    if context.grants("read_all_orders"):
        return context.shop.orders.values()
    oldest = context.now - RECENT
    return (order for order in context.shop.orders.values() if order.created_at >= oldest)


def order_list(context: Context, rows: Iterable[Order], page: dict[str, Any]) -> Any:
    """Filter, sort and page orders; a bulk operation gets the bare walk."""
    keep = matcher(page.pop("query", None), ORDER_SEARCH)
    sort = str(page.pop("sortKey", None) or "PROCESSED_AT")
    if sort not in ORDER_SORTS:
        raise GraphQLError(f"The sandbox does not sort orders by {sort}.")
    chosen = [order for order in rows if keep is None or keep(order)]
    chosen.sort(key=ORDER_SORTS[sort], reverse=bool(page.pop("reverse", False)))
    if context.bulk:
        return iter(chosen)
    return connections.page(chosen, lambda order: order.id, **page)


def _orders(_root: Any, context: Context, **page: Any) -> Any:
    return order_list(context, visible_orders(context), page)


def _customer_orders(person: Customer, context: Context, **page: Any) -> Any:
    mine = (order for order in visible_orders(context) if order.customer_id == person.id)
    page["sortKey"] = page.get("sortKey") or "ID"
    return order_list(context, mine, page)


def _customers(_root: Any, context: Context, **page: Any) -> Any:
    keep = matcher(page.pop("query", None), CUSTOMER_SEARCH)
    sort = str(page.pop("sortKey", None) or "ID")
    reverse = bool(page.pop("reverse", False))
    if sort not in CUSTOMER_SORTS:
        raise GraphQLError(f"The sandbox does not sort customers by {sort}.")
    book = context.shop.customers
    plain = sort == "ID" and not reverse
    if context.bulk:
        rows = book.after()
        return (person for person in rows if keep is None or keep(person))
    if plain and page.get("first") is not None and not page.get("before"):
        wanted = connections.size(page.get("first"), page.get("last"))
        last_id, seen = connections.decode(page["after"]) if page.get("after") else (0, 0)
        walk = (person for person in book.after(last_id) if keep is None or keep(person))
        return connections.walked(walk, lambda person: person.id, wanted, seen)
    chosen = [person for person in book.after() if keep is None or keep(person)]
    chosen.sort(key=CUSTOMER_SORTS[sort], reverse=reverse)
    return connections.page(chosen, lambda person: person.id, **page)


def _identified(_root: Any, context: Context, identifier: dict[str, Any]) -> Customer | None:
    if identifier.get("id"):
        return _customer(None, context, identifier["id"])
    if identifier.get("emailAddress"):
        return context.shop.customers.by_email(identifier["emailAddress"])
    phone = identifier.get("phoneNumber")
    return next(
        (person for person in context.shop.customers.after() if phone and person.phone == phone), None
    )


def _order(_root: Any, context: Context, id: str) -> Order | None:
    found = context.shop.orders.get(_numeric(id, "Order"))
    if found is None or context.grants("read_all_orders"):
        return found
    return found if found.created_at >= context.now - RECENT else None


def _customer(_root: Any, context: Context, id: str) -> Customer | None:
    return context.shop.customers.get(_numeric(id, "Customer"))


def _numeric(global_id: str, kind: str) -> int:
    found = number(global_id, kind)
    if found is None:
        raise GraphQLError(f"Invalid id: {global_id}", extensions={"code": "RESOURCE_NOT_FOUND"})
    return found


def discount_node(discount: Any) -> dict[str, Any] | None:
    """Wrap a discount as the node that owns it."""
    return {"__typename": "DiscountCodeNode", "discount": discount} if discount is not None else None


def _discounts(_root: Any, context: Context, **page: Any) -> dict[str, Any]:
    search: dict[str, Callable[[Any], Any]] = {
        "code": lambda d: d.code,
        "title": lambda d: d.title,
        "status": lambda d: d.status(context.now),
        "created_at": lambda d: d.created_at,
        "updated_at": lambda d: d.updated_at,
    }
    keep = matcher(page.pop("query", None), search)
    page.pop("sortKey", None)
    chosen = [item for item in context.shop.discounts.values() if keep is None or keep(item)]
    if page.pop("reverse", False):
        chosen.reverse()
    return connections.page(
        [discount_node(item) for item in chosen], lambda node: node["discount"].id, **page
    )


def _products(_root: Any, context: Context, **page: Any) -> Any:
    search: dict[str, Callable[[Any], Any]] = {
        "id": lambda p: p.id,
        "title": lambda p: p.title,
        "tag": lambda p: p.tags,
        "sku": lambda p: p.sku,
        "vendor": lambda p: p.vendor,
        "product_type": lambda p: p.product_type,
        "gift_card": lambda p: p.gift_card,
    }
    keep = matcher(page.pop("query", None), search)
    page.pop("sortKey", None)
    chosen = [item for item in context.shop.products.values() if keep is None or keep(item)]
    if page.pop("reverse", False):
        chosen.reverse()
    return iter(chosen) if context.bulk else connections.page(chosen, lambda item: item.id, **page)


def _variant(context: Context, identity: int) -> dict[str, Any] | None:
    known = context.shop.products.values()
    return next((variant(item) for item in known if item.variant_id == identity), None)


def _gift_cards(_root: Any, context: Context, **page: Any) -> dict[str, Any]:
    """Gift cards; a plain word looks for a code, of which the answer shows no more than the end."""
    query = str(page.pop("query", None) or "").strip().lower()
    page.pop("sortKey", None)
    keep = matcher(query, {"customer_id": lambda card: card.customer_id, "id": lambda card: card.id})
    word = "" if ":" in query else query
    chosen = [
        card
        for card in context.shop.gift_cards.values()
        if (keep is None or keep(card)) and (not word or card.code == word)
    ]
    if page.pop("reverse", False):
        chosen.reverse()
    return connections.page(chosen, lambda card: card.id, **page)


def find_node(_root: Any, context: Context, id: str) -> Any:
    """Find any object by its global id."""
    kind, _, tail = id.removeprefix("gid://shopify/").partition("/")
    if not tail.isdigit():
        raise GraphQLError(f"Invalid global id '{id}'", extensions={"code": "argumentLiteralsIncompatible"})
    places: dict[str, Any] = {
        "Customer": context.shop.customers,
        "Order": context.shop.orders,
        "Product": context.shop.products,
        "GiftCard": context.shop.gift_cards,
        "StoreCreditAccount": context.shop.store_credit,
    }
    if kind in places:
        return places[kind].get(int(tail))
    if kind == "DiscountCodeNode":
        return discount_node(context.shop.discounts.get(int(tail)))
    if kind == "AppInstallation":
        return context.installation if context.installation.id == int(tail) else None
    return context.shop if kind == "Shop" and context.shop.id == int(tail) else None


def _nodes(_root: Any, context: Context, ids: list[str]) -> list[Any]:
    return [find_node(None, context, one) for one in ids]


def _installation(_root: Any, context: Context) -> Any:
    return context.installation


fields("Customer", {"orders": _customer_orders})
fields(
    "QueryRoot",
    {
        "shop": lambda _r, c: c.shop,
        "currentAppInstallation": _installation,
        "order": _order,
        "orders": _orders,
        "ordersCount": lambda _r, c, query=None, **_: _count(matcher(query, ORDER_SEARCH), visible_orders(c)),
        "customer": _customer,
        "customers": _customers,
        "customersCount": lambda _r, c, query=None, **_: (
            _count(matcher(query, CUSTOMER_SEARCH), c.shop.customers.after())
            if query
            else {"count": len(c.shop.customers), "precision": "EXACT"}
        ),
        "customerByIdentifier": _identified,
        "product": lambda _r, c, id: c.shop.products.get(_numeric(id, "Product")),
        "products": _products,
        "collections": lambda _r, c, **page: connections.page(
            c.shop.collections.values(), lambda item: item.id, **page
        ),
        "codeDiscountNode": lambda _r, c, id: discount_node(
            c.shop.discounts.get(_numeric(id, "DiscountCodeNode"))
        ),
        "codeDiscountNodeByCode": lambda _r, c, code: discount_node(c.shop.discount_by_code(code)),
        "codeDiscountNodes": _discounts,
        # Subscriptions of the TOML are not listed by the real API either.
        "webhookSubscriptions": lambda _r, c, **page: connections.page([], lambda item: item, **page),
        "node": find_node,
        "nodes": _nodes,
        "productVariant": lambda _r, c, id: _variant(c, _numeric(id, "ProductVariant")),
        "giftCards": _gift_cards,
        "giftCard": lambda _r, c, id: c.shop.gift_cards.get(_numeric(id, "GiftCard")),
        "storeCreditAccount": lambda _r, c, id: c.shop.store_credit.get(_numeric(id, "StoreCreditAccount")),
        "publicApiVersions": lambda _r, c: [
            {"handle": API_VERSION, "displayName": f"{API_VERSION} (Latest)", "supported": True}
        ],
    },
)


def _count(keep: Callable[[Any], bool] | None, rows: Iterable[Any]) -> dict[str, Any]:
    total = sum(1 for row in rows if keep is None or keep(row))
    return {"count": total, "precision": "EXACT"}
