"""One OAuth attempt from its start in the merchant's admin to its end there. The attempt lives in a row, not in a cookie: the
merchant leaves Shopify's iframe on the way, and cookies do not survive that.

Klaviyo's answer proves that somebody allowed the connection, not that it was the person who asked for it: an address made in one shop can be
sent to the owner of any Klaviyo account. So the answer is only kept, sealed, and its browser gets a ticket. The connection is made when that
ticket comes back from inside the admin of the shop, by the person who began.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import requests
from sqlalchemy import delete
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
ELSEWHERE = "elsewhere"

_LONGEST_CODE = 2_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """Klaviyo's answer has come: where its browser goes, with the ``ticket`` that the connection is made with, or with what came of it."""

    return_to: str
    outcome: str | None = None
    ticket: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that came to its end: the code to trade, and what proves that it was we who asked for it."""

    key: str
    shop_id: int
    verifier: str = field(repr=False)
    code: str = field(repr=False)


def begin(runtime: Runtime, config: KlaviyoConfig, shop_id: int, *, user_id: str, return_to: str) -> str:
    """Remember an attempt and give the address that the browser opens at top level."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    key, now = _key(state), runtime.clock()
    with runtime.transaction() as session:
        session.execute(delete(OAuthState).where(col(OAuthState.expires_at) < now - timedelta(days=1)))
        session.add(
            OAuthState(
                state_hash=key,
                shop_id=shop_id,
                user_id=user_id,
                verifier=runtime.cipher.seal(verifier, row=_row(key)),
                return_to=return_to,
                expires_at=now + LIFE,
            )
        )
    return oauth.authorization_url(config, state=state, verifier=verifier)


def arrive(runtime: Runtime, state: str, *, code: str | None, refusal: str | None) -> Arrival | None:
    """Keep Klaviyo's answer. None for a state that we never made.

    An answer may come again before it is used (a double click makes two): the last one counts, and only its own ticket opens it.
    """
    key, now = _key(state), runtime.clock()
    with runtime.transaction() as session:
        row = session.get(OAuthState, key, with_for_update=True)
        if row is None:
            return None
        if row.used_at is not None:
            # Gone back to: the first time decided, and what came of it is on the page.
            return Arrival(row.return_to, REPEATED)
        if row.expires_at <= now:
            return Arrival(row.return_to, EXPIRED)
        if refusal or not code or len(code) > _LONGEST_CODE:
            _end(row, now)
            return Arrival(row.return_to, DENIED if refusal == "access_denied" else FAILED)
        secret = secrets.token_urlsafe(32)
        row.code = runtime.cipher.seal(code, row=_row(key))
        row.ticket_hash = _key(secret)
        return Arrival(row.return_to, ticket=f"{key}.{secret}")


def claim(runtime: Runtime, ticket: str, *, shop_id: int, user_id: str) -> Attempt | str:
    """Use an attempt up, on behalf of the person at the page. An outcome instead when it cannot be used; somebody else's stays as it is."""
    key, _, secret = ticket.partition(".")
    now = runtime.clock()
    with runtime.transaction() as session:
        row = session.get(OAuthState, key, with_for_update=True)
        if row is None or row.shop_id != shop_id or (row.user_id or user_id) != user_id:
            return ELSEWHERE
        if row.used_at is not None or not hmac.compare_digest(row.ticket_hash or "", _key(secret)):
            return REPEATED
        if row.expires_at <= now:
            return EXPIRED
        try:
            verifier = runtime.cipher.open(row.verifier, row=_row(key))
            code = runtime.cipher.open(row.code or "", row=_row(key))
        except SealBroken:
            _end(row, now)
            return FAILED
        row.used_at, row.code = now, None
        return Attempt(key, row.shop_id, verifier, code)


def finish(runtime: Runtime, config: KlaviyoConfig, http: requests.Session, attempt: Attempt) -> str:
    """Trade the code, see whose account it is, link it. Returns one of the outcomes above."""
    tokens = oauth.exchange(config, code=attempt.code, verifier=attempt.verifier)
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
    with runtime.transaction() as session:
        row = session.get(OAuthState, attempt.key)
        if row is not None:
            _end(row, runtime.clock())


def _end(row: OAuthState, now: datetime) -> None:
    row.used_at, row.code = row.used_at or now, None
    row.expires_at = min(row.expires_at, now)


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
