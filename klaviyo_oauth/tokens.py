"""The Authorization header for a shop, refreshed when needed by one process at a time.

Only ``invalid_grant`` (or a private key that was rejected twice, a while apart) ends a link. Klaviyo being away never does. Of a shop that
removed the app, nobody is given the header.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session

from klaviyo_oauth import connections, oauth
from klaviyo_oauth.answers import NotConnected, Wait
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.oauth import GrantDead, Tokens, TokenTrouble
from loyalty import leases
from loyalty.encryption import SealBroken
from loyalty.models import KlaviyoConnection
from loyalty.runtime import Runtime

_EARLY = timedelta(seconds=60)
# Longer than the token request can take with its timeouts.
_LEASE_SECONDS = 60
_WHILE_OTHERS_REFRESH = 1.0
_AFTER_TROUBLE = 15.0
_AFTER_BROKEN_SEAL = 300.0
# One 401 may be a fault on the way; a key that is still refused after this is not known any more.
_BEFORE_SECOND_OPINION = 60.0
_DOUBTED = "key_doubted_at"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request needs to speak for a shop."""

    shop_id: int
    account_id: str
    road: str
    scopes: frozenset[str]
    authorization: str = field(repr=False)
    doubted: bool = False


def credentials(
    runtime: Runtime, config: KlaviyoConfig, shop_id: int, *, stale: str | None = None
) -> Credentials | Wait | NotConnected:
    """The header to use now. ``stale`` is one that Klaviyo just answered 401 to, so it must be another. Opens its own transactions."""
    try:
        return _credentials(runtime, config, shop_id, stale)
    except SealBroken:
        # A key that the operator took away can be given back; the link must survive until then.
        return Wait(_AFTER_BROKEN_SEAL, "sealed_tokens_cannot_be_opened")


def _credentials(
    runtime: Runtime, config: KlaviyoConfig, shop_id: int, stale: str | None
) -> Credentials | Wait | NotConnected:
    with runtime.reading() as session:
        row, uninstalled_at = connections.load_with_departure(session, shop_id)
        held = _held(runtime, row)
        if row is None or held is None:
            return NotConnected(None if row is None else row.problem)
        if uninstalled_at is not None:
            # Whatever is under way for the shop asks here before each request, so it ends with the next one.
            return NotConnected(connections.UNINSTALLED)
        if row.road == connections.PRIVATE_KEY:
            expired = False
            if (left := _pause_left(runtime, row)) > 0:
                return Wait(left, "key_doubted")
        else:
            expires = row.access_token_expires_at
            expired = expires is None or expires <= runtime.clock() + _EARLY
    if held.authorization != stale and not expired:
        return held
    if held.road == connections.PRIVATE_KEY:
        return _reject_key(runtime, held)
    return _refresh(runtime, config, held)


def keep_alive(runtime: Runtime, config: KlaviyoConfig, shop_id: int) -> None:
    """Use the refresh token once in a while: Klaviyo revokes one that rests for 90 days."""
    held = credentials(runtime, config, shop_id)
    if isinstance(held, Credentials) and held.road == connections.OAUTH:
        _refresh(runtime, config, held)


def _held(runtime: Runtime, row: KlaviyoConnection | None) -> Credentials | None:
    if row is None or row.state != connections.CONNECTED or row.account_id is None:
        return None
    sealed = row.api_key if row.road == connections.PRIVATE_KEY else row.access_token
    if sealed is None:
        return None
    secret = runtime.cipher.open(sealed, row=connections.seal_row(row.shop_id))
    header = connections.authorization(row.road, secret)
    scopes = frozenset(row.scopes.split())
    return Credentials(row.shop_id, row.account_id, row.road, scopes, header, doubted=_DOUBTED in row.details)


def trust(runtime: Runtime, held: Credentials) -> None:
    """Klaviyo took a private key that it had refused: the refusal was a fault."""
    with runtime.transaction() as session:
        row = connections.load(session, held.shop_id, lock=True)
        if row is not None:
            connections.change_details(row, **{_DOUBTED: None})


