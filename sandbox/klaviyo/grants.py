"""Who may act on which account: OAuth codes, grants and tokens, and private keys.

An app is installed once per account, so there is one grant for each pair. Refuses to know HTTP.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from sandbox.klaviyo.settings import Settings

CODE_SECONDS = 300
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True)
class Client:
    """An OAuth app as its developer registered it. `scopes` None: every known scope may be asked for."""

    ident: str
    secret: str
    name: str
    redirect_uris: tuple[str, ...]
    scopes: frozenset[str] | None = None


@dataclass
class Code:
    """An authorization code that has not been exchanged."""

    client: str
    account: str
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str
    expires: float


@dataclass
class Grant:
    """An app installed in an account."""

    client: str
    account: str
    scopes: frozenset[str]
    created: float
    last_used: float
    refresh_tokens: set[str] = field(default_factory=set)
    refreshed: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Caller:
    """Whom a request speaks for: an app (or a private key) in an account."""

    app: str
    app_name: str
    account: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint hands out."""

    access: str
    refresh: str
    expires_in: int
    scopes: frozenset[str]


class TokenError(Exception):
    """An OAuth error with its code, its HTTP status and, for a limit, the seconds to wait."""

    def __init__(self, code: str, detail: str, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code, self.detail, self.status, self.retry_after = code, detail, status, retry_after


class Grants:
    """Every code, grant, token and private key."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self._settings = settings
        self._codes: dict[str, Code] = {}
        self._grants: dict[str, Grant] = {}
        self._by_refresh: dict[str, str] = {}
        self._access: dict[str, tuple[str, float]] = {}
        self._keys: dict[str, tuple[str, frozenset[str]]] = {}

    def add_key(self, key: str, account: str, scopes: frozenset[str]) -> None:
        """Make a private key of an account known."""
        self._keys[key] = (account, scopes)

    def key_names(self, account: str) -> list[str]:
        return [key for key, (owner, _) in self._keys.items() if owner == account]

    def grant(self, account: str) -> Grant | None:
        """The app's installation in an account."""
        return self._grants.get(account)

    def issue_code(
        self, account: str, redirect_uri: str, scopes: frozenset[str], challenge: str, now: float
    ) -> str:
        """A code for an account whose owner pressed Allow."""
        self._codes = {code: held for code, held in self._codes.items() if held.expires > now}
        code = secrets.token_urlsafe(32)
        self._codes[code] = Code(
            self.client.ident, account, redirect_uri, scopes, challenge, now + CODE_SECONDS
        )
        return code

    def exchange(self, code: str, redirect_uri: str, verifier: str, now: float) -> Tokens:
        """Trade a code for tokens, once."""
        found = self._codes.pop(code, None)
        if found is None or now >= found.expires:
            raise TokenError("invalid_grant", "The authorization code is unknown, used or expired.")
        if redirect_uri != found.redirect_uri:
            raise TokenError("invalid_grant", "redirect_uri differs from the one that was authorized.")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(
            challenge_of(verifier), found.challenge
        ):
            raise TokenError("invalid_grant", "Invalid code verifier")
        old = self._grants.get(found.account)
        if old and self._settings.regrant_kills_old_tokens:
            self.uninstall(found.account)
            old = None
        grant = old or Grant(found.client, found.account, found.scopes, now, now)
        grant.scopes, grant.last_used = found.scopes, now
        self._grants[found.account] = grant
        return self._issue(grant, self._new_refresh(grant), now)

    def refresh(self, token: str, now: float) -> Tokens:
        """Trade a refresh token for a new access token."""
        account = self._by_refresh.get(token)
        grant = self._grants.get(account) if account else None
        if grant is None:
            raise TokenError("invalid_grant", "The refresh token is unknown or was revoked.")
        if now - grant.last_used > self._settings.unused_grant_days * 86_400:
            self.uninstall(grant.account)
            raise TokenError("invalid_grant", "The refresh token was not used for too long.")
        self._limit(grant, now)
        grant.last_used = now
        if self._settings.refresh_kills_access_tokens:
            self.expire_access(grant.account)
        if not self._settings.rotate_refresh_tokens:
            return self._issue(grant, token, now)
        del self._by_refresh[token]
        grant.refresh_tokens.discard(token)
        return self._issue(grant, self._new_refresh(grant), now)

    def revoke(self, token: str) -> None:
        """End the installation that a refresh token belongs to; an unknown token is no error."""
        account = self._by_refresh.get(token)
        if account is None and token in self._access:
            account = self._access[token][0]
        if account is not None:
            self.uninstall(account)

    def uninstall(self, account: str) -> bool:
        """Remove the app from an account: every token of it is dead at once."""
        grant = self._grants.pop(account, None)
        if grant is None:
            return False
        for token in grant.refresh_tokens:
            self._by_refresh.pop(token, None)
        self._access = {token: held for token, held in self._access.items() if held[0] != account}
        return True

    def expire_access(self, account: str) -> None:
        """Let the access tokens of an account run out now; the grant lives on."""
        self._access = {token: held for token, held in self._access.items() if held[0] != account}

    def bearer(self, token: str, now: float) -> Caller | None:
        """Whom an access token speaks for."""
        account, expires = self._access.get(token, ("", 0.0))
        grant = self._grants.get(account)
        if grant is None or now >= expires:
            return None
        return Caller(grant.client, self.client.name, account, grant.scopes)

    def private_key(self, key: str) -> Caller | None:
        """Whom a private key speaks for: all keys of an account share one quota and have no name."""
        if key not in self._keys:
            return None
        account, scopes = self._keys[key]
        return Caller("private-key", "API", account, scopes)

    def _new_refresh(self, grant: Grant) -> str:
        token = secrets.token_urlsafe(40)
        grant.refresh_tokens.add(token)
        self._by_refresh[token] = grant.account
        return token

    def _issue(self, grant: Grant, refresh: str, now: float) -> Tokens:
        self._access = {token: held for token, held in self._access.items() if held[1] > now}
        access = secrets.token_urlsafe(40)
        seconds = self._settings.access_token_seconds
        self._access[access] = (grant.account, now + seconds)
        return Tokens(access, refresh, seconds, grant.scopes)

    def _limit(self, grant: Grant, now: float) -> None:
        recent = [moment for moment in grant.refreshed if now - moment < 60]
        if len(recent) >= self._settings.refreshes_per_minute:
            wait = int(60 - (now - recent[0])) + 1 if recent else 60
            raise TokenError("rate_limited", "Too many refreshes.", 429, wait)
        grant.refreshed = [*recent, now]


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
