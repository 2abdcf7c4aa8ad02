"""Answers in JSON:API, from documents to Flask responses: with their addresses, and as little of them as was asked for.

Refuses to build the documents.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, request

from sandbox.klaviyo.errors import CONTENT_TYPE
from sandbox.klaviyo.query import Query


def base_url() -> str:
    return request.host_url.rstrip("/")


def reply(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type=CONTENT_TYPE)


def nothing(status: int) -> Response:
    """An answer without a body."""
    return Response(b"", status, content_type=CONTENT_TYPE)


def one(
    resource: Mapping[str, Any], query: Query | None = None, status: int = 200, included: Iterable[Any] = ()
) -> Response:
    """A document with one resource."""
    content: dict[str, Any] = {"data": _shown(resource, query), "links": {"self": request.url}}
    extra = [_shown(item, query) for item in included]
    if extra:
        content["included"] = extra
    return reply(content, status)


def many(
    resources: Iterable[Mapping[str, Any]],
    query: Query,
    links: Mapping[str, str | None] | None = None,
    included: Iterable[Mapping[str, Any]] = (),
) -> Response:
    """A document with a list of resources."""
    content: dict[str, Any] = {
        "data": [_shown(item, query) for item in resources],
        "links": dict(links) if links else {"self": request.url, "next": None, "prev": None},
    }
    extra = [_shown(item, query) for item in included]
    if extra:
        content["included"] = extra
    return reply(content)


def _shown(resource: Mapping[str, Any], query: Query | None) -> dict[str, Any]:
    kind, ident = resource["type"], resource["id"]
    found = {**resource, "links": {"self": f"{base_url()}/api/{kind}s/{ident}/"}}
    fields = query.fields(kind) if query else None
    if fields is None or "attributes" not in found:
        return found
    kept: dict[str, Any] = {}
    for name in fields:
        _keep(found["attributes"], kept, name.split("."))
    return {**found, "attributes": kept}


def _keep(source: Mapping[str, Any], kept: dict[str, Any], path: list[str]) -> None:
    """Copy one value, which may lie inside another."""
    head, *rest = path
    if head not in source:
        return
    value = source[head]
    if not rest:
        kept[head] = value
    elif isinstance(value, dict):
        inner = kept.setdefault(head, {})
        if inner is not value:  # Otherwise the whole of it was asked for as well.
            _keep(value, inner, rest)
