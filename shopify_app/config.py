"""What this edge is told by the roots, and the addresses that follow from it. It reads no environment."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from shopify.utils import shop_url

REQUIRED_SCOPES = (
    "read_customers",
    "write_customers",
    "read_orders",
    "read_products",
    "read_discounts",
    "write_discounts",
    "write_app_proxy",
    "read_customer_merge",
)
# What each kind of reward needs beyond the required scopes.
REWARD_SCOPES = {
    "gift_card": ("write_gift_cards",),
    "store_credit": ("read_store_credit_accounts", "write_store_credit_account_transactions"),
}
# Without it Shopify shows an app the orders of the last sixty days.
ALL_ORDERS = "read_all_orders"
VISIBLE_DAYS = 60
OPTIONAL_SCOPES = (ALL_ORDERS, *(scope for scopes in REWARD_SCOPES.values() for scope in scopes))


@dataclass(frozen=True, slots=True)
class ShopifyConfig:
    """The app at Shopify. An empty ``api_secret`` disables: nothing verifies against it."""

    api_key: str
    api_secret: str = field(repr=False)
    api_secret_old: str = field(default="", repr=False)
    app_url: str = "http://127.0.0.1:5000"
    api_version: str = "2026-10"
    shop_url: str = "https://{shop}"
    admin_url: str = "https://admin.shopify.com"
    cdn_url: str = "https://cdn.shopify.com"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The client secrets that signatures may be made with, newest first."""
        return tuple(secret for secret in (self.api_secret, self.api_secret_old) if secret)

    @property
    def app_origin(self) -> str:
        """Scheme and host of the app's public address."""
        return origin_of(self.app_url)

    def at_shop(self, domain: str, path: str) -> str:
        """An address at a shop. Refuses a domain that is not a canonical shop domain, so that no request can be led elsewhere."""
        if canonical_domain(domain) != domain:
            raise ValueError("not a canonical shop domain")
        return self.shop_url.replace("{shop}", domain) + path

    def token_endpoint(self, domain: str) -> str:
        """Where a shop's access tokens come from."""
        return self.at_shop(domain, "/admin/oauth/access_token")

    def graphql_endpoint(self, domain: str) -> str:
        """A shop's Admin API."""
        return self.at_shop(domain, f"/admin/api/{self.api_version}/graphql.json")


def canonical_domain(text: str | None) -> str | None:
    """``x.myshopify.com`` in lower case when ``text`` is a bare shop domain, else None.

    ``sanitize_shop_domain`` also takes addresses and adds a missing suffix; a header or a claim that needs such help is not genuine.
    """
    if not text or not text.isascii() or len(text) > 255:
        return None
    lowered = text.lower()
    return lowered if shop_url.sanitize_shop_domain(lowered) == lowered else None


def origin_of(address: str) -> str:
    """``scheme://host[:port]`` of an address, in lower case."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()
