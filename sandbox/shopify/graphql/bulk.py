"""Bulk queries: checked by the real rules, run in the background, written as JSON lines.

Nodes are projected without the GraphQL executor, so that a million customers take a minute, not an hour.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLError,
)

from sandbox.shopify.clock import local, zulu
from sandbox.shopify.graphql import connections
from sandbox.shopify.graphql.approval import MARK, refusal
from sandbox.shopify.graphql.bulk_query import NotBulk, Selection, Step, compiled
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.registry import fields, type_name_of
from sandbox.shopify.ids import gid, number
from sandbox.shopify.shop import BulkOperation

MOST_AT_ONCE = 5
BATCH = 500
UNFINISHED = ("CREATED", "RUNNING", "CANCELING")


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
        self.world.in_background(self._run)

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
        except (
            Exception
        ):  # the operation must end for the one who waits; the thread's failure is printed all the same
            self._finish(path, "INTERNAL_SERVER_ERROR")
            raise
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


def _needs(selection: Selection | None) -> set[str]:
    """The kinds of personal fields that a selection asks for."""
    found: set[str] = set()
    for step in selection.steps if selection else ():
        found |= {str(getattr(step.read, MARK))} if hasattr(step.read, MARK) else _needs(step.below)
    return found


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
    refuses = context.world.limits.bulk_unapproved == "refuse"
    if refuses and not all(context.shop.approves(kind) for kind in _needs(step.below)):
        raise refusal()
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
