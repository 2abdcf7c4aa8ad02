"""Personal fields: each is refused where the app was not approved for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLError

from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.registry import Resolver, fields

MARK = "needs_approval"


def protected(kind: str) -> Callable[[Resolver], Resolver]:
    """Refuse a field that shows a name, an address, an e-mail or a phone (``kind``) to an app that may not see one.

    No source says what becomes of such a field in a bulk query, so a switch does (``bulk_unapproved``).
    """

    def guard(read: Resolver) -> Resolver:
        def guarded(source: Any, context: Context, **arguments: Any) -> Any:
            if context.shop.approves(kind):
                return read(source, context, **arguments)
            if context.bulk and context.world.limits.bulk_unapproved == "null":
                return None
            raise refusal()

        setattr(guarded, MARK, kind)
        return guarded

    return guard


def refusal() -> GraphQLError:
    """What is said of a field that the app may not see."""
    return GraphQLError(
        "This app is not approved to use this field. See protected customer data.",
        extensions={"code": "ACCESS_DENIED"},
    )


def personal(read: Resolver) -> Resolver:
    """Refuse a whole object to an app that was approved for no personal data at all."""

    def guarded(source: Any, context: Context, **arguments: Any) -> Any:
        if context.shop.protected_data != "none":
            return read(source, context, **arguments)
        if context.bulk and context.world.limits.bulk_unapproved == "null":
            return None
        raise refusal()

    return guarded


def _part(name: str) -> Resolver:
    return lambda address, _context: address[name]


# Where a town or a country is says nobody's door.
_PARTS = {
    "address": ("address1", "address2", "zip"),
    "name": ("firstName", "lastName", "name"),
    "phone": ("phone",),
}
fields(
    "MailingAddress",
    {name: protected(kind)(_part(name)) for kind, names in _PARTS.items() for name in names},
)
