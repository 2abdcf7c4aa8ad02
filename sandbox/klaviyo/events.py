"""The metrics and events of one account: recorded once per profile, metric and unique id.

Keeps a million events in columns, with sorted keys for paging by time. Refuses to validate.
Not thread-safe by itself; the state's lock is held around it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.klaviyo.columns import PackedDicts
from sandbox.klaviyo.event_checks import SentEvent
from sandbox.klaviyo.idents import event_row, short_id

_ROW_BITS = 40


@dataclass
class Metric:
    """A kind of event. It exists once something of that name has been sent by that integration."""

    number: int
    ident: str
    name: str
    integration: str
    created: float
    has_value: bool = False

    @property
    def topic(self) -> str:
        """The webhook topic of this metric."""
        owner = "klaviyo" if self.integration == "Klaviyo" else "api"
        return f"event:{owner}.{self.name.strip().lower().replace(' ', '_')}"


class TimeIndex:
    """Event rows in the order of their time; appending is cheap, sorting waits for a reader."""

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._sorted = True

    def add(self, time: int, row: int) -> None:
        key = (time << _ROW_BITS) | row
        if self._keys and key < self._keys[-1]:
            self._sorted = False
        self._keys.append(key)

    def between(self, low: int | None, high: int | None) -> tuple[list[int], int, int]:
        """The sorted keys, and the slice of them whose times lie in [low, high]."""
        if not self._sorted:
            self._keys.sort()
            self._sorted = True
        start = 0 if low is None else bisect_left(self._keys, low << _ROW_BITS)
        end = len(self._keys) if high is None else bisect_right(self._keys, ((high + 1) << _ROW_BITS) - 1)
        return self._keys, start, end


def row_of_key(key: int) -> int:
    """The event row inside a key of the time index."""
    return key & ((1 << _ROW_BITS) - 1)


@dataclass(frozen=True)
class Event:
    """One recorded event as a reader sees it."""

    row: int
    profile: int
    metric: Metric
    time: int
    unique_id: str
    properties: dict[str, Any]
    backfill: bool


class Events:
    """Columns of events and what was counted on the way in."""

    def __init__(self) -> None:
        self.metrics: list[Metric] = []
        self.counts: Counter[str] = Counter()
        self.recorded: Counter[str] = Counter()
        self.flows: Counter[str] = Counter()
        self._by_name: dict[tuple[str, str], Metric] = {}
        self._profiles = array("Q")
        self._metrics = array("L")
        self._times = array("q")
        self._backfill = array("b")
        self._uids: list[str] = []
        self._packed = PackedDicts()
        self._seen: list[dict[str, int | set[int]]] = []
        self._indexes: list[TimeIndex] = []
        self._all = TimeIndex()

    def __len__(self) -> int:
        return len(self._uids)

    def metric(self, name: str, integration: str, now: float) -> Metric:
        """The metric of that name, made on first use."""
        found = self._by_name.get((integration, name))
        if found is None:
            ident = short_id("metric", integration, name)
            found = Metric(len(self.metrics), ident, name, integration, now)
            self.metrics.append(found)
            self._by_name[(integration, name)] = found
            self._seen.append({})
            self._indexes.append(TimeIndex())
        return found

    def metric_by_id(self, ident: str) -> Metric | None:
        return next((metric for metric in self.metrics if metric.ident == ident), None)

    def record(self, metric: Metric, profile: int, sent: SentEvent) -> int | None:
        """The new row, or None when this profile already has this unique id in this metric."""
        self.counts["accepted"] += 1
        if not self._first(metric.number, sent.unique_id, profile):
            self.counts["duplicates"] += 1
            return None
        row = len(self._uids)
        self._uids.append(sent.unique_id)
        self._profiles.append(profile)
        self._metrics.append(metric.number)
        self._times.append(sent.time)
        self._backfill.append(int(sent.backfill))
        self._packed.append(_kept(metric, sent))
        self._indexes[metric.number].add(sent.time, row)
        self._all.add(sent.time, row)
        self.recorded[metric.name] += 1
        if not sent.backfill:
            self.flows[metric.name] += 1
        return row

    def get(self, row: int) -> Event:
        return Event(
            row,
            self._profiles[row],
            self.metrics[self._metrics[row]],
            self._times[row],
            self._uids[row],
            self._packed.get(row)[0],
            bool(self._backfill[row]),
        )

    def with_id(self, ident: str) -> Event | None:
        row = event_row(ident)
        return self.get(row) if row is not None and row < len(self._uids) else None

    def profile_of(self, row: int) -> int:
        return self._profiles[row]

    def index(self, metric: Metric | None) -> TimeIndex:
        """The rows of one metric, or of all, by time."""
        return self._all if metric is None else self._indexes[metric.number]

    def newest_first(self) -> Iterator[int]:
        """Rows in the order of arrival, the latest first."""
        return iter(range(len(self._uids) - 1, -1, -1))

    def _first(self, metric: int, unique_id: str, profile: int) -> bool:
        # One profile per unique id is the usual case, and a set for each would cost a million sets.
        seen = self._seen[metric]
        known = seen.get(unique_id)
        if known is None:
            seen[unique_id] = profile
            return True
        if isinstance(known, set):
            if profile in known:
                return False
            known.add(profile)
            return True
        if known == profile:
            return False
        seen[unique_id] = {known, profile}
        return True


def _kept(metric: Metric, sent: SentEvent) -> dict[str, Any]:
    """What Klaviyo keeps of an event: zero, null and empty properties are as if never sent."""
    kept = {key: value for key, value in sent.properties.items() if not _ignored(value)}
    kept["$event_id"] = sent.unique_id
    if sent.value is not None:
        metric.has_value = True
    if metric.has_value:
        kept["$value"] = sent.value or 0.0
    return kept


def _ignored(value: Any) -> bool:
    return value is None or value == "" or (value == 0 and not isinstance(value, bool))
