"""One OAuth attempt from its start in the merchant's admin to its end there. The attempt lives in a row, not in a cookie: the
merchant leaves Shopify's iframe on the way, and cookies do not survive that.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

import requests
from sqlalchemy import delete, update
from sqlmodel import Session, col

from klaviyo_oauth import accounts, connections, farewells, linking, oauth
from klaviyo_oauth.client import Client
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.connections import Account
from klaviyo_oauth.oauth import GrantDead, Tokens
from loyalty.encryption import SealBroken
from loyalty.models import OAuthState
from loyalty.runtime import Runtime

LIFE = timedelta(minutes=10)

CONNECTED = "connected"
DENIED = "denied"
EXPIRED = "expired"
REPEATED = "repeated"
FAILED = "failed"
UNREACHABLE = "unreachable"
TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that came back to us. ``verifier`` is None when it came too late, or a second time (``is_repeat``)."""

    key: str
    shop_id: int
    return_to: str
    verifier: str | None = field(repr=False)
    is_repeat: bool = False


def begin(runtime: Runtime, config: KlaviyoConfig, shop_id: int, *, return_to: str) -> str:
    """Remember an attempt and give the address that the browser opens at top level."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    key, now = _key(state), runtime.clock()
    with runtime.transaction() as session:
        session.execute(delete(OAuthState).where(col(OAuthState.expires_at) < now - timedelta(days=1)))
        session.add(
            OAuthState(
                state_hash=key,
                shop_id=shop_id,
                verifier=runtime.cipher.seal(verifier, row=_row(key)),
                return_to=return_to,
                expires_at=now + LIFE,
            )
        )
    return oauth.authorization_url(config, state=state, verifier=verifier)


def claim(runtime: Runtime, state: str) -> Attempt | None:
    """Use an attempt up. None for a state that we never made."""
    key, now = _key(state), runtime.clock()
    with runtime.transaction() as session:
        unused = (col(OAuthState.used_at).is_(None), col(OAuthState.expires_at) > now)
        claimed = session.execute(
            update(OAuthState).where(col(OAuthState.state_hash) == key, *unused).values(used_at=now)
        )
        row = session.get(OAuthState, key)
        if row is None:
            return None
        fresh = bool(claimed.rowcount)  # type: ignore[attr-defined]
        try:
            verifier = runtime.cipher.open(row.verifier, row=_row(key)) if fresh else None
        except SealBroken:
            verifier = None
        is_repeat = not fresh and row.used_at is not None
        return Attempt(key, row.shop_id, row.return_to, verifier, is_repeat=is_repeat)


def finish(
    runtime: Runtime, config: KlaviyoConfig, http: requests.Session, attempt: Attempt, code: str
) -> str:
    """Trade the code, see whose account it is, link it. Returns one of the outcomes above."""
    if attempt.verifier is None:
        # Pressed twice, or gone back to: the first time decided, and what came of it is on the page.
        return REPEATED if attempt.is_repeat else EXPIRED
    tokens = oauth.exchange(config, code=code, verifier=attempt.verifier)
    if isinstance(tokens, GrantDead):
        return FAILED
    if not isinstance(tokens, Tokens):
        return UNREACHABLE
    account = accounts.identify(Client(config, http), f"Bearer {tokens.access}")
    if not isinstance(account, Account):
        return UNREACHABLE

    def link(session: Session) -> None:
        now = runtime.clock()
        connections.link_oauth(session, runtime.cipher, attempt.shop_id, account, tokens, now=now)

    if linking.link(runtime, link):
        return CONNECTED
    _give_to_owner(runtime, attempt.shop_id, account, tokens)
    return TAKEN


def close(runtime: Runtime, attempt: Attempt) -> None:
    """The attempt has come to its end, whichever: from now on no grant can come into being by it (see ``farewells.is_connecting``)."""
    if attempt.is_repeat:
        return
    with runtime.transaction() as session:
        row = session.get(OAuthState, attempt.key)
        if row is not None:
            row.expires_at = min(row.expires_at, runtime.clock())


def _give_to_owner(runtime: Runtime, shop_id: int, account: Account, tokens: Tokens) -> None:
    """The account's one grant was just renewed, which may have ended the tokens of the shop that holds it: that shop gets the new ones.
    Revoking them instead would end its link for certain. A shop that holds it by a private key needs no grant, so that goes again."""
    with runtime.transaction() as session:
        owner = connections.owner_of(session, account.id)
        if owner is not None and owner.road == connections.OAUTH:
            connections.keep_tokens(owner, runtime.cipher, tokens, now=runtime.clock())
            return
        farewells.write(
            session,
            runtime.cipher,
            shop_id,
            account_id=account.id,
            road=connections.OAUTH,
            access=tokens.access,
            refresh=tokens.refresh,
            now=runtime.clock(),
        )


def _key(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _row(key: str) -> str:
    return f"oauth_state:{key}"
