"""A shop's own endpoints: the token endpoint and the Admin GraphQL API."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, request, send_file

from sandbox.shopify import faults, grants
from sandbox.shopify.config import API_VERSION
from sandbox.shopify.errors import NotFound
from sandbox.shopify.graphql import execution
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.cost import Bucket
from sandbox.shopify.shop import Shop
from sandbox.shopify.world import World

blueprint = Blueprint("api", __name__)
Buckets = dict[str, Bucket]


def world() -> World:
    """The world this server shows."""
    found: World = current_app.extensions["world"]
    return found


def bucket(shop: Shop) -> Bucket:
    """The shop's bucket of query points."""
    buckets: Buckets = current_app.extensions["buckets"]
    limits = world().limits
    known = buckets.get(shop.domain)
    if known is None or (known.size, known.rate) != (limits.bucket_size, limits.restore_rate):
        buckets[shop.domain] = known = Bucket(limits.bucket_size, limits.restore_rate)
    return known


def _shop(domain: str) -> Shop:
    try:
        return world().shop(domain)
    except NotFound:
        abort(404)


def _record(place: str, shop: str, status: int, **more: Any) -> None:
    world().requests.append(
        {"place": place, "shop": shop, "status": status, "at": world().now().isoformat(), **more}
    )


@blueprint.post("/shops/<domain>/admin/oauth/access_token")
def access_token(domain: str) -> Response:
    """Token exchange and refresh, as JSON or as a form."""
    shop = _shop(domain)
    asked = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    given = asked if isinstance(asked, dict) else {}

    def handle() -> Response:
        try:
            with world().lock:
                answer = jsonify(grants.grant(world(), shop, given))
        except grants.Refusal as refusal:
            answer = jsonify({"error": refusal.error, "error_description": refusal.description})
            answer.status_code = refusal.status
        _record("oauth", shop.domain, answer.status_code, grant_type=given.get("grant_type"))
        return answer

    return faults.answer(world().faults.take("oauth", shop.domain, json.dumps(given)), handle)


@blueprint.post("/shops/<domain>/admin/api/<version>/graphql.json")
def graphql(domain: str, version: str) -> Response:
    """The Admin GraphQL API; other versions than the configured one do not exist here."""
    shop = _shop(domain)
    if version != API_VERSION:
        return _refused(404, "Not Found")
    with world().lock:
        installation = grants.installation_for(world(), shop, request.headers.get("X-Shopify-Access-Token"))
    if installation is None:
        text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
        _record("graphql", shop.domain, 401)
        return _refused(401, text)
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        return _refused(400, {"query": "Required parameter missing or invalid"})
    fault = world().faults.take("graphql", shop.domain, str(body.get("query", "")))

    def handle() -> Response:
        throttled = fault is not None and fault.kind == "throttled"
        with world().lock:
            context = Context(world(), shop, installation)
            answer = execution.run(context, bucket(shop), body, throttled=throttled)
        _record("graphql", shop.domain, 200, query=body.get("query"), cost=answer.get("extensions"))
        response = jsonify(answer)
        response.headers["X-Request-Id"] = execution.request_id()
        response.headers["X-Shopify-API-Version"] = API_VERSION
        return response

    return faults.answer(fault, handle)


def _refused(status: int, errors: Any) -> Response:
    response = jsonify({"errors": errors})
    response.status_code = status
    return response


@blueprint.get("/bulk/<handle>/<int:operation_id>.jsonl")
def bulk_result(handle: str, operation_id: int) -> Response:
    """The result of a bulk operation, at an address that lives seven days and needs no token."""
    shop = _shop(handle)
    operation = shop.bulk.get(operation_id)
    if operation is None or operation.path is None or request.args.get("signature") != operation.secret:
        return _refused(403, "SignatureDoesNotMatch")
    path, done = operation.path, operation.completed_at
    if done is None or (world().now() - done).total_seconds() > world().limits.bulk_url_seconds:
        return _refused(400, "ExpiredToken")

    def handle_download() -> Response:
        return send_file(path, mimetype="application/jsonl", conditional=True)

    return faults.answer(world().faults.take("bulk", shop.domain, ""), handle_download)
