"""The control API under `/_sandbox`: a person's actions and the test's switches, as JSON."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from sandbox.shopify.control import money, people, shops, switches
from sandbox.shopify.control import orders as order_routes
from sandbox.shopify.errors import ActionRefused

blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")
for routes in (shops.routes, people.routes, money.routes, order_routes.routes, switches.routes):
    blueprint.register_blueprint(routes)


@blueprint.errorhandler(ActionRefused)
def refused(error: ActionRefused) -> tuple[Response, int]:
    """An action that the real shop would not allow either."""
    return jsonify({"error": error.code, "message": error.message}), error.status


@blueprint.errorhandler(ValueError)
@blueprint.errorhandler(KeyError)
@blueprint.errorhandler(TypeError)
@blueprint.errorhandler(AttributeError)
@blueprint.errorhandler(IndexError)
def malformed(error: Exception) -> tuple[Response, int]:
    """A body with a missing, unknown or unreadable field."""
    return jsonify({"error": "bad_request", "message": f"{type(error).__name__}: {error}"}), 400
