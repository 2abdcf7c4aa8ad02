"""Answers in JSON:API, from documents to Flask responses. Refuses to build the documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, request

from sandbox.klaviyo.documents import linked, sparse
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
    found = linked(resource, base_url())
    return sparse(found, query.fields(found["type"])) if query else found
