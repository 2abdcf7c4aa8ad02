"""The acting half of the control API under /_sandbox: order trouble, submit reviews, start over.

It is for tests, demos and people at a terminal; the real service has nothing like it. JSON in and out.
Refuses what it does not understand with 400 and a sentence.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.klaviyo import documents
from sandbox.klaviyo.errors import NotUnderstood
from sandbox.klaviyo.gate import state
from sandbox.klaviyo.operations import SCOPES
from sandbox.klaviyo.reviews import change_status
from sandbox.klaviyo.watch import named_account, not_there, not_understood

blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")


blueprint.register_error_handler(ValueError, not_understood)
blueprint.register_error_handler(KeyError, not_there)


def _given() -> dict[str, Any]:
    found = request.get_json(force=True, silent=True) if request.get_data() else {}
    if not isinstance(found, dict):
        raise NotUnderstood("the body must be a JSON object")
    return found


@blueprint.get("/health")
def health() -> Response:
    return jsonify(status="ok", now=state().moment().isoformat())


@blueprint.post("/private-keys")
def add_private_key() -> tuple[Response, int]:
    given = _given()
    key, scopes = given.get("key"), given.get("scopes", sorted(SCOPES))
    if not isinstance(key, str) or not key.startswith("pk_"):
        raise NotUnderstood("key must start with pk_")
    if not isinstance(scopes, list) or set(scopes) - SCOPES:
        raise NotUnderstood("scopes must be a list of known scopes")
    with state().lock:
        account = named_account(given.get("account"))
        state().grants.add_key(key, account.spec.ident, frozenset(scopes))
    return jsonify(key=key, account=account.spec.ident), 201


@blueprint.post("/reviews")
def submit_review() -> tuple[Response, int]:
    given = _given()
    with state().lock:
        account = named_account(given.get("account"))
        review = account.submit_review(given, state().now())
        return jsonify(documents.review(review)), 201


@blueprint.post("/reviews/<ident>/status")
def review_status(ident: str) -> Response:
    given = _given()
    with state().lock:
        owner = next((acc for acc in state().accounts.values() if ident in acc.reviews), None)
        if owner is None:
            raise KeyError(ident)
        change_status(owner.reviews[ident], given.get("status", ""), given.get("reason"), state().now())
        return jsonify(documents.review(owner.reviews[ident]))


@blueprint.get("/faults")
def list_faults() -> Response:
    return jsonify(faults=[asdict(fault) for fault in state().faults.listed()])


@blueprint.post("/faults")
def order_fault() -> tuple[Response, int]:
    return jsonify(asdict(state().faults.order(_given()))), 201


@blueprint.delete("/faults")
def clear_faults() -> Response:
    state().faults.clear()
    return jsonify(faults=[])


@blueprint.post("/import-failures")
def fail_imports() -> Response:
    """Addresses that bulk imports accept and then cannot take."""
    given = _given()
    emails = given.get("emails")
    if not isinstance(emails, list) or not all(isinstance(email, str) for email in emails):
        raise NotUnderstood("emails must be a list of addresses")
    refusal = (str(given.get("code", "invalid")), str(given.get("detail", "The address is not deliverable.")))
    with state().lock:
        account = named_account(given.get("account"))
        account.imports.refused_addresses = {email.lower(): refusal for email in emails}
    return jsonify(emails=len(emails))


@blueprint.post("/uninstall")
def uninstall() -> Response:
    """The merchant removes the app in Klaviyo: every token of it dies."""
    with state().lock:
        account = named_account(_given().get("account"))
        return jsonify(uninstalled=state().grants.uninstall(account.spec.ident))


@blueprint.post("/expire-access-tokens")
def expire() -> Response:
    with state().lock:
        account = named_account(_given().get("account"))
        state().grants.expire_access(account.spec.ident)
    return jsonify(account=account.spec.ident)


@blueprint.get("/settings")
def settings() -> Response:
    return jsonify(state().settings.as_dict())


@blueprint.patch("/settings")
def change_settings() -> Response:
    with state().lock:
        state().settings.change(_given())
        return jsonify(state().settings.as_dict())


@blueprint.get("/limits")
def limits() -> Response:
    return jsonify(limits=state().limiter.limits, refused=dict(state().limiter.refused))


@blueprint.put("/limits")
def change_limits() -> Response:
    state().limiter.configure(_given().get("limits", ""))
    return limits()


@blueprint.post("/clock")
def move_clock() -> Response:
    """Move the sandbox's own clock forward, to let codes, tokens, windows and jobs run out."""
    seconds = _given().get("forward_seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise NotUnderstood("forward_seconds must be a number, not below zero")
    with state().lock:
        state().clock_offset += float(seconds)
    state().dispatcher.wake()
    return health()


@blueprint.post("/reset")
def reset() -> Response:
    given = _given()
    keep = given.get("keep_grants", False)
    if not isinstance(keep, bool):
        raise NotUnderstood("keep_grants must be true or false")
    state().reset(keep_grants=keep)
    return jsonify(reset=True)
