"""What Klaviyo demands of events in a request body, one by one or in bulk.

Refuses to record anything: it turns a good body into the plain values that the event store takes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.klaviyo.checks import instant, known_members, nullable_string, only_data, resource, wrong
from sandbox.klaviyo.errors import Problem
from sandbox.klaviyo.profile_checks import (
    ATTRIBUTES,
    MAX_PROFILE_OF_EVENT,
    MEMBERS,
    check_profile,
    check_properties,
)

MAX_EVENTS = 1000
MAX_PROPERTIES = 400
MAX_METRIC_NAME = 128
MAX_UNIQUE_ID = 255
# The published descriptions differ; this is the later one.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Until this revision a profile inside an event carried its `meta` among the attributes, later beside them.
META_BESIDE_ATTRIBUTES = "2026-10-15"
_AHEAD = timedelta(days=365)
BACKFILL_SINCE = "2026-07-15"
_CURRENCY = re.compile("[A-Z]{3}")
_OF_EVENT = ATTRIBUTES | {"anonymous_id"}
_COMMON = frozenset(("properties", "time", "value", "value_currency", "unique_id", "metric"))


@dataclass(frozen=True)
class SentEvent:
    """One event as it was sent, checked and with its defaults filled in."""

    metric: str
    time: int
    unique_id: str
    properties: dict[str, Any]
    value: float | None
    backfill: bool


@dataclass(frozen=True)
class SentEvents:
    """The events that one request carries for one profile."""

    profile: dict[str, Any]
    events: tuple[SentEvent, ...]


class EventReader:
    """Reads event bodies of one revision at one moment."""

    def __init__(self, revision: str, now: datetime) -> None:
        self._now = now
        self._revision = revision
        self._backfill = frozenset(("backfill",)) if revision >= BACKFILL_SINCE else frozenset()
        self.problems: list[Problem] = []
        # The events of a batch are mostly of one metric: what was right about it once is right again.
        self._known_metric: tuple[Any, str] | None = None

    def single(self, body: Mapping[str, Any]) -> SentEvents | None:
        """The event of POST /api/events; None when there are problems."""
        data = only_data(body, "", self.problems)
        if data is None or not resource(data, "event", "/data", self.problems):
            return None
        allowed = _COMMON | self._backfill | {"profile"}
        event = self._event(data["attributes"], "/data/attributes", allowed, default_backfill=False)
        profile = self._profile(data["attributes"], "/data/attributes", bulk=False)
        if event is None or profile is None or self.problems:
            return None
        return SentEvents(profile, (event,))

    def bulk(self, body: Mapping[str, Any]) -> list[SentEvents]:
        """The entries of an event bulk create job; worthless when there are problems."""
        data = only_data(body, "", self.problems)
        if data is None or not resource(data, "event-bulk-create-job", "/data", self.problems):
            return []
        at, name = "/data/attributes", "events-bulk-create"
        if not known_members(
            data["attributes"], frozenset((name,)), at, self.problems, "event-bulk-create-job", (name,)
        ):
            return []
        entries = only_data(data["attributes"][name], f"{at}/{name}", self.problems)
        if not isinstance(entries, list):
            wrong(self.problems, f"{at}/{name}/data", "This must be an array.")
            return []
        read = [self._entry(entry, f"{at}/{name}/data/{i}") for i, entry in enumerate(entries)]
        total = sum(len(entry.events) for entry in read if entry)
        if total > MAX_EVENTS:
            wrong(self.problems, f"{at}/{name}/data", f"A request may hold {MAX_EVENTS} events at most.")
        elif not total and not self.problems:
            wrong(self.problems, f"{at}/{name}/data", "At least one event is required.")
        found = [entry for entry in read if entry]
        self._refuse_repeats(read)
        return found

    def _entry(self, entry: Any, at: str) -> SentEvents | None:
        if not resource(entry, "event-bulk-create", at, self.problems):
            return None
        given, here = entry["attributes"], f"{at}/attributes"
        allowed = frozenset(("profile", "events")) | self._backfill
        if not known_members(given, allowed, here, self.problems, "event-bulk-create", ("profile", "events")):
            return None
        backfill = self._flag(given, here)
        profile = self._profile(given, here, bulk=True)
        listed = only_data(given["events"], f"{here}/events", self.problems)
        if not isinstance(listed, list):
            wrong(self.problems, f"{here}/events/data", "This must be an array.")
            return None
        events = []
        for index, item in enumerate(listed):
            place = f"{here}/events/data/{index}"
            if resource(item, "event", place, self.problems):
                allowed = _COMMON | self._backfill
                event = self._event(
                    item["attributes"], f"{place}/attributes", allowed, default_backfill=backfill
                )
                events += [event] if event else []
        return SentEvents(profile or {}, tuple(events))

    def _profile(self, given: Mapping[str, Any], at: str, *, bulk: bool) -> dict[str, Any] | None:
        if "profile" not in given:
            wrong(self.problems, f"{at}/profile", "The field 'profile' is required.")
            return None
        data = only_data(given["profile"], f"{at}/profile", self.problems)
        if data is None:
            return None
        attributes, members = _OF_EVENT, MEMBERS
        if not bulk and self._revision < META_BESIDE_ATTRIBUTES:
            attributes, members = _OF_EVENT | {"meta"}, MEMBERS - {"meta"}
        check_profile(
            data,
            f"{at}/profile/data",
            self.problems,
            attributes=attributes,
            members=members,
            largest=MAX_PROFILE_OF_EVENT,
        )
        return data if isinstance(data, dict) else None

    def _event(
        self, given: Mapping[str, Any], at: str, allowed: frozenset[str], *, default_backfill: bool
    ) -> SentEvent | None:
        before = len(self.problems)
        known_members(given, allowed, at, self.problems, "event", ("properties", "metric"))
        name = self._metric(given.get("metric"), at) if "metric" in given else None
        properties = given.get("properties", {})
        check_properties(properties, f"{at}/properties", self.problems)
        if isinstance(properties, dict) and len(properties) > MAX_PROPERTIES:
            wrong(
                self.problems, f"{at}/properties", f"An event may have {MAX_PROPERTIES} properties at most."
            )
        moment = self._time(given.get("time"), at)
        value = self._value(given, at)
        unique_id = self._unique_id(given.get("unique_id"), at, moment)
        backfill = self._flag(given, at, default=default_backfill)
        if name is None or len(self.problems) > before:
            return None
        return SentEvent(name, int(moment.timestamp()), unique_id, properties, value, backfill)

    def _metric(self, holder: Any, at: str) -> str | None:
        if self._known_metric is not None and holder == self._known_metric[0]:
            return self._known_metric[1]
        here = f"{at}/metric"
        data = only_data(holder, here, self.problems)
        if data is None or not resource(data, "metric", f"{here}/data", self.problems):
            return None
        given, here = data["attributes"], f"{here}/data/attributes"
        if not known_members(given, frozenset(("name", "service")), here, self.problems, "metric", ("name",)):
            return None
        nullable_string(given.get("service"), f"{here}/service", self.problems)
        name = given["name"]
        if not isinstance(name, str) or not name.strip() or len(name) >= MAX_METRIC_NAME:
            wrong(self.problems, f"{here}/name", "A metric name has 1 to 127 characters.")
            return None
        if not self.problems:
            self._known_metric = (holder, name)
        return name

    def _time(self, value: Any, at: str) -> datetime:
        if value is None:
            return self._now
        moment = instant(value)
        if moment is None:
            wrong(self.problems, f"{at}/time", "This must be an ISO 8601 date and time with its offset.")
            return self._now
        if moment < _EARLIEST or moment > self._now + _AHEAD:
            wrong(
                self.problems, f"{at}/time", "The time must not be before 2000, and at most one year ahead."
            )
        return moment

    def _value(self, given: Mapping[str, Any], at: str) -> float | None:
        currency = given.get("value_currency")
        if currency is not None and not (isinstance(currency, str) and _CURRENCY.fullmatch(currency)):
            wrong(self.problems, f"{at}/value_currency", "This must be an ISO 4217 currency code.")
        value = given.get("value")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            wrong(self.problems, f"{at}/value", "This must be a number.")
            return None
        return float(value)

    def _unique_id(self, value: Any, at: str, moment: datetime) -> str:
        if value is None:
            # Two events of one metric for one person within a second are one event, unless they are told apart.
            return str(int(moment.timestamp()))
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_UNIQUE_ID:
            wrong(self.problems, f"{at}/unique_id", "A unique_id is a string of 1 to 255 characters.")
            return ""
        return value

    def _flag(self, given: Mapping[str, Any], at: str, *, default: bool = False) -> bool:
        value = given.get("backfill")
        if value is None or not self._backfill:
            return default
        if not isinstance(value, bool):
            wrong(self.problems, f"{at}/backfill", "This must be true or false.")
            return default
        return value

    def _refuse_repeats(self, entries: list[SentEvents | None]) -> None:
        seen: set[tuple[str, str, str]] = set()
        for i, entry in enumerate(entries):
            if entry is None or not entry.profile:
                continue
            person = identity(entry.profile)
            for j, event in enumerate(entry.events):
                key = (person, event.metric, event.unique_id)
                if key in seen:
                    at = f"/data/attributes/events-bulk-create/data/{i}/attributes/events/data/{j}/attributes/unique_id"
                    wrong(self.problems, at, "This unique_id is repeated for the same profile and metric.")
                seen.add(key)


def identity(profile: Mapping[str, Any]) -> str:
    """A text that is the same for the same identifiers of a sent profile."""
    given = profile.get("attributes") or {}
    if profile.get("id"):
        return f"id:{profile['id']}"
    for name in ("external_id", "email", "phone_number", "_kx", "anonymous_id"):
        if given.get(name):
            return f"{name}:{str(given[name]).lower()}"
    return ""
