"""The road for shops without OAuth: a private API key, checked on the spot. Each scope is tried with a request that changes nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from sqlmodel import Session

from klaviyo_oauth import accounts, connections, linking
from klaviyo_oauth.answers import NoReply, Reply
from klaviyo_oauth.client import Client
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.connections import Account
from loyalty.runtime import Runtime

# What an account without the feature answers.
_NOT_OFFERED = frozenset((400, 404, 405, 410))
_SHAPE = re.compile(r"pk_[A-Za-z0-9_]{8,120}")


class KeyRefused(Exception):
    """A key that cannot be used. ``code``: bad_key, key_rejected, missing_scopes, unreachable or taken; ``message`` is for the merchant."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class _Probe:
    scopes: tuple[str, ...]
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    required: bool = False


def _empty(kind: str) -> dict[str, Any]:
    """A body that is refused for being empty when the scope is there, and for the scope when it is not."""
    return {"data": {"type": kind, "attributes": {}}}


_PROBES = (
    _Probe(("events:write",), "POST", "/api/events", _empty("event"), required=True),
    _Probe(
        ("lists:write", "profiles:write"),
        "POST",
        "/api/profile-bulk-import-jobs",
        _empty("profile-bulk-import-job"),
        required=True,
    ),
    _Probe(("profiles:read",), "GET", "/api/profiles?page[size]=1&fields[profile]=created", required=True),
    _Probe(("lists:read",), "GET", "/api/lists?fields[list]=created", required=True),
    _Probe(("metrics:read",), "GET", "/api/metrics?fields[metric]=created"),
    _Probe(("reviews:read",), "GET", "/api/reviews?page[size]=1&fields[review]=created"),
    _Probe(("webhooks:read", "webhooks:write"), "GET", "/api/webhooks?fields[webhook]=enabled"),
)


def connect(runtime: Runtime, config: KlaviyoConfig, http: requests.Session, shop_id: int, key: str) -> None:
    """Check a key and link the shop with it. Raises ``KeyRefused``."""
    key = key.strip()
    if not _SHAPE.fullmatch(key):
        raise KeyRefused("bad_key", "This is not a private API key: those begin with pk_.")
    client, authorization = Client(config, http), f"Klaviyo-API-Key {key}"
    account = accounts.identify(client, authorization)
    if isinstance(account, NoReply):
        raise _unreachable()
    if not isinstance(account, Account):
        raise _no_account(account.status)
    scopes = _scopes(client, authorization)

    def link(session: Session) -> None:
        now = runtime.clock()
        connections.link_key(session, runtime.cipher, shop_id, account, key, scopes, now=now)

    if not linking.link(runtime, link):
        raise KeyRefused("taken", "This Klaviyo account is already linked to another shop.")


def _scopes(client: Client, authorization: str) -> frozenset[str]:
    found = {"accounts:read"}
    missing: list[str] = []
    for probe in _PROBES:
        answer = client.send(authorization, probe.method, probe.path, json_body=probe.body)
        if isinstance(answer, Reply) and answer.status == 401:
            raise _no_account(401)
        if isinstance(answer, Reply) and (answer.ok or (probe.body is not None and answer.status == 400)):
            found.update(probe.scopes)
        elif isinstance(answer, Reply) and answer.status == 403:
            missing.extend(probe.scopes if probe.required else ())
        elif probe.required or not isinstance(answer, Reply) or answer.status not in _NOT_OFFERED:
            # A limit or a fault says nothing of the scope, and guessing would show a link as better or worse than it is.
            raise _unreachable()
    if missing:
        names = ", ".join(missing)
        raise KeyRefused("missing_scopes", f"The key lacks these scopes: {names}. Make a key that has them.")
    return frozenset(found)


def _no_account(status: int) -> KeyRefused:
    if status == 401:
        return KeyRefused("key_rejected", "Klaviyo does not know this key. It may have been deleted.")
    if status == 403:
        return KeyRefused("missing_scopes", "The key lacks the scope accounts:read. Make a key that has it.")
    return _unreachable()


def _unreachable() -> KeyRefused:
    return KeyRefused("unreachable", "Klaviyo does not answer at the moment. Try again in a minute.")
