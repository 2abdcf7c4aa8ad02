"""What Klaviyo demands of a profile in a request body, alone, inside an event or in a bulk import.

Written for speed on the road that 10,000 good profiles take. Refuses to normalise or store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sandbox.klaviyo.checks import (
    SURELY_SMALL,
    json_value,
    known_members,
    nullable_string,
    only_data,
    resource,
    wrong,
)
from sandbox.klaviyo.errors import Problem

MAX_PROFILE = 100 * 1024
# What comes with an event has a little less room.
MAX_PROFILE_OF_EVENT = 95 * 1024
MAX_EMAIL = 100
IDENTIFIERS = ("email", "phone_number", "external_id", "_kx", "anonymous_id")
TEXTS = frozenset(
    ("email", "phone_number", "external_id", "_kx", "first_name", "last_name", "organization", "locale")
) | {"title", "image"}
ATTRIBUTES = TEXTS | {"location", "properties"}
LOCATION = frozenset(
    ("address1", "address2", "city", "country", "latitude", "longitude", "region", "zip", "timezone", "ip")
)
MEMBERS = frozenset(("type", "id", "attributes", "meta"))
_REQUIRED = ("type", "attributes")
# What most profiles of a big import are: an address, a name, a few short properties, and perhaps some to take off.
_PLAIN_ATTRIBUTES = frozenset(("email", "first_name", "last_name", "properties"))
_SHORT, _FEW = 200, 50

_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]"
)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


def valid_email(value: str) -> bool:
    """Whether Klaviyo takes it for an address: plain ASCII, with a dotted domain, below 100 characters."""
    return len(value) < MAX_EMAIL and _EMAIL.fullmatch(value) is not None


def check_profile(
    data: Any,
    at: str,
    problems: list[Problem],
    *,
    attributes: frozenset[str] = ATTRIBUTES,
    members: frozenset[str] = MEMBERS,
    identified: bool = True,
    largest: int = MAX_PROFILE,
) -> None:
    """A profile resource: known attributes of the right types, an identifier, no more than so many bytes."""
    if attributes >= _PLAIN_ATTRIBUTES and _plainly_good(data, members):
        return
    if not resource(data, "profile", at, problems, members=members, required=_REQUIRED):
        return
    given = data["attributes"]
    here = f"{at}/attributes"
    if given.keys() - attributes:
        known_members(given, attributes, here, problems, "profile")
    _check_values(given, here, problems)
    if identified and not data.get("id") and not any(given.get(name) for name in IDENTIFIERS):
        wrong(problems, here, "One of email, phone_number, external_id or id is required.")
    if "meta" in data:
        _check_meta(data["meta"], f"{at}/meta", problems)
    if "meta" in given and "meta" in attributes:
        _check_meta(given["meta"], f"{here}/meta", problems)
    # The printed form costs little and is never four times smaller than the JSON.
    if len(repr(given)) > largest // 4 and len(json.dumps(given, ensure_ascii=False).encode()) > largest:
        wrong(problems, at, f"A profile may not be larger than {largest // 1024} KB here.")


def _plainly_good(data: Any, members: frozenset[str]) -> bool:
    """Whether the usual profile is beyond doubt. Whatever is unusual about it is for the full check to judge."""
    if not isinstance(data, dict) or data.get("type") != "profile":
        return False
    if len(data) != 2 and (len(data) != 3 or "meta" not in members or not _only_unsets(data.get("meta"))):
        return False
    given = data.get("attributes")
    if not isinstance(given, dict) or not _PLAIN_ATTRIBUTES.issuperset(given):
        return False
    for name, value in given.items():
        if name == "properties":
            if not _flat(value):
                return False
        elif not isinstance(value, str) or len(value) > _SHORT:
            return False
    return "email" in given and valid_email(given["email"])


def _flat(properties: Any) -> bool:
    """A few short properties with nothing inside them."""
    if not isinstance(properties, dict) or len(properties) > _FEW:
        return False
    for key, value in properties.items():
        kind = type(value)
        if len(key) > _SHORT or kind is dict or kind is list or (kind is str and len(value) > _SHORT):
            return False
    return True


def _only_unsets(meta: Any) -> bool:
    """The one patch that is usual: properties to take off."""
    patch = meta.get("patch_properties") if isinstance(meta, dict) and len(meta) == 1 else None
    unset = patch.get("unset") if isinstance(patch, dict) and len(patch) == 1 else None
    return isinstance(unset, list) and all(type(name) is str for name in unset)


def _check_values(given: Mapping[str, Any], at: str, problems: list[Problem]) -> None:
    for name, value in given.items():
        if name == "properties":
            if value is not None:
                check_properties(value, f"{at}/properties", problems)
        elif name == "email":
            if value is not None and not (isinstance(value, str) and valid_email(value)):
                wrong(problems, f"{at}/email", "Invalid email address.")
        elif name == "phone_number":
            if value is not None and not (isinstance(value, str) and _PHONE.fullmatch(value)):
                wrong(
                    problems,
                    f"{at}/phone_number",
                    "Invalid phone number format (Example of a valid format: +12345678901).",
                )
        elif name == "location":
            _check_location(value, f"{at}/location", problems)
        elif name in TEXTS or name == "anonymous_id":
            nullable_string(value, f"{at}/{name}", problems)


def check_properties(value: Any, at: str, problems: list[Problem]) -> None:
    """Free-form properties: an object whose values respect the size limits."""
    if not isinstance(value, dict):
        wrong(problems, at, "properties must be an object.")
        return
    for key, inner in value.items():
        kind = type(inner)
        if kind is dict or kind is list or (kind is str and len(inner) > SURELY_SMALL):
            json_value(inner, f"{at}/{key}", problems)


def _check_location(value: Any, at: str, problems: list[Problem]) -> None:
    if value is None or not known_members(value, LOCATION, at, problems, "location"):
        return
    for name, inner in value.items():
        number = name in ("latitude", "longitude") and isinstance(inner, int | float)
        if not number or isinstance(inner, bool):
            nullable_string(inner, f"{at}/{name}", problems)


def _check_meta(value: Any, at: str, problems: list[Problem]) -> None:
    allowed = frozenset(("patch_properties", "patch_identifiers"))
    if not known_members(value, allowed, at, problems, "meta"):
        return
    if "patch_identifiers" in value:
        wrong(problems, f"{at}/patch_identifiers", "The sandbox does not offer patch_identifiers.")
    if "patch_properties" not in value:
        return
    patch, here = value["patch_properties"], f"{at}/patch_properties"
    if not known_members(
        patch, frozenset(("append", "unappend", "unset")), here, problems, "patch_properties"
    ):
        return
    for name in ("append", "unappend"):
        if patch.get(name) is not None and not isinstance(patch[name], dict):
            wrong(problems, f"{here}/{name}", "This must be an object.")
    unset = patch.get("unset")
    listed = isinstance(unset, list) and all(isinstance(item, str) for item in unset)
    if unset is not None and not isinstance(unset, str) and not listed:
        wrong(problems, f"{here}/unset", "This must be a string or an array of strings.")


def check_deletion(body: Mapping[str, Any], problems: list[Problem]) -> dict[str, str]:
    """A data privacy deletion: exactly one of email, phone_number and id."""
    data = only_data(body, "", problems)
    if data is None or not resource(data, "data-privacy-deletion-job", "/data", problems):
        return {}
    at = "/data/attributes"
    if not known_members(
        data["attributes"], frozenset(("profile",)), at, problems, "data-privacy-deletion-job", ("profile",)
    ):
        return {}
    profile = only_data(data["attributes"]["profile"], f"{at}/profile", problems)
    if profile is None:
        return {}
    check_profile(
        profile,
        f"{at}/profile/data",
        problems,
        attributes=frozenset(("email", "phone_number")),
        members=frozenset(("type", "id", "attributes")),
        identified=False,
    )
    if problems:
        return {}
    named = {k: v for k, v in {"id": profile.get("id"), **profile["attributes"]}.items() if v}
    if len(named) != 1:
        wrong(problems, f"{at}/profile/data", "Exactly one of email, phone_number or id is required.")
    return named
