"""Bulk queries: checked by the real rules, run in the background, written as JSON lines.

Nodes are projected without the GraphQL executor, so that a million customers take a minute, not an hour.
"""

from __future__ import annotations

import itertools
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
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
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
    is_composite_type,
    parse,
    validate,
)

from sandbox.shopify.clock import local, zulu
from sandbox.shopify.graphql import connections
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.registry import fields, type_name_of
from sandbox.shopify.graphql.schema import guarded, schema
from sandbox.shopify.ids import gid, number
from sandbox.shopify.shop import BulkOperation

MOST_AT_ONCE = 5
MOST_CONNECTIONS = 5
DEEPEST = 2
BATCH = 500
UNFINISHED = ("CREATED", "RUNNING", "CANCELING")


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
            target = node
            if isinstance(node, FragmentSpreadNode):
                target = self.fragments[node.name.value]
            assert isinstance(target, (InlineFragmentNode, FragmentDefinitionNode))
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


def rows_of(step: Step, source: Any, context: Context) -> Iterator[Any]:
    """Walk a whole connection."""
    arguments = {
        key: value for key, value in step.arguments.items() if key not in ("first", "last", "after", "before")
    }
    found = step.read(source, context, **arguments, first=connections.EVERYTHING)
    return iter(found["nodes"]) if isinstance(found, dict) else found


def project(
    selection: Selection, source: Any, context: Context, children: list[tuple[Step, Any]]
) -> dict[str, Any]:
    """Project one object; nested connections are noted in `children` for lines of their own."""
    shown: dict[str, Any] = {}
    for step in selection.steps:
        if step.kind == "connection":
            children.append((step, source))
            continue
        value = step.read(source, context, **step.arguments)
        if value is None or step.below is None:
            shown[step.key] = value
        elif step.kind == "list":
            shown[step.key] = [project(step.below, item, context, children) for item in value]
        else:
            shown[step.key] = project(step.below, value, context, children)
    for name, below in selection.fragments:
        if type_name_of(source) == name:
            shown |= project(below, source, context, children)
    return shown


def lines(step: Step, node: Any, context: Context, parent: str | None) -> Iterator[dict[str, Any]]:
    """The line of a node, then the lines of everything below it."""
    assert step.below is not None
    children: list[tuple[Step, Any]] = []
    shown = project(step.below, node, context, children)
    if parent is not None:
        shown["__parentId"] = parent
    yield shown
    for below, source in children:
        for row in rows_of(below, source, context):
            yield from lines(below, row, context, str(shown["id"]))


class Run:
    """One operation on its way, in a thread of its own."""

    def __init__(self, context: Context, operation: BulkOperation, step: Step) -> None:
        self.context = replace(context, bulk=True)
        self.operation, self.step = operation, step
        self.world = context.world

    def start(self) -> None:
        """Run in the background."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while self.world.limits.bulk_hold and self.operation.status != "CANCELING":
            if self.world.closing.wait(0.02):
                return
        path = Path(self.world.directory) / f"bulk-{self.operation.id}.jsonl"
        error_code = None
        with self.world.lock:
            if self.operation.status == "CREATED":
                self.operation.status = "RUNNING"
        try:
            with path.open("w", encoding="utf-8") as file:
                self._write(file)
        except GraphQLError as error:
            denied = (error.extensions or {}).get("code") == "ACCESS_DENIED"
            error_code = "ACCESS_DENIED" if denied else "INTERNAL_SERVER_ERROR"
        self._finish(path, error_code)

    def _write(self, file: Any) -> None:
        with self.world.lock:
            walk = rows_of(self.step, None, self.context)
        while not self.world.closing.is_set() and self.operation.status != "CANCELING":
            with self.world.lock:
                batch = [
                    list(lines(self.step, node, self.context, None)) for node in itertools.islice(walk, BATCH)
                ]
            if not batch:
                return
            written = self._arranged(batch)
            self.operation.root_object_count += len(batch)
            self.operation.object_count += len(written)
            file.writelines(
                json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in written
            )

    def _arranged(self, batch: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Grouped: children follow their parent. Otherwise they follow the whole batch, as the real API may do."""
        if self.operation.group_objects:
            return [line for group in batch for line in group]
        return [group[0] for group in batch] + [line for group in batch for line in group[1:]]

    def _finish(self, path: Path, error_code: str | None) -> None:
        with self.world.lock:
            operation = self.operation
            operation.completed_at = self.world.now()
            operation.error_code = error_code
            cancelled = self.world.closing.is_set() or operation.status == "CANCELING"
            finished = "COMPLETED" if error_code is None else "FAILED"
            operation.status = "CANCELED" if cancelled else finished
            operation.file_size = path.stat().st_size
            operation.path = str(path)
            body = {
                "admin_graphql_api_id": gid("BulkOperation", operation.id),
                "status": operation.status.lower(),
                "type": "query",
                "error_code": error_code.lower() if error_code else None,
                "created_at": local(operation.created_at, self.context.shop.timezone),
                "completed_at": local(operation.completed_at, self.context.shop.timezone),
            }
            self.world.fire(self.context.shop, [("bulk_operations/finish", body)])


