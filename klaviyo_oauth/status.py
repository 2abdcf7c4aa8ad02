"""The health of a shop's link as its page and ``flask klaviyo status`` show it: one read, no network, no counting of whole tables."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from klaviyo_oauth import connections, farewells, wording
from klaviyo_oauth.checklist import Check, missing_scopes, review_checks
from klaviyo_oauth.review_facts import moment
from klaviyo_oauth.webhook import ON
from loyalty import programs
from loyalty.models import KlaviyoConnection, OutboxMessage, Shop
from loyalty.statement import reviews as review_statement
from loyalty.statement.formats import Formats

NEVER = "never_connected"
# Counting stops here: past it a merchant wants to know "many", and the page must stay quick.
MOST_COUNTED = 10_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The outbox towards Klaviyo. ``due`` stops at ``MOST_COUNTED``; the other counts are of the last day."""

    due: int
    lag_seconds: float
    delivered: int
    refused: int
    parked: int
    dropped: int
    last_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reviews:
    """How we learn of reviews. ``road`` is webhook, polling or off."""

    road: str
    detail: str
    polled_at: datetime | None
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything the page shows. ``remedy`` is what the merchant should do, in plain words; None when all is well. ``leaving`` says that
    Klaviyo has yet to be told that a link ended."""

    state: str
    road: str | None
    account_id: str | None
    account_name: str | None
    connected_at: datetime | None
    disconnected_at: datetime | None
    problem: str | None
    remedy: str | None
    missing_scopes: tuple[str, ...]
    needs_sync: str | None
    synced_at: datetime | None
    leaving: bool
    deliveries: Deliveries
    reviews: Reviews
    checklist: tuple[Check, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; instants as RFC 3339."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def status(session: Session, shop_id: int, *, now: datetime) -> Status:
    """The state of a shop's link at ``now``."""
    row = connections.load(session, shop_id)
    details = row.details if row is not None else {}
    deliveries = _deliveries(session, shop_id, row, now)
    linked = row is not None and row.state == connections.CONNECTED
    missing = missing_scopes(row) if row is not None and linked else ()
    return Status(
        state=row.state if row is not None else NEVER,
        road=row.road if row is not None else None,
        account_id=row.account_id or row.last_account_id if row is not None else None,
        account_name=row.account_name if row is not None else None,
        connected_at=row.connected_at if row is not None else None,
        disconnected_at=row.disconnected_at if row is not None else None,
        problem=row.problem if row is not None else None,
        remedy=_remedy(row, deliveries, missing),
        missing_scopes=missing,
        needs_sync=details.get("needs_sync"),
        synced_at=moment(details.get("synced_at")),
        leaving=farewells.next_due(session, shop_id) is not None,
        deliveries=deliveries,
        reviews=_reviews(row),
        checklist=_checklist(session, shop_id, row, now),
    )


def _deliveries(session: Session, shop_id: int, row: KlaviyoConnection | None, now: datetime) -> Deliveries:
    mine = (col(OutboxMessage.shop_id) == shop_id, col(OutboxMessage.channel) == "klaviyo")
    waiting = (
        select(col(OutboxMessage.created_at).label("created_at"))
        .where(*mine, col(OutboxMessage.state).in_(("due", "sending")))
        .order_by(col(OutboxMessage.due_at), col(OutboxMessage.id))
        .limit(MOST_COUNTED)
        .subquery()
    )
    due, oldest = session.execute(
        select(func.count(), func.min(waiting.c.created_at)).select_from(waiting)
    ).one()
    latest = (
        select(col(OutboxMessage.state).label("state"), col(OutboxMessage.finished_at).label("finished_at"))
        .where(*mine)
        .order_by(col(OutboxMessage.id).desc())
        .limit(MOST_COUNTED)
        .subquery()
    )
    finished = session.execute(
        select(latest.c.state, func.count())
        .where(latest.c.finished_at >= now - _DAY)
        .group_by(latest.c.state)
    )
    counted = dict(finished.all())
    return Deliveries(
        due=due,
        lag_seconds=max((now - oldest).total_seconds(), 0.0) if oldest is not None else 0.0,
        delivered=counted.get("delivered", 0),
        refused=counted.get("refused", 0),
        parked=counted.get("parked", 0),
        dropped=counted.get("dropped", 0),
        last_at=row.last_delivery_at if row is not None else None,
        last_error=row.last_error if row is not None else None,
        last_error_at=row.last_error_at if row is not None else None,
    )


def _checklist(
    session: Session, shop_id: int, row: KlaviyoConnection | None, now: datetime
) -> tuple[Check, ...]:
    shop = session.get(Shop, shop_id)
    if shop is None or row is None or row.state != connections.CONNECTED:
        return ()
    try:
        program = programs.current(session, shop_id)
    except programs.NoProgram:
        program = None
    seen = bool(review_statement.reviews_page(session, shop_id, limit=1).rows)
    formats = Formats(shop.currency, shop.timezone)
    return review_checks(row, program, seen=seen, formats=formats, now=now)


def _remedy(row: KlaviyoConnection | None, deliveries: Deliveries, missing: tuple[str, ...]) -> str | None:
    if row is None:
        return "Connect Klaviyo to keep balances on its profiles and to start flows."
    if row.problem is not None:
        return wording.PROBLEMS.get(row.problem, row.problem)
    if row.state != connections.CONNECTED:
        return "Klaviyo is disconnected: nothing is sent. Connect it again whenever you like."
    if deliveries.last_error is not None:
        return wording.reason(deliveries.last_error)
    if missing:
        return f"These permissions are missing: {', '.join(missing)}. Connect again to grant them."
    if row.details.get("needs_sync") is not None:
        return "Press “Sync customer data” once, so that every member's balance is on their Klaviyo profile."
    return None


def _reviews(row: KlaviyoConnection | None) -> Reviews:
    if row is None or row.state != connections.CONNECTED:
        return Reviews("off", "Klaviyo is not connected.", None, None)
    details = row.details
    polled, heard = moment(details.get("reviews_polled_at")), moment(details.get("webhook_heard_at"))
    problem = details.get("reviews_problem")
    if problem is not None:
        detail = wording.REVIEW_PROBLEMS.get(problem, problem)
        return Reviews("off", detail, polled, heard)
    state = details.get("webhook_state")
    if state == ON:
        return Reviews("webhook", wording.WEBHOOK_STATES[ON], polled, heard)
    return Reviews(
        "polling", wording.WEBHOOK_STATES.get(state or "", wording.WEBHOOK_STATES[""]), polled, heard
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
