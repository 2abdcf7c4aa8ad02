"""Which columns a file has, by its header: our own format, and those of Smile, Stamped, LoyaltyLion and Yotpo.

What the vendors document of their files is taken from their help pages (docs/moving.md says which). Their exports are laid out by their
users, so every name that one of them uses for a thing is understood, in any order and beside columns that we have no use for.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loyalty.member_file.table import DELIMITERS, LONGEST_LINE

LAUREL = "laurel"
# What files of just these two columns are called: every vendor's template for balances is one.
PLAIN = "email and points"

_EMAIL = ("email", "e_mail", "email_address", "emails", "customer_email")
_NAMES = {"first_name": ("first_name", "firstname"), "last_name": ("last_name", "lastname")}
_BIRTHDAY = ("birthday", "birthdate", "birth_date", "date_of_birth", "dob")


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: what its columns are called, the dearest name first, and which columns no other kind has."""

    name: str
    title: str
    fields: Mapping[str, tuple[str, ...]]
    marks: frozenset[str]


FORMATS = (
    Format(
        LAUREL,
        "Laurel",
        {
            "email": _EMAIL,
            "customer_id": ("customer_id", "shopify_customer_id", "shopify_id"),
            **_NAMES,
            "points": ("points", "points_balance", "balance"),
            "tier": ("tier",),
            "tier_until": ("tier_until",),
            "birthday": _BIRTHDAY,
            "referral_code": ("referral_code",),
            "joined_at": ("joined_at",),
            "points_earned_at": ("points_earned_at",),
            "points_expire_at": ("points_expire_at",),
            "lifetime_points": ("lifetime_points",),
        },
        frozenset({"tier_until", "joined_at", "points_earned_at", "points_expire_at", "referral_code", "current_tier"}),
    ),
    Format(
        "smile",
        "Smile",
        {
            "email": _EMAIL,
            "customer_id": ("shopify_customer_id", "shopify_id", "external_id"),
            **_NAMES,
            "points": ("points_balance", "points"),
            "tier": ("vip_tier", "vip_tier_name", "tier"),
            "birthday": ("date_of_birth", *_BIRTHDAY),
            "referral_code": ("referral_code",),
            "joined_at": ("joined_at", "member_since", "created_at"),
            "points_expire_at": ("points_expire_at", "points_expiry_date", "points_expiration_date"),
            "lifetime_points": ("points_earned", "lifetime_points", "total_points_earned"),
        },
        frozenset({"date_of_birth", "referral_url", "points_balance"}),
    ),
    Format(
        "stamped",
        "Stamped",
        {
            "email": _EMAIL,
            "customer_id": ("shopify_customer_id", "shopify_id"),
            **_NAMES,
            "points": ("points", "total_points", "totalpoints", "points_balance"),
            "add_points": ("add_points",),
            "tier": ("vip_tier", "viptier"),
            "tier_until": ("vip_tier_end_date",),
            "birthday": _BIRTHDAY,
            "referral_code": ("referral_code", "referralcode"),
            "joined_at": ("date_created", "datecreated", "created_date"),
            "points_expire_at": ("points_expiry_date", "points_expiry"),
            "lifetime_points": ("lifetime_points", "total_points_earned", "lifetime_points_earned"),
        },
        frozenset({"add_points", "vip_tier_end_date", "viptier", "totalpoints"}),
    ),
    Format(
        "loyaltylion",
        "LoyaltyLion",
        {
            "email": _EMAIL,
            "customer_id": ("merchant_id", "shopify_id", "shopify_customer_id", "customer_id"),
            **_NAMES,
            "points": ("points_approved", "approved_points", "available_points", "points", "total_points"),
            "tier": ("loyalty_tier", "tier_name", "current_tier", "tier", "current_tier_level"),
            "birthday": _BIRTHDAY,
            "referral_code": ("referral_code", "referral_id"),
            "joined_at": ("enrolled_at", "enrollment_date", "enrolment_date", "joined_at"),
            "points_expire_at": ("points_expire_at", "points_expiration_date", "points_expiry_date"),
            "lifetime_points": ("lifetime_points", "points_earned", "total_points_earned"),
        },
        frozenset({"points_approved", "approved_points", "points_pending", "pending_points", "enrolled_at", "enrollment_date", "merchant_id"}),
    ),
    Format(
        "yotpo",
        "Yotpo",
        {
            "email": _EMAIL,
            "customer_id": ("shopify_customer_id", "third_party_id", "platform_customer_id"),
            **_NAMES,
            "points": ("points_balance", "current_points_balance", "points"),
            "tier": ("vip_tier", "current_vip_tier", "vip_tier_name", "tier"),
            "birthday": _BIRTHDAY,
            "referral_code": ("referral_code",),
            "joined_at": ("opted_in_at", "created_at", "enrolled_at"),
            "points_expire_at": ("points_expire_at", "points_expiration_date", "points_expiry_date"),
            "lifetime_points": ("points_earned", "total_points_earned", "lifetime_points"),
        },
        frozenset({"points_spent", "current_points_balance", "referral_link", "opted_in", "opted_in_at", "full_name"}),
    ),
)  # fmt: skip


