"""A local Klaviyo: OAuth, events, profiles, bulk jobs, reviews, webhooks, rate limits and faults.

Strict where the real service is strict, quirky where it is quirky, and forgetful: nothing is kept on disk.
It knows nothing of the application that is tested against it. See README.md beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sandbox.klaviyo.account import AccountSpec
from sandbox.klaviyo.grants import Client
from sandbox.klaviyo.server import KlaviyoSandbox, listen
from sandbox.klaviyo.state import DEFAULT_ACCOUNTS, State, system_clock

__all__ = ["AccountSpec", "KlaviyoSandbox", "start"]

DEFAULT_CLIENT_ID = "laurel-sandbox"
DEFAULT_CLIENT_SECRET = "sandbox-secret-of-the-klaviyo-app"


def start(
    port: int = 0,
    client_id: str = DEFAULT_CLIENT_ID,
    client_secret: str = DEFAULT_CLIENT_SECRET,
    redirect_uris: Iterable[str] = (),
    limits: str | dict[str, float] = "real",
    clock: Callable[[], datetime] = system_clock,
    *,
    app_name: str = "Laurel",
    scopes: Iterable[str] | None = None,
    accounts: Sequence[AccountSpec] = DEFAULT_ACCOUNTS,
) -> KlaviyoSandbox:
    """Start a local Klaviyo in threads of this process.

    `limits` is "real", "off" or {"scale": factor}; `scopes` is the app's allow-list, by default every scope;
    `clock` returns aware datetimes.
    """
    allowed = frozenset(scopes) if scopes is not None else None
    client = Client(client_id, client_secret, app_name, tuple(redirect_uris), allowed)
    return listen(State(client, accounts, limits, clock), port)
