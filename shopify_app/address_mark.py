"""A mark of a postal address, by which two orders are seen to go to the same door, and by which nobody can be found.

It has 24 bits: enough to compare two people, and so few that millions of the world's addresses share each mark. Spelling that varies
between two orders (capitals, spaces, punctuation, accents left out) makes no difference.
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Any

_PARTS = ("address1", "address2", "zip", "country_code")
_DIGITS = 6


def address_mark(address: object) -> str | None:
    """The mark of an address as webhooks carry it, or None when there is no street or no town in it."""
    if not isinstance(address, Mapping):
        return None
    words = [_plain(address.get(name)) for name in _PARTS]
    if not words[0] or not (words[2] or _plain(address.get("city"))):
        return None
    if not words[2]:
        words.append(_plain(address.get("city")))
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:_DIGITS]


def mark_of_node(address: object) -> str | None:
    """The same mark, of an address as the Admin API answers it. What the app may not see of an address is no part of it."""
    if not isinstance(address, Mapping):
        return None
    return address_mark({**address, "country_code": address.get("countryCodeV2")})


def _plain(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if letter.isalnum())