def _error(code: str, message: str) -> dict[str, Any]:
    row = {"field": ["query"], "code": code, "message": message}
    return {"bulkOperation": None, "userErrors": [row]}


def _run_query(_root: Any, context: Context, query: str, *, groupObjects: bool = False) -> dict[str, Any]:
    running = [item for item in context.shop.bulk.values() if item.status in UNFINISHED]
    if len(running) >= MOST_AT_ONCE:
        return _error("LIMIT_REACHED", f"At most {MOST_AT_ONCE} bulk queries can run at the same time.")
    try:
        step = compiled(query)
    except NotBulk as error:
        return _error("INVALID", str(error))
    operation = BulkOperation(
        id=context.world.ids.next("BulkOperation"),
        query=query,
        created_at=context.now,
        group_objects=groupObjects,
        secret=secrets.token_hex(16),
    )
    context.shop.bulk[operation.id] = operation
    shown = replace(operation)
    Run(context, operation, step).start()
    return {"bulkOperation": shown, "userErrors": []}


def _cancel(_root: Any, context: Context, id: str) -> dict[str, Any]:
    operation = context.shop.bulk.get(number(id, "BulkOperation") or 0)
    if operation is None:
        return {
            "bulkOperation": None,
            "userErrors": [{"field": ["id"], "message": "Bulk operation does not exist"}],
        }
    if operation.status in UNFINISHED:
        operation.status = "CANCELING"
    return {"bulkOperation": operation, "userErrors": []}


def _url(operation: BulkOperation, context: Context) -> str | None:
    """Where the result is; an empty result has no address."""
    finished = operation.status in ("COMPLETED", "FAILED", "CANCELED")
    if not finished or not operation.object_count:
        return None
    return f"{context.world.base_url}/bulk/{context.shop.handle}/{operation.id}.jsonl?signature={operation.secret}"


def _listed(_root: Any, context: Context, **page: Any) -> dict[str, Any]:
    page.pop("query", None)
    page.pop("sortKey", None)
    rows = list(context.shop.bulk.values())
    if page.pop("reverse", False):
        rows.reverse()
    return connections.page(rows, lambda item: item.id, **page)


fields(
    "BulkOperation",
    {
        "id": lambda o, c: gid("BulkOperation", o.id),
        "createdAt": lambda o, c: zulu(o.created_at),
        "completedAt": lambda o, c: zulu(o.completed_at),
        "objectCount": lambda o, c: str(o.object_count),
        "rootObjectCount": lambda o, c: str(o.root_object_count),
        "fileSize": lambda o, c: str(o.file_size) if o.file_size is not None else None,
        "url": lambda o, c: _url(o, c) if o.status == "COMPLETED" else None,
        "partialDataUrl": lambda o, c: _url(o, c) if o.status != "COMPLETED" else None,
        "type": lambda o, c: "QUERY",
    },
)
fields(
    "QueryRoot",
    {
        "bulkOperation": lambda _r, c, id: c.shop.bulk.get(number(id, "BulkOperation") or 0),
        "bulkOperations": _listed,
    },
)
fields("Mutation", {"bulkOperationRunQuery": _run_query, "bulkOperationCancel": _cancel})
