"""The query string of an API call: sparse fields, includes, sorting, filters and pages.

Refuses parameters that the operation does not know.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import request

from sandbox.klaviyo.errors import Problem, Refused
from sandbox.klaviyo.filters import Clause, parse_filter

Item = TypeVar("Item")

FIELDS: dict[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "account": "contact_information contact_information.default_sender_email"
        " contact_information.default_sender_name contact_information.organization_name"
        " contact_information.street_address contact_information.street_address.address1"
        " contact_information.street_address.address2 contact_information.street_address.city"
        " contact_information.street_address.country contact_information.street_address.region"
        " contact_information.street_address.zip contact_information.website_url"
        " industry timezone preferred_currency public_api_key locale test_account",
        "event": "timestamp event_properties datetime uuid",
        "profile": "email phone_number external_id first_name last_name organization locale title image created"
        " updated last_event_date location location.address1 location.address2 location.city location.country"
        " location.ip location.latitude location.longitude location.region location.timezone location.zip"
        " properties subscriptions predictive_analytics",
        "metric": "name created updated integration",
        "list": "name created updated opt_in_process profile_count",
        "review": "email status status.value status.rejection_reason status.rejection_reason.reason"
        " status.rejection_reason.status_explanation verified review_type created updated images product"
        " product.external_id product.image_url product.name product.url rating author content title"
        " smart_quote public_reply public_reply.author public_reply.content public_reply.updated",
        "webhook": "name description endpoint_url enabled created_at updated_at",
        "webhook-topic": "",
        "profile-bulk-import-job": "status created_at total_count completed_count failed_count completed_at"
        " expires_at started_at",
        "import-error": "code title detail source source.pointer original_payload",
    }.items()
}


def bad_parameter(name: str, detail: str) -> Refused:
    return Refused(400, [Problem(detail, parameter=name)])


class Query:
    """The parameters of the current request, checked against what the operation takes."""

    def __init__(
        self,
        kinds: Sequence[str] = (),
        *,
        filters: Mapping[str, tuple[str, ...]] | None = None,
        sorts: Sequence[str] = (),
        includes: Sequence[str] = (),
        additional: Sequence[str] = (),
        page_max: int = 0,
        page_default: int = 0,
        paged: bool = False,
    ) -> None:
        self._args = request.args
        known = {f"fields[{kind}]" for kind in kinds}
        known |= {"filter"} if filters is not None else set()
        known |= {"sort"} if sorts else set()
        known |= {"include"} if includes else set()
        extra = f"additional-fields[{kinds[0]}]" if additional else ""
        known |= {extra} if additional else set()
        known |= {"page[cursor]"} if page_max or paged else set()
        known |= {"page[size]"} if page_max else set()
        for name in self._args:
            if name not in known:
                raise bad_parameter(name, f"'{name}' is not a parameter of this operation.")
        self.clauses: list[Clause] = parse_filter(self._args.get("filter"), filters or {})
        self.sort, self.descending = self._sort(sorts)
        self.include = self._choice("include", includes)
        self.additional = self._choice(extra, additional)
        self.size = self._size(page_max, page_default)
        self._fields = {kind: self._sparse(kind) for kind in kinds}

    def fields(self, kind: str) -> list[str] | None:
        """The attributes wanted of a resource; None means all."""
        return self._fields.get(kind)

    def cursor(self) -> Any:
        """What a cursor of an earlier page stands for, or None on the first page."""
        text = self._args.get("page[cursor]")
        if text is None:
            return None
        try:
            return json.loads(base64.urlsafe_b64decode(text.encode()))
        except (binascii.Error, ValueError) as error:
            raise bad_parameter("page[cursor]", "The cursor is not one of ours.") from error

    def links(self, next_value: Any) -> dict[str, str | None]:
        """The links member of a page; `next_value` is where the next page starts, None on the last."""
        own = [(name, value) for name, value in self._args.items(multi=True) if name != "page[cursor]"]
        base = request.base_url
        following = None
        if next_value is not None:
            cursor = base64.urlsafe_b64encode(json.dumps(next_value).encode()).decode()
            following = f"{base}?{urlencode([*own, ('page[cursor]', cursor)])}"
        return {"self": request.url, "next": following, "prev": None}

    def page(
        self, items: Iterable[Item], key: Callable[[Item], list[Any]], *, descending: bool | None = None
    ) -> tuple[list[Item], dict[str, str | None]]:
        """One page of items in the order of their keys, which must be unique, and its links."""
        down = self.descending if descending is None else descending
        ordered = sorted(items, key=key, reverse=down)
        start = self.cursor()
        if start is not None:
            try:
                ordered = [item for item in ordered if (key(item) < start if down else key(item) > start)]
            except TypeError as error:
                raise bad_parameter("page[cursor]", "The cursor is not one of ours.") from error
        page = ordered[: self.size]
        return page, self.links(key(page[-1]) if len(ordered) > self.size else None)

    def _sort(self, sorts: Sequence[str]) -> tuple[str | None, bool]:
        text = self._args.get("sort")
        if text is None:
            return None, False
        name = text.removeprefix("-")
        if name not in sorts:
            raise bad_parameter("sort", f"'{text}' is not a sort of this operation.")
        return name, text.startswith("-")

    def _choice(self, name: str, allowed: Sequence[str]) -> list[str]:
        text = self._args.get(name, "")
        chosen = [item for item in text.split(",") if item]
        for item in chosen:
            if item not in allowed:
                raise bad_parameter(name, f"'{item}' is not allowed here.")
        return chosen

    def _size(self, page_max: int, page_default: int) -> int:
        text = self._args.get("page[size]")
        if text is None:
            return page_default or 200
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= page_max:
            raise bad_parameter("page[size]", f"page[size] must be between 1 and {page_max}.")
        return int(text)

    def _sparse(self, kind: str) -> list[str] | None:
        name = f"fields[{kind}]"
        if name not in self._args:
            return None
        wanted = [item for item in self._args[name].split(",") if item]
        for item in wanted:
            if item != "id" and item not in FIELDS[kind]:
                raise bad_parameter(name, f"'{item}' is not a field of '{kind}'.")
        return wanted
