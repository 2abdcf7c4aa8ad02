"""Every API operation the local Klaviyo offers, with the scopes it asks for and its published rate limits.

Refuses to enforce anything: `gate` reads the scopes, `limits` the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quota:
    """How many calls fit into one second, one minute and (for a few operations) one day."""

    burst: int
    steady: int
    daily: int | None = None


XS = Quota(1, 15)
S = Quota(3, 60)
M = Quota(10, 150)
L = Quota(75, 750)
XL = Quota(350, 3500)


@dataclass(frozen=True)
class Costly:
    """A value of a parameter that is computed at length, and the stricter quota of calls that ask for it."""

    parameter: str
    value: str
    quota: Quota


@dataclass(frozen=True)
class Operation:
    """One method on one path."""

    method: str
    rule: str
    quota: Quota
    scopes: frozenset[str]
    costly: Costly | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.rule}".replace("<ident>", "{id}")


def _op(line: str, quota: Quota, scopes: str, costly: Costly | None = None) -> Operation:
    method, rule = line.split()
    return Operation(method, rule, quota, frozenset(scopes.split()), costly)


_ALL = (
    _op("GET /api/accounts", XS, "accounts:read"),
    _op("GET /api/accounts/<ident>", XS, "accounts:read"),
    _op("POST /api/events", XL, "events:write"),
    _op("GET /api/events", XL, "events:read"),
    _op("GET /api/events/<ident>", M, "events:read"),
    _op("POST /api/event-bulk-create-jobs", M, "events:write"),
    _op("POST /api/profile-import", L, "profiles:write"),
    _op(
        "GET /api/profiles",
        L,
        "profiles:read",
        Costly("additional-fields[profile]", "predictive_analytics", M),
    ),
    _op("GET /api/profiles/<ident>", L, "profiles:read"),
    _op("PATCH /api/profiles/<ident>", L, "profiles:write"),
    _op("POST /api/profile-bulk-import-jobs", M, "lists:write profiles:write"),
    _op("GET /api/profile-bulk-import-jobs", M, "lists:read profiles:read"),
    _op("GET /api/profile-bulk-import-jobs/<ident>", M, "lists:read profiles:read"),
    _op("GET /api/profile-bulk-import-jobs/<ident>/import-errors", M, "profiles:read"),
    _op("GET /api/metrics", M, "metrics:read"),
    _op("GET /api/metrics/<ident>", M, "metrics:read"),
    _op("GET /api/lists", L, "lists:read"),
    _op("POST /api/lists", Quota(10, 150, 150), "lists:write"),
    _op("GET /api/lists/<ident>", L, "lists:read", Costly("additional-fields[list]", "profile_count", XS)),
    _op("GET /api/lists/<ident>/profiles", L, "lists:read profiles:read"),
    _op("POST /api/lists/<ident>/relationships/profiles", M, "lists:write profiles:write"),
    _op("DELETE /api/lists/<ident>/relationships/profiles", M, "lists:write profiles:write"),
    _op("GET /api/reviews", M, "reviews:read"),
    _op("GET /api/reviews/<ident>", M, "reviews:read"),
    _op("PATCH /api/reviews/<ident>", M, "reviews:write"),
    _op("GET /api/webhook-topics", XS, "webhooks:read"),
    _op("GET /api/webhooks", XS, "webhooks:read"),
    _op("POST /api/webhooks", XS, "webhooks:write"),
    _op("GET /api/webhooks/<ident>", XS, "webhooks:read"),
    _op("PATCH /api/webhooks/<ident>", XS, "webhooks:write"),
    _op("DELETE /api/webhooks/<ident>", XS, "webhooks:write"),
    _op("POST /api/data-privacy-deletion-jobs", S, "data-privacy:write"),
)

OPERATIONS: dict[tuple[str, str], Operation] = {(op.method, op.rule): op for op in _ALL}

# Every scope that a published operation asks for: wider than what is served here, since an app may ask for more.
SCOPES: frozenset[str] = frozenset(("accounts:read", "data-privacy:write")) | {
    f"{name}:{right}"
    for right in ("read", "write")
    for name in (
        *("campaigns", "catalogs", "conversations", "coupon-codes", "coupons", "custom-objects", "events"),
        *("flows", "forms", "images", "lists", "metrics", "profiles", "push-tokens", "reviews", "segments"),
        *("subscriptions", "tags", "templates", "tracking-settings", "web-feeds", "webhooks"),
    )
}
