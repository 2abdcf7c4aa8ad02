"""From one page of an answer to the next."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from klaviyo_oauth.answers import Reply


def next_cursor(reply: Reply) -> str | None:
    """The cursor of the next page. Only that is taken from the link: a token must not follow an address that an answer names."""
    links = reply.body.get("links")
    link = links.get("next") if isinstance(links, Mapping) else None
    if not isinstance(link, str):
        return None
    found = parse_qs(urlsplit(link).query).get("page[cursor]")
    return found[0] if found else None
