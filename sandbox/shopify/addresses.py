"""Postal addresses: what a shopper may give, and how webhooks and the GraphQL API write it.

An order keeps the addresses of its day, whatever its customer does to theirs later. No address is ever verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sandbox.shopify.errors import ActionRefused


@dataclass(frozen=True)
class Address:
    """One address as it was given. The country's code is two capital letters."""

    address1: str
    country_code: str
    address2: str | None = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    country: str | None = None
    zip: str | None = None
    company: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None

    @property
    def name(self) -> str | None:
        """Whose letter box it is."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or None

    def of(self, first_name: str | None, last_name: str | None) -> Address:
        """The same address with somebody's name where none was given."""
        named = self.first_name or self.last_name
        return self if named else replace(self, first_name=first_name, last_name=last_name)


KNOWN = frozenset(item.name for item in fields(Address))


def read(given: Any) -> Address | None:
    """The address that somebody gave, or None for none. Refuses unknown fields, and whatever has no street or no country."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ActionRefused("bad_address", "An address is an object.")
    if unknown := given.keys() - KNOWN:
        raise ActionRefused("bad_address", f"An address has no field {', '.join(sorted(unknown))}.")
    told = {name: value for name, value in given.items() if value not in (None, "")}
    if not all(isinstance(value, str) for value in told.values()):
        raise ActionRefused("bad_address", "The fields of an address are text.")
    code = told.get("country_code", "")
    if not told.get("address1") or not (len(code) == 2 and code.isascii() and code.isupper()):
        raise ActionRefused(
            "bad_address", "An address needs an address1, and a country_code of two capital letters."
        )
    return Address(**told)


def in_order(address: Address | None) -> dict[str, Any] | None:
    """An order's address in webhooks."""
    if address is None:
        return None
    return {
        "first_name": address.first_name,
        "address1": address.address1,
        "phone": address.phone,
        "city": address.city,
        "zip": address.zip,
        "province": address.province,
        "country": address.country or address.country_code,
        "last_name": address.last_name,
        "address2": address.address2,
        "company": address.company,
        "latitude": None,
        "longitude": None,
        "name": address.name,
        "country_code": address.country_code,
        "province_code": address.province_code,
    }


def of_customer(address: Address | None, customer_id: int) -> dict[str, Any] | None:
    """A customer's default address in webhooks, which has an id of its own."""
    body = in_order(address)
    if body is None:
        return None
    del body["latitude"], body["longitude"]
    named = {"id": customer_id + 5, "customer_id": customer_id, "country_name": body["country"]}
    return {**body, **named, "default": True}


def node(address: Address | None, identity: str) -> dict[str, Any] | None:
    """An address as GraphQL's MailingAddress, under the given global id."""
    if address is None:
        return None
    return {
        "__typename": "MailingAddress",
        "id": identity,
        "address1": address.address1,
        "address2": address.address2,
        "city": address.city,
        "company": address.company,
        "country": address.country or address.country_code,
        "countryCodeV2": address.country_code,
        "firstName": address.first_name,
        "lastName": address.last_name,
        "name": address.name,
        "phone": address.phone,
        "province": address.province,
        "provinceCode": address.province_code,
        "zip": address.zip,
    }
