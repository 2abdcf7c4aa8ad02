"""Bulk queries checked by the real rules and compiled to steps that project without the executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
    is_composite_type,
    parse,
    validate,
)

from sandbox.shopify.graphql.schema import guarded, schema

MOST_CONNECTIONS = 5
DEEPEST = 2


@dataclass
class Step:
    """One field of a compiled selection."""

    key: str
    name: str
    read: Callable[..., Any]
    arguments: dict[str, Any]
    kind: str
    below: Selection | None = None


@dataclass
class Selection:
    """A compiled selection set: plain steps, connections, and fragments by type."""

    steps: list[Step] = field(default_factory=list)
    fragments: list[tuple[str, Selection]] = field(default_factory=list)


class NotBulk(Exception):
    """The query breaks a rule of bulk operations."""


class Compiler:
    """Turns a bulk query into steps and checks the rules on the way."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, guard: Callable[..., Any]) -> None:
        self.schema, self.guard = schema, guard
        self.fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        self.connections = 0

    def compile(self, chosen: SelectionSetNode, kind: Any, *, depth: int, in_list: bool) -> Selection:
        """Compile a selection on a type."""
        made = Selection()
        for node in chosen.selections:
            if isinstance(node, FieldNode):
                made.steps.append(self._step(node, kind, depth=depth, in_list=in_list))
                continue
            target: Any = node
            if isinstance(node, FragmentSpreadNode):
                target = self.fragments[node.name.value]
            name = target.type_condition.name.value if target.type_condition else kind.name
            below = self.compile(
                target.selection_set, self.schema.type_map[name], depth=depth, in_list=in_list
            )
            made.fragments.append((name, below))
        return made

    def _step(self, node: FieldNode, kind: Any, *, depth: int, in_list: bool) -> Step:
        name, key = node.name.value, node.alias.value if node.alias else node.name.value
        if name == "__typename":
            return Step(key, name, lambda source, _c, **_a: kind.name, {}, "leaf")
        definition = kind.fields[name]
        target = get_named_type(definition.type)
        arguments = dict(get_argument_values(definition, node, {}))
        read = self.guard(kind.name, name, definition)
        if target.name.endswith("Connection"):
            if in_list:
                raise NotBulk(
                    "Queries that contain a connection field within a list field are not currently supported."
                )
            return self._connection(node, target, Step(key, name, read, arguments, "connection"), depth)
        if not is_composite_type(target):
            return Step(key, name, read, arguments, "leaf")
        bare = definition.type.of_type if isinstance(definition.type, GraphQLNonNull) else definition.type
        many = isinstance(bare, GraphQLList)
        assert node.selection_set is not None
        below = self.compile(node.selection_set, target, depth=depth, in_list=in_list or many)
        return Step(key, name, read, arguments, "list" if many else "object", below)

    def _connection(self, node: FieldNode, target: Any, step: Step, depth: int) -> Step:
        self.connections += 1
        if depth >= DEEPEST + 1:
            raise NotBulk(
                f"Bulk queries cannot contain connections with a nesting depth greater than {DEEPEST}."
            )
        rows = (
            [n for n in node.selection_set.selections if isinstance(n, FieldNode)]
            if node.selection_set
            else []
        )
        chosen = next((n for n in rows if n.name.value == "nodes"), None)
        edges = next((n for n in rows if n.name.value == "edges"), None)
        if edges is not None and edges.selection_set is not None:
            inner = [n for n in edges.selection_set.selections if isinstance(n, FieldNode)]
            chosen = next((n for n in inner if n.name.value == "node"), None)
        if chosen is None or chosen.selection_set is None:
            raise NotBulk("A connection must select edges { node } or nodes.")
        kind = get_named_type(target.fields["nodes"].type)
        step.below = self.compile(chosen.selection_set, kind, depth=depth + 1, in_list=False)
        if has_connection(step.below) and not any(s.name == "id" and s.key == "id" for s in step.below.steps):
            raise NotBulk("The parent 'node' field for a nested connection must select the 'id' field.")
        return step


def has_connection(selection: Selection) -> bool:
    """Whether lines of children hang below this selection."""
    own = any(
        s.kind == "connection" or (s.below and s.kind == "object" and has_connection(s.below))
        for s in selection.steps
    )
    return own or any(has_connection(below) for _, below in selection.fragments)


def compiled(text: str) -> Step:
    """Check a bulk query and return its root connection."""
    try:
        document = parse(text)
    except GraphQLError as error:
        raise NotBulk(f"Invalid bulk query: {error.message}") from error
    errors = validate(schema(), document)
    if errors:
        raise NotBulk(f"Invalid bulk query: {errors[0].message}")
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        raise NotBulk("A bulk operation takes exactly one query.")
    if operations[0].variable_definitions:
        raise NotBulk("Bulk queries cannot take variables.")
    compiler = Compiler(schema(), document, guarded)
    root = compiler.compile(operations[0].selection_set, schema().query_type, depth=0, in_list=False)
    if len(root.steps) != 1 or root.steps[0].kind != "connection":
        raise NotBulk("Bulk queries must contain at least one connection, at the root.")
    if compiler.connections > MOST_CONNECTIONS:
        raise NotBulk(f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections.")
    return root.steps[0]
