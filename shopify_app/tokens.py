"""A shop's access token: kept sealed, renewed before it ends, by one process at a time.

Refresh tokens rotate. Two renewals at once could therefore keep the loser's pair, so the right to renew is a lease in the database;
it is committed before the network is used, and the new pair is stored in a transaction of its own.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import requests
import structlog
from sqlmodel import Session

from loyalty import leases
from loyalty.models import Shop
from loyalty.runtime import Runtime
from shopify_app import token_endpoint
from shopify_app.config import ShopifyConfig
from shopify_app.errors import NeedsReauthorization, NotInstalled, ShopifyError, TokenBusy
from shopify_app.granting import take_scopes
from shopify_app.token_endpoint import TokenPair

RENEW_BEFORE = timedelta(minutes=5)
# Longer than the endpoint's longest answer, so that a lease never ends under its holder.
_LEASE_SECONDS = 30
_WAIT_SECONDS = 15.0
_POLL_SECONDS = 0.1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """Where a shop is, and what opens its door."""

    domain: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Kept:
    domain: str
    access_token: str | None = field(repr=False)
    expires_at: datetime | None
    refresh_token: str | None = field(repr=False)

    def fresh_access(self, now: datetime, not_this: str | None) -> Access | None:
        if not self.access_token or self.expires_at is None or self.access_token == not_this:
            return None
        return Access(self.domain, self.access_token) if self.expires_at - now > RENEW_BEFORE else None


def access(
    runtime: Runtime,
    config: ShopifyConfig,
    shop_id: int,
    *,
    session: requests.Session,
    not_this: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Access:
    """The shop's domain with a valid access token, renewed when it is about to end or is ``not_this`` (which Shopify just refused).

    Raises ``NotInstalled``, ``NeedsReauthorization``, ``ConfigurationWrong``, ``Throttled``, ``ShopUnavailable``, ``Unreachable``
    or ``TokenBusy``.
    """
    for _ in range(int(_WAIT_SECONDS / _POLL_SECONDS)):
        now = runtime.clock()
        fresh = _read(runtime, shop_id).fresh_access(now, not_this)
        if fresh is not None:
            return fresh
        holder = uuid.uuid4().hex
        with runtime.transaction() as database:
            won = leases.acquire(database, _lease(shop_id), holder=holder, seconds=_LEASE_SECONDS, now=now)
        if won:
            try:
                return _renew(runtime, config, shop_id, session, not_this)
            finally:
                with runtime.transaction() as database:
                    leases.release(database, _lease(shop_id), holder=holder)
        sleep(_POLL_SECONDS)
    raise TokenBusy("token_busy")


def access_token(runtime: Runtime, config: ShopifyConfig, shop_id: int, *, session: requests.Session) -> str:
    """The token alone. Raises as ``access`` does."""
    return access(runtime, config, shop_id, session=session).token


def keep_alive(runtime: Runtime, config: ShopifyConfig, shop_id: int, *, session: requests.Session) -> bool:
    """Renew the shop's token, so that a shop which nobody opens for months keeps its access. False when it could not be done.

    That is no cause for alarm: a dead token is marked as such, and after any other trouble the next night is early enough.
    """
    try:
        kept = _read(runtime, shop_id).access_token
        access(runtime, config, shop_id, session=session, not_this=kept)
    except ShopifyError as error:
        log.warning("token_not_renewed", shop_id=shop_id, reason=error.reason, kind=type(error).__name__)
        return False
    return True


def give_up(runtime: Runtime, shop_id: int, refused: str) -> None:
    """Shopify refuses a token that was just renewed: only the merchant's next visit helps. A newer token is left alone."""
    with runtime.transaction() as database:
        shop = _locked(database, shop_id)
        row = f"shop:{shop.domain}"
        if shop.access_token and runtime.cipher.open(shop.access_token, row=row) == refused:
            shop.needs_reauthorization = True
            database.add(shop)


def has_usable_token(shop: Shop, *, now: datetime) -> bool:
    """Whether the shop can be spoken to without its merchant."""
    return bool(
        shop.refresh_token
        and not shop.needs_reauthorization
        and shop.refresh_token_expires_at
        and shop.refresh_token_expires_at > now
    )


def store(runtime: Runtime, database: Session, shop_id: int, pair: TokenPair) -> None:
    """Keep a new pair, sealed for its shop."""
    shop = _locked(database, shop_id)
    row = f"shop:{shop.domain}"
    shop.access_token = runtime.cipher.seal(pair.access_token, row=row)
    shop.access_token_expires_at = pair.access_token_expires_at
    shop.refresh_token = runtime.cipher.seal(pair.refresh_token, row=row)
    shop.refresh_token_expires_at = pair.refresh_token_expires_at
    shop.needs_reauthorization = False
    if pair.scopes:
        take_scopes(database, shop, pair.scopes, now=runtime.clock())
    database.add(shop)


def _renew(
    runtime: Runtime, config: ShopifyConfig, shop_id: int, session: requests.Session, not_this: str | None
) -> Access:
    kept = _read(runtime, shop_id)
    # Whoever held the lease before us may have done the work already.
    fresh = kept.fresh_access(runtime.clock(), not_this)
    if fresh is not None:
        return fresh
    if not kept.refresh_token:
        _mark_dead(runtime, shop_id, None)
        raise NeedsReauthorization("no_refresh_token")
    try:
        pair = token_endpoint.refresh(session, config, kept.domain, kept.refresh_token, now=runtime.clock())
    except NeedsReauthorization:
        _mark_dead(runtime, shop_id, kept.refresh_token)
        raise
    with runtime.transaction() as database:
        if _locked(database, shop_id).uninstalled_at is not None:
            raise NotInstalled("uninstalled")
        store(runtime, database, shop_id, pair)
    return Access(kept.domain, pair.access_token)


def _read(runtime: Runtime, shop_id: int) -> _Kept:
    with runtime.reading() as database:
        shop = database.get(Shop, shop_id)
        if shop is None or shop.uninstalled_at is not None:
            raise NotInstalled("not_installed")
        if shop.needs_reauthorization:
            raise NeedsReauthorization("marked")
        row = f"shop:{shop.domain}"
        return _Kept(
            domain=shop.domain,
            access_token=runtime.cipher.open(shop.access_token, row=row) if shop.access_token else None,
            expires_at=shop.access_token_expires_at,
            refresh_token=runtime.cipher.open(shop.refresh_token, row=row) if shop.refresh_token else None,
        )


def _mark_dead(runtime: Runtime, shop_id: int, refresh_token: str | None) -> None:
    """Note that the merchant must come back, unless a newer pair has arrived meanwhile (the merchant has)."""
    with runtime.transaction() as database:
        shop = _locked(database, shop_id)
        kept = (
            runtime.cipher.open(shop.refresh_token, row=f"shop:{shop.domain}") if shop.refresh_token else None
        )
        if kept == refresh_token:
            shop.needs_reauthorization = True
            database.add(shop)


def _locked(database: Session, shop_id: int) -> Shop:
    shop = database.get(Shop, shop_id, with_for_update=True)
    if shop is None:
        raise NotInstalled("not_installed")
    return shop


def _lease(shop_id: int) -> str:
    return f"shopify-token:{shop_id}"