def _pause_left(runtime: Runtime, row: KlaviyoConnection) -> float:
    """For how many seconds a doubted key is still left alone."""
    doubted_at = row.details.get(_DOUBTED)
    if not isinstance(doubted_at, str):
        return 0.0
    return _BEFORE_SECOND_OPINION - (runtime.clock() - datetime.fromisoformat(doubted_at)).total_seconds()


def _reject_key(runtime: Runtime, held: Credentials) -> NotConnected | Credentials | Wait:
    """A private key was refused. The first time it is only doubted, and a job asks again after a pause; the second time ends the link."""
    with runtime.transaction() as session:
        row = connections.load(session, held.shop_id, lock=True)
        now_held = _held(runtime, row)
        if row is None or now_held is None:
            return NotConnected(row.problem if row else None)
        if now_held.authorization != held.authorization:
            return now_held
        now, left = runtime.clock(), _pause_left(runtime, row)
        first = _DOUBTED not in row.details
        if first:
            connections.change_details(row, **{_DOUBTED: now.isoformat()})
        elif left <= 0:
            connections.lose(row, connections.KEY_REJECTED, now=now)
            return NotConnected(connections.KEY_REJECTED)
    if first:
        runtime.nudge("check_klaviyo", held.shop_id, delay=_BEFORE_SECOND_OPINION)
    return Wait(_BEFORE_SECOND_OPINION if first else left, "key_doubted")


def _refresh(runtime: Runtime, config: KlaviyoConfig, held: Credentials) -> Credentials | Wait | NotConnected:
    lease, holder = f"klaviyo_refresh:{held.shop_id}", uuid.uuid4().hex
    with runtime.transaction() as session:
        if not leases.acquire(session, lease, holder=holder, seconds=_LEASE_SECONDS, now=runtime.clock()):
            return Wait(_WHILE_OTHERS_REFRESH, "refreshing")
        row = connections.load(session, held.shop_id)
        now_held = _held(runtime, row)
        if row is None or now_held is None or now_held.authorization != held.authorization:
            # Somebody was faster: refreshed, reconnected or disconnected since we looked.
            leases.release(session, lease, holder=holder)
            return now_held or NotConnected(row.problem if row else None)
        token = _refresh_token(runtime, row)
    answer: oauth.TokenAnswer = GrantDead() if token is None else oauth.refresh(config, token)
    with runtime.transaction() as session:
        leases.release(session, lease, holder=holder)
        return _record(runtime, session, held, token, answer)


def _refresh_token(runtime: Runtime, row: KlaviyoConnection) -> str | None:
    if row.refresh_token is None:
        return None
    return runtime.cipher.open(row.refresh_token, row=connections.seal_row(row.shop_id))


def _record(
    runtime: Runtime, session: Session, held: Credentials, token: str | None, answer: oauth.TokenAnswer
) -> Credentials | Wait | NotConnected:
    now = runtime.clock()
    row = connections.load(session, held.shop_id, lock=True)
    # The tokens themselves are compared: one that was sealed anew meanwhile is still the same.
    if row is None or row.state != connections.CONNECTED or _refresh_token(runtime, row) != token:
        # The link was replaced while we asked: what we were told is about a grant that is no longer ours to judge.
        return _held(runtime, row) or NotConnected(row.problem if row else None)
    match answer:
        case Tokens():
            connections.keep_tokens(row, runtime.cipher, answer, now=now)
            return _held(runtime, row) or NotConnected(row.problem)
        case GrantDead():
            connections.lose(row, connections.AUTHORIZATION_LOST, now=now)
            return NotConnected(connections.AUTHORIZATION_LOST)
        case TokenTrouble(reason=reason):
            row.last_error, row.last_error_at = f"token refresh: {reason}", now
            return Wait(_AFTER_TROUBLE, "token_refresh_failed")
