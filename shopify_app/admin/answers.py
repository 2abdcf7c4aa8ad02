"""What a script of ours is answered: done (say this, go there), or which field is wrong and why."""

from collections.abc import Mapping

from flask import jsonify
from flask.wrappers import Response


def done(message: str, *, redirect: str | None = None) -> Response:
    """It worked."""
    body = {"ok": True, "message": message}
    return jsonify(body | ({"redirect": redirect} if redirect else {}))


def mistakes(errors: Mapping[str, str]) -> tuple[Response, int]:
    """Nothing was changed; ``errors`` says for each field what is wrong with it."""
    return jsonify({"ok": False, "errors": dict(errors)}), 422


def refused(message: str, *, status: int = 409) -> tuple[Response, int]:
    """Nothing was changed, for a reason that belongs to no field."""
    return jsonify({"ok": False, "message": message}), status
