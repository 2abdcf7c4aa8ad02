"""The profiles of one account, kept small enough for a million of them.

Knows how Klaviyo matches, merges and clears. Refuses to validate: what arrives here has been checked.
Not thread-safe by itself; the state's lock is held around it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.klaviyo.columns import PackedDicts
from sandbox.klaviyo.errors import Problem, Refused
from sandbox.klaviyo.idents import profile_id, profile_row

# In the order in which Klaviyo ranks them.
MATCHED_BY = ("external_id", "email", "phone_number", "anonymous_id", "_kx")


class Profiles:
    """Rows of profiles with indexes over their identifiers."""

    def __init__(self) -> None:
        self._packed = PackedDicts()
        self._emails: list[str | None] = []
        self._created = array("d")
        self._updated = array("d")
        self._last_event = array("d")
        self._by: dict[str, dict[str, int]] = {name: {} for name in MATCHED_BY}
        self._deleted: set[int] = set()

    def __len__(self) -> int:
        return len(self._emails) - len(self._deleted)

    def rows(self) -> Iterator[int]:
        """Every living row, oldest first."""
        return (row for row in range(len(self._emails)) if row not in self._deleted)

    def walk(self, after: int | None, *, descending: bool) -> Iterator[int]:
        """Living rows beyond one row, in the order of their making or against it."""
        if descending:
            span = range((len(self._emails) if after is None else after) - 1, -1, -1)
        else:
            span = range(0 if after is None else after + 1, len(self._emails))
        return (row for row in span if row not in self._deleted)

    def newest(self, count: int) -> list[int]:
        """The rows that were changed last, the latest first. Looks at the last 5,000 only."""
        tail = range(max(0, len(self._emails) - 5000), len(self._emails))
        alive = (row for row in tail if row not in self._deleted)
        return sorted(alive, key=lambda row: (self._updated[row], row), reverse=True)[:count]

    def alive(self, ident: str) -> int | None:
        """The row of a profile id, if there is such a profile."""
        row = profile_row(ident)
        return row if row is not None and row < len(self._emails) and row not in self._deleted else None

    def is_alive(self, row: int) -> bool:
        return row not in self._deleted

    def with_identifier(self, name: str, value: str) -> int | None:
        """The row that carries this identifier."""
        return self._by[name].get(value.lower() if name == "email" else value)

    def email(self, row: int) -> str | None:
        return self._emails[row]

    def times(self, row: int) -> tuple[float, float, float | None]:
        """When the row was created and updated, and when its last event happened."""
        return self._created[row], self._updated[row], self._last_event[row] or None

    def get(self, row: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The custom properties and the other attributes (without the e-mail address)."""
        return self._packed.get(row)

    def touch(self, row: int, event_time: float) -> None:
        """Remember the time of the profile's latest event."""
        self._last_event[row] = max(self._last_event[row], event_time)

    def upsert(self, data: Mapping[str, Any], now: float) -> tuple[int, bool]:
        """Create or update from a sent profile; says which row and whether it is new."""
        attributes = data["attributes"]
        row = self._match(data.get("id"), attributes)
        meta = data.get("meta") or attributes.get("meta")
        if row is None:
            return self._create(attributes, meta, now), True
        self._update(row, attributes, meta, now)
        return row, False

    def update(self, row: int, data: Mapping[str, Any], now: float) -> None:
        """Change one known profile; 409 when an identifier belongs to another one."""
        attributes = data["attributes"]
        for name in MATCHED_BY:
            if attributes.get(name):
                owner = self.with_identifier(name, attributes[name])
                if owner is not None and owner != row:
                    raise _duplicate(owner)
        self._update(row, attributes, data.get("meta"), now)

    def delete(self, row: int) -> None:
        """Forget a profile and everything it carried."""
        _, side = self._packed.get(row)
        for name in MATCHED_BY:
            value = self._emails[row] if name == "email" else side.get(name)
            if value is not None:
                self._by[name].pop(value, None)
        self._packed.replace(row, {})
        self._emails[row] = None
        self._deleted.add(row)

    def _match(self, ident: str | None, attributes: Mapping[str, Any]) -> int | None:
        if ident:
            row = self.alive(ident)
            if row is None:
                detail = f"A profile with id {ident} does not exist."
                raise Refused(404, [Problem(detail, code="not_found", title="Not found.")])
            return row
        found = None
        for name in MATCHED_BY:
            if name not in attributes or not attributes[name]:
                continue
            owner = self.with_identifier(name, attributes[name])
            if owner is None:
                continue
            if found is not None and owner != found:
                raise _duplicate(owner)
            found = owner if found is None else found
        return found

    def _create(self, attributes: Mapping[str, Any], meta: Any, now: float) -> int:
        row = len(self._emails)
        side = {
            name: value
            for name, value in attributes.items()
            if value is not None and name not in ("email", "properties", "meta")
        }
        email = attributes.get("email")
        properties = _merge({}, attributes.get("properties") or {})
        if meta:
            _patch(properties, meta.get("patch_properties") or {})
        self._packed.append(properties, side or None)
        self._emails.append(email.lower() if email else None)
        self._created.append(now)
        self._updated.append(now)
        self._last_event.append(0.0)
        self._index(row, side)
        return row

    def _update(self, row: int, attributes: Mapping[str, Any], meta: Any, now: float) -> None:
        properties, side = self._packed.get(row)
        for name, value in attributes.items():
            if name == "properties":
                if value is None:
                    properties = {}
                else:
                    _merge(properties, value)
            elif name == "email":
                self._set_email(row, value)
            elif name == "location" and value is not None:
                side["location"] = _merge(dict(side.get("location") or {}), value)
            elif name != "meta":
                self._unindex(name, side)
                _merge(side, {name: value})
        if meta:
            _patch(properties, meta.get("patch_properties") or {})
        self._packed.replace(row, properties, side or None)
        self._updated[row] = now
        self._index(row, side)

    def _set_email(self, row: int, value: str | None) -> None:
        email = value.lower() if value else None
        old = self._emails[row]
        if old == email:
            return
        if old is not None:
            self._by["email"].pop(old, None)
        self._emails[row] = email

    def _unindex(self, name: str, side: Mapping[str, Any]) -> None:
        if name in self._by and side.get(name):
            self._by[name].pop(side[name], None)

    def _index(self, row: int, side: Mapping[str, Any]) -> None:
        email = self._emails[row]
        if email is not None:
            self._by["email"][email] = row
        for name, index in self._by.items():
            if name in side:
                index[side[name]] = row


def _duplicate(owner: int) -> Refused:
    return Refused(
        409,
        [
            Problem(
                "A profile already exists with one of these identifiers.",
                pointer="/data/attributes",
                code="duplicate_profile",
                title="Conflict.",
                meta={"duplicate_profile_id": profile_id(owner)},
            )
        ],
    )


def _merge(target: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Set what is given; null clears, absence leaves."""
    for key, value in given.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = value
    return target


def _patch(properties: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in (patch.get("append") or {}).items():
        properties[key] = _as_list(properties.get(key)) + _as_list(value)
    for key, value in (patch.get("unappend") or {}).items():
        if key in properties:
            gone = _as_list(value)
            properties[key] = [item for item in _as_list(properties[key]) if item not in gone]
    unset = patch.get("unset") or []
    for key in [unset] if isinstance(unset, str) else unset:
        properties.pop(key, None)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
