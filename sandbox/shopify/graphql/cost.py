"""What a query costs before and after it ran, and the leaky bucket it is paid from.

Objects with an id cost 1, scalars and plain value objects 0, a mutation 10, a connection 2 plus its page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_composite_type,
)

MUTATION_COST = 10
CONNECTION_COST = 2
LARGEST_QUERY = 1000


@dataclass
class Meter:
    """Counts the cost of one operation."""

    schema: GraphQLSchema
    variables: Mapping[str, Any]
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)

    @classmethod
    def for_document(
        cls, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]
    ) -> Meter:
        """Make a meter that knows the document's fragments."""
        named = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        return cls(schema, variables, named)

    def requested(self, operation: OperationDefinitionNode) -> int:
        """The worst case: every page full."""
        return self._operation(operation, None)

    def actual(self, operation: OperationDefinitionNode, data: Mapping[str, Any] | None) -> int:
        """What the answer really contained."""
        return self._operation(operation, data or {})

    def _operation(self, operation: OperationDefinitionNode, data: Mapping[str, Any] | None) -> int:
        root = self.schema.get_root_type(operation.operation)
        assert root is not None
        if operation.operation.value == "mutation":
            return MUTATION_COST * sum(1 for _ in self._fields(operation.selection_set, root))
        return self._selection(operation.selection_set, root, data)

    def _fields(
        self, selection: SelectionSetNode, parent: GraphQLNamedType
    ) -> list[tuple[FieldNode, GraphQLNamedType]]:
        found: list[tuple[FieldNode, GraphQLNamedType]] = []
        for node in selection.selections:
            if isinstance(node, FieldNode):
                found.append((node, parent))
            elif isinstance(node, InlineFragmentNode):
                name = node.type_condition.name.value if node.type_condition else parent.name
                found.extend(self._fields(node.selection_set, self.schema.type_map[name]))
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                found.extend(
                    self._fields(
                        fragment.selection_set, self.schema.type_map[fragment.type_condition.name.value]
                    )
                )
        return found

    def _selection(self, selection: SelectionSetNode, parent: GraphQLNamedType, data: Any) -> int:
        return sum(self._field(node, owner, data) for node, owner in self._fields(selection, parent))

    def _field(self, node: FieldNode, parent: GraphQLNamedType, data: Any) -> int:
        if not isinstance(parent, (GraphQLObjectType, GraphQLInterfaceType)):
            return 0
        definition = parent.fields.get(node.name.value)
        if definition is None or node.selection_set is None:
            return 0
        kind = get_named_type(definition.type)
        if not is_composite_type(kind):
            return 0
        below: Any = None
        if data is not None:
            below = (
                data.get(node.alias.value if node.alias else node.name.value)
                if isinstance(data, Mapping)
                else None
            )
            if below is None:
                return 0
        if kind.name.endswith("Connection"):
            return self._connection(node, definition, kind, below)
        own = 1 if self._has_id(kind) else 0
        if isinstance(below, list):
            return sum(
                own + self._selection(node.selection_set, kind, item) for item in below if item is not None
            )
        return self._size(node, default=1) * (own + self._selection(node.selection_set, kind, below))

    def _connection(
        self, node: FieldNode, definition: GraphQLField, kind: GraphQLNamedType, data: Any
    ) -> int:
        assert node.selection_set is not None
        assert isinstance(kind, GraphQLObjectType)
        one = 0
        for child, _ in self._fields(node.selection_set, kind):
            if child.name.value not in ("edges", "nodes") or child.selection_set is None:
                continue
            target = get_named_type(kind.fields[child.name.value].type)
            rows = (
                data.get(child.alias.value if child.alias else child.name.value) if data is not None else None
            )
            if rows is not None:
                return CONNECTION_COST + sum(max(1, self._row(child, target, row)) for row in rows)
            one = max(one, self._row(child, target, None))
        return (
            CONNECTION_COST + self._size(node, default=0) * max(1, one) if data is None else CONNECTION_COST
        )

    def _row(self, child: FieldNode, target: GraphQLNamedType, row: Any) -> int:
        assert child.selection_set is not None
        own = 1 if child.name.value == "nodes" and self._has_id(target) else 0
        return own + self._selection(child.selection_set, target, row)

    def _size(self, node: FieldNode, *, default: int) -> int:
        for argument in node.arguments:
            if argument.name.value in ("first", "last"):
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
                if isinstance(argument.value, VariableNode):
                    return int(self.variables.get(argument.value.name.value) or default)
        return default

    @staticmethod
    def _has_id(kind: GraphQLNamedType) -> bool:
        if isinstance(kind, GraphQLUnionType):
            return False
        return isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType)) and "id" in kind.fields


@dataclass
class Bucket:
    """A leaky bucket of points that fills up again with time."""

    size: float
    rate: float
    level: float = field(default=-1.0)
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.level < 0:
            self.level = self.size

    def _refill(self) -> None:
        now = time.monotonic()
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now

    def take(self, cost: float) -> bool:
        """Pay for a query, if there is enough."""
        self._refill()
        if cost > self.level:
            return False
        self.level -= cost
        return True

    def give_back(self, points: float) -> None:
        """Return what a query reserved but did not use."""
        self.level = min(self.size, self.level + points)

    def status(self) -> dict[str, float]:
        """The state as the API reports it."""
        self._refill()
        return {
            "maximumAvailable": self.size,
            "currentlyAvailable": float(int(self.level)),
            "restoreRate": self.rate,
        }
