"""Addresses from the environment, checked and brought into one form. Messages never repeat the address: it may hold a password."""

from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_SHOP = "{shop}"
_QUEUES = ("redis", "rediss", "unix")


def http_base(value: str) -> str:
    """An http(s) address to which paths are appended, without a slash at its end."""
    value = value.strip().rstrip("/")
    parts = _split(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://example.org")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must not have a user, a query or a fragment")
    return value


def shop_template(value: str) -> str:
    """The address of a shop's own endpoints, with ``{shop}`` where the shop's domain goes."""
    if value.count(_SHOP) != 1:
        raise ValueError("must contain {shop} once, where the shop's domain goes")
    http_base(value.replace(_SHOP, "shop.invalid"))
    return value.strip().rstrip("/")


def redis(value: str) -> str:
    """A queue server: redis://, rediss:// or unix://."""
    if _split(value).scheme not in _QUEUES:
        raise ValueError("must be a redis://, rediss:// or unix:// address")
    return value


def database(value: str, *, root: Path) -> str:
    """A database that several processes can share. A relative SQLite path starts at ``root``, wherever we were started."""
    # Hosts hand out postgres:// and postgresql://; both mean the one driver that we ship.
    scheme, separator, rest = value.partition("://")
    if scheme in ("postgres", "postgresql"):
        value = f"postgresql+psycopg{separator}{rest}"
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database address") from None
    if url.drivername == "postgresql+psycopg":
        return value
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise ValueError("must be a postgresql+psycopg:// or sqlite:/// address")
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ValueError("must name a database file: the processes share it")
    return url.set(database=str(root / url.database)).render_as_string(hide_password=False)


def _split(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port  # reading it checks it
    except ValueError:
        raise ValueError("is not an address") from None
    return parts
