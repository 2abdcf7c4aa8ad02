"""What a person at the sandbox may do wrong; the control API answers it with status and reason."""

from __future__ import annotations


class ActionRefused(Exception):
    """An action that the real shop would not allow either."""

    def __init__(self, code: str, message: str, *, status: int = 422) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class NotFound(ActionRefused):
    """The thing that the action names does not exist."""

    def __init__(self, what: str) -> None:
        super().__init__("not_found", f"There is no such {what}.", status=404)
