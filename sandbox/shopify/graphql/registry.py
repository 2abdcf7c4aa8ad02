"""Where resolvers are registered, and how a source object finds its GraphQL type.

A field without resolver is read from the source: a mapping's key or an attribute in snake case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Resolver = Callable[..., Any]

RESOLVERS: dict[str, dict[str, Resolver]] = {}
TYPE_NAMES: dict[type, str] = {}


def fields(type_name: str, table: Mapping[str, Resolver]) -> None:
    """Register resolvers `(source, context, **arguments)` for fields of a type."""
    RESOLVERS.setdefault(type_name, {}).update(table)


def represents(python_type: type, type_name: str) -> None:
    """Say which GraphQL type objects of a Python type are."""
    TYPE_NAMES[python_type] = type_name


def type_name_of(source: Any) -> str:
    """Return the GraphQL type of a source object, for interfaces and unions."""
    if isinstance(source, Mapping):
        return str(source["__typename"])
    if type(source).__name__ == "Discount":
        return f"DiscountCode{source.kind}"
    return TYPE_NAMES[type(source)]


def snake(name: str) -> str:
    """Turn a field name into an attribute name."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def resolver_for(type_name: str, field_name: str) -> Resolver:
    """Return the registered resolver of a field, or the default one."""
    known = RESOLVERS.get(type_name, {}).get(field_name)
    if known is not None:
        return known
    attribute = snake(field_name)

    def read(source: Any, _context: Any, **_arguments: Any) -> Any:
        if isinstance(source, Mapping):
            return source.get(field_name)
        return getattr(source, attribute)

    return read
