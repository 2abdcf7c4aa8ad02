"""The filter of the events log, from an address to what is looked for. What makes no sense is named, not ignored."""

from collections.abc import Mapping
from datetime import date, timedelta

from sqlmodel import Session

from klaviyo_oauth.dialects import DIALECTS, LAUREL, Choice
from loyalty.models import Shop
from loyalty.statement import events
from loyalty.statement.events import EventFilter, Untold
from loyalty.statement.formats import Formats
from loyalty.statement.members import member_by_email

# By the kind of news: it finds what was told under whatever name.
_OURS = {metric.kind: metric.name for metric in LAUREL.metrics}
_NAMES = frozenset(metric.name for dialect in DIALECTS.values() for metric in dialect.metrics)
FIELDS = ("metric", "state", "email", "since", "until")
_LONGEST = 320


def metrics(choice: Choice) -> dict[str, str]:
    """What one can filter by, with its name: what happened, and under which name of the chosen dialects it was told
    or will be."""
    told = (metric.name for dialect in choice.spoken for metric in dialect.metrics)
    return _OURS | {name: name for name in told if name not in _OURS.values()}


def read(query: Mapping[str, str]) -> dict[str, str]:
    """The fields as they were asked for; a metric or a state that does not exist is none."""
    asked = {name: query.get(name, "").replace("\x00", "").strip()[:_LONGEST] for name in FIELDS}
    if asked["metric"] not in _OURS and asked["metric"] not in _NAMES:
        asked["metric"] = ""
    if asked["state"] not in events.STATES:
        asked["state"] = ""
    return asked


def resolve(
    session: Session, shop: Shop, choice: Choice, asked: Mapping[str, str]
) -> tuple[EventFilter, str | None]:
    """The filter, and what is wrong with what was asked (then nothing shall be looked for)."""
    assert shop.id is not None
    formats = Formats(shop.currency, shop.timezone)
    since, until = _day(asked["since"]), _day(asked["until"])
    if (asked["since"] and since is None) or (asked["until"] and until is None):
        return EventFilter(), "Enter dates as year-month-day, for example 2026-11-30."
    if since and until and until < since:
        return EventFilter(), "The last day is before the first."
    member_id = None
    if asked["email"]:
        member_id = member_by_email(session, shop.id, asked["email"])
        if member_id is None:
            return EventFilter(), "No member has this e-mail address."
    wanted = EventFilter(
        kind=asked["metric"] if asked["metric"] in _OURS else "",
        told=asked["metric"] if asked["metric"] not in _OURS else "",
        untold=_untold(choice, asked["metric"]),
        state=asked["state"],
        member_id=member_id,
        since=formats.start_of_day(since) if since else None,
        until=formats.start_of_day(until + timedelta(days=1)) if until else None,
    )
    return wanted, None


def _untold(choice: Choice, name: str) -> tuple[Untold, ...]:
    """What still waits, and is told under a name of the chosen dialects."""
    found = (metric for dialect in choice.spoken for metric in dialect.metrics if metric.name == name)
    return tuple(Untold(metric.kind, metric.only) for metric in found)


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if date(2000, 1, 1) <= found <= date(9000, 1, 1) else None
