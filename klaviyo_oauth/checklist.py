"""Whether reviews can earn points in a shop, point by point, from what we saw and not from what somebody ticked off."""

from dataclasses import dataclass
from datetime import datetime

from klaviyo_oauth.config import SCOPES
from loyalty.core.program import REVIEW_WAYS, Program
from loyalty.models import KlaviyoConnection
from loyalty.statement.formats import Formats

_REVIEW_SCOPES = frozenset(("reviews:read", "events:read", "metrics:read"))


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. ``done`` is None while nobody can know."""

    title: str
    text: str
    done: bool | None


def missing_scopes(connection: KlaviyoConnection) -> tuple[str, ...]:
    """What we ask for and the link does not have."""
    granted = set(connection.scopes.split())
    return tuple(scope for scope in SCOPES if scope not in granted and not _implied(scope, granted))


def review_checks(
    connection: KlaviyoConnection,
    program: Program | None,
    *,
    seen: bool,
    formats: Formats,
    now: datetime,
) -> tuple[Check, ...]:
    """The checklist. ``seen`` says whether any review ever reached us."""
    return (
        _rule(program),
        _permission(connection),
        _reviews(connection, seen=seen),
        _notice(connection, formats, now),
    )


def _rule(program: Program | None) -> Check:
    on = program is not None and bool(program.rules(*REVIEW_WAYS))
    text = "Reviews earn what the program says." if on else "Switch points for reviews on in the program."
    return Check("The program rewards reviews", text, on)


def _permission(connection: KlaviyoConnection) -> Check:
    lacking = sorted(_REVIEW_SCOPES & set(missing_scopes(connection)))
    text = (
        f"Missing: {', '.join(lacking)}. Connect again to grant them."
        if lacking
        else "Granted with the connection."
    )
    return Check("We may read your reviews", text, not lacking)


def _reviews(connection: KlaviyoConnection, *, seen: bool) -> Check:
    title = "Klaviyo Reviews is in use"
    if seen:
        return Check(title, "Reviews have reached us.", done=True)
    if connection.details.get("reviews_active") is True:
        return Check(title, "It is switched on in your account; the first review has yet to come.", done=True)
    asks = "Switch Klaviyo Reviews on, show its widget in your store, and let a flow ask for a review after a purchase."
    return Check(title, f"No review has reached us yet. {asks}", None)


def _notice(connection: KlaviyoConnection, formats: Formats, now: datetime) -> Check:
    title = "We hear of new reviews"
    heard = _moment(connection.details.get("webhook_heard_at"))
    if heard is not None:
        return Check(title, f"Klaviyo last told us of one {formats.ago(heard, now)}.", done=True)
    looked = connection.review_cursor
    if connection.webhook_id is not None:
        return Check(
            title, "Klaviyo tells us as they are written, and we also look every few minutes.", done=True
        )
    if looked is not None:
        return Check(title, "Klaviyo does not notify us, so we look every few minutes.", done=True)
    return Check(title, "We have not looked for reviews yet.", None)


def _implied(scope: str, granted: set[str]) -> bool:
    """A permission to write is one to read as well."""
    return scope.endswith(":read") and scope.removesuffix(":read") + ":write" in granted


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