class NotAMemberFile(ValueError):
    """The header names no column that could say who a line is about."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the columns of one file are. ``places`` maps our fields to positions, ``ignored`` are the headers that mean nothing to us."""

    format: str
    title: str
    delimiter: str
    width: int
    places: Mapping[str, int]
    headers: tuple[str, ...]
    ignored: tuple[str, ...]

    def header(self, field: str) -> str:
        """What the file calls a field."""
        place = self.places.get(field)
        return field if place is None else self.headers[place]

    def to_json(self) -> dict[str, Any]:
        """The layout as plain values."""
        names = ("format", "title", "delimiter", "width")
        plain: dict[str, Any] = {name: getattr(self, name) for name in names}
        return plain | {
            "places": dict(self.places),
            "headers": list(self.headers),
            "ignored": list(self.ignored),
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Layout":
        """The layout that ``to_json`` gave."""
        lists = {name: tuple(value[name]) for name in ("headers", "ignored")}
        return Layout(**{**value, **lists})


def recognise(line: str) -> Layout:
    """The layout of a file with this first line. Raises ``NotAMemberFile``."""
    if len(line) > LONGEST_LINE:
        raise NotAMemberFile("The first line is too long to name columns: is this a CSV file?")
    found = max((_layout(line, delimiter) for delimiter in DELIMITERS), key=lambda layout: len(layout.places))
    if not {"email", "customer_id"} & found.places.keys():
        raise NotAMemberFile("The first line names no column for the e-mail address.")
    return found


def _layout(line: str, delimiter: str) -> Layout:
    headers = tuple(cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), []))
    keys = [normal_header(header) for header in headers]
    kind = max(FORMATS, key=lambda kind: (len(kind.marks & set(keys)), len(_places(kind, keys))))
    places = _places(kind, keys)
    is_plain = places.keys() <= {"email", "points", "first_name", "last_name"} and not kind.marks & set(keys)
    return Layout(
        format=PLAIN if is_plain else kind.name,
        title="e-mail and points" if is_plain else kind.title,
        delimiter=delimiter,
        width=len(headers),
        places=places,
        headers=headers,
        ignored=tuple(
            header for place, header in enumerate(headers) if header and place not in places.values()
        ),
    )


def _places(kind: Format, keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for field, names in kind.fields.items():
        for name in names:
            if name in keys:
                found.setdefault(field, keys.index(name))
    return found


def normal_header(header: str) -> str:
    """A header as a name: lower case, words joined by underscores, remarks in brackets left out."""
    bare = re.sub(r"\(.*?\)(?:\s+or\s+\(.*?\))*", " ", header.strip().lower())
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")
