"""The executable schema: the SDL, the registered resolvers, and the scopes each field demands."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
)

from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.registry import Resolver, resolver_for, type_name_of

TYPE_SCOPES = {
    "Order": "read_orders",
    "LineItem": "read_orders",
    "Refund": "read_orders",
    "OrderTransaction": "read_orders",
    "Customer": "read_customers",
    "Product": "read_products",
    "ProductVariant": "read_products",
    "Collection": "read_products",
    "DiscountCodeNode": "read_discounts",
    "GiftCard": "read_gift_cards",
    "StoreCreditAccount": "read_store_credit_accounts",
    "StoreCreditAccountTransaction": "read_store_credit_account_transactions",
}
FIELD_SCOPES = {
    "QueryRoot.ordersCount": "read_orders",
    "QueryRoot.customersCount": "read_customers",
    "Mutation.discountCodeBasicCreate": "write_discounts",
    "Mutation.discountCodeFreeShippingCreate": "write_discounts",
    "Mutation.discountCodeBxgyCreate": "write_discounts",
    "Mutation.discountCodeActivate": "write_discounts",
    "Mutation.discountCodeDeactivate": "write_discounts",
    "Mutation.discountCodeDelete": "write_discounts",
    "Mutation.giftCardCreate": "write_gift_cards",
    "Mutation.giftCardDeactivate": "write_gift_cards",
    "Mutation.storeCreditAccountCredit": "write_store_credit_account_transactions",
    "Mutation.storeCreditAccountDebit": "write_store_credit_account_transactions",
}


def scope_of(type_name: str, field_name: str, field: GraphQLField) -> str | None:
    """The scope that a field demands, from the field itself or from what it returns."""
    kind = get_named_type(field.type).name
    kind = kind.removesuffix("Connection") if kind.endswith("Connection") else kind
    return FIELD_SCOPES.get(f"{type_name}.{field_name}") or TYPE_SCOPES.get(kind)


def denied(field_name: str, scope: str) -> GraphQLError:
    """The error for a field whose scope was not granted."""
    needed = f"`{scope}` access scope."
    return GraphQLError(
        f"Access denied for {field_name} field. Required access: {needed}",
        extensions={"code": "ACCESS_DENIED", "requiredAccess": needed},
    )


def guarded(type_name: str, field_name: str, field: GraphQLField) -> Resolver:
    """The resolver of a field behind the check of its scope."""
    resolve, scope = resolver_for(type_name, field_name), scope_of(type_name, field_name, field)
    # Payloads of mutations return nodes that the mutation's own scope already covers.
    if scope is None or type_name.endswith("Payload"):
        return resolve

    def checked(source: Any, context: Context, **arguments: Any) -> Any:
        if not context.grants(scope):
            raise denied(field_name, scope)
        return resolve(source, context, **arguments)

    return checked


def _attach(type_name: str, field_name: str, field: GraphQLField) -> None:
    resolve = guarded(type_name, field_name, field)

    def execute(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        return resolve(source, info.context, **arguments)

    field.resolve = execute


def _instant(value: Any) -> str:
    try:
        datetime.fromisoformat(str(value))
    except ValueError as error:
        raise GraphQLError(f"Invalid DateTime: {value!r}") from error
    return str(value)


def _decimal(value: Any) -> str:
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise GraphQLError(f"Invalid Decimal: {value!r}") from error
    if not amount.is_finite() or isinstance(value, bool):
        raise GraphQLError(f"Invalid Decimal: {value!r}")
    return str(value)


@cache
def schema() -> GraphQLSchema:
    """Build the schema once per process."""
    built = build_schema(Path(__file__).with_name("schema.graphql").read_text(encoding="utf-8"))
    for name, kind in built.type_map.items():
        if name.startswith("__"):
            continue
        if isinstance(kind, GraphQLObjectType):
            for field_name, field in kind.fields.items():
                _attach(name, field_name, field)
        elif isinstance(kind, (GraphQLInterfaceType, GraphQLUnionType)):
            kind.resolve_type = lambda source, _info, _kind: type_name_of(source)
        elif isinstance(kind, GraphQLScalarType) and name in ("DateTime", "Decimal"):
            kind.parse_value = _instant if name == "DateTime" else _decimal  # type: ignore[method-assign]
    return built
