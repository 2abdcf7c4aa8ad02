"""What the Klaviyo edge needs to be told. The roots build it from the settings; nothing here reads the environment."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Least privilege: each of these is used. events:read lets the review topics be subscribed to, metrics:read tells the
# set-up checklist whether Klaviyo Reviews is there, lists:* is what bulk imports ask for even without a list.
SCOPES = (
    "accounts:read",
    "events:read",
    "events:write",
    "lists:read",
    "lists:write",
    "metrics:read",
    "profiles:read",
    "profiles:write",
    "reviews:read",
    "webhooks:read",
    "webhooks:write",
)
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))


@dataclass(frozen=True, slots=True)
class KlaviyoConfig:
    """Addresses, the OAuth app's identity and the pinned revision. Secrets stay out of ``repr``."""

    app_url: str
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    authorize_url: str = "https://www.klaviyo.com/oauth/authorize"
    api_url: str = "https://a.klaviyo.com"
    revision: str = "2026-10-15"
    production: bool = True

    @property
    def offers_oauth(self) -> bool:
        """Whether merchants can connect with OAuth; otherwise only the private-key road is offered."""
        return bool(self.client_id and self.client_secret)

    @property
    def token_url(self) -> str:
        """Where codes and refresh tokens are traded."""
        return f"{self.api_url}/oauth/token"

    @property
    def revoke_url(self) -> str:
        """Where a refresh token is given back, which also uninstalls the app at Klaviyo."""
        return f"{self.api_url}/oauth/revoke"

    @property
    def redirect_uri(self) -> str:
        """The callback, exactly as it must be on the allow-list of the Klaviyo app."""
        return f"{self.app_url}/klaviyo/callback"

    @property
    def can_receive_webhooks(self) -> bool:
        """Whether Klaviyo can reach us: https anywhere, plain http only on this machine and outside production."""
        parts = urlsplit(self.app_url)
        if parts.scheme == "https":
            return True
        return not self.production and parts.scheme == "http" and parts.hostname in _LOOPBACK
