"""Addresses and secrets of the app at Shopify."""

import pytest

from shopify_app.config import ShopifyConfig, canonical_domain

CONFIG = ShopifyConfig(
    api_key="key",
    api_secret="new-secret-1",
    api_secret_old="old-secret-1",
    shop_url="http://127.0.0.1:9/shops/{shop}",
)


class TestCanonicalDomain:
    """Which texts name a shop."""

    @pytest.mark.parametrize("text", ["fern-and-fig.myshopify.com", "FERN-AND-FIG.myshopify.com"])
    def test_takes(self, text):
        """A bare shop domain is taken and lower-cased."""
        assert canonical_domain(text) == "fern-and-fig.myshopify.com"

    @pytest.mark.parametrize(
        "text",
        [
            None,
            "",
            "fern-and-fig",
            "https://fern-and-fig.myshopify.com",
            "fern.myshopify.com/",
            "fern.myshopify.com.evil.net",
            "evil.net/fern.myshopify.com",
            "evil.net#fern.myshopify.com",
            "user@fern.myshopify.com",
            "fern.myshopify.com:8080",
            "fern.myshopify.com\n",
            " fern.myshopify.com",
            "férn.myshopify.com",
            "evil.com *",
            "a" * 300 + ".myshopify.com",
        ],
    )
    def test_refuses(self, text):
        """Anything that is not a bare shop domain names no shop."""
        assert canonical_domain(text) is None


class TestConfig:
    """The frozen values and what follows from them."""

    def test_repr(self):
        """No secret shows when the value is printed."""
        assert "secret-1" not in repr(CONFIG)

    def test_endpoints(self):
        """Addresses at a shop come from the template."""
        assert (
            CONFIG.graphql_endpoint("fern.myshopify.com")
            == "http://127.0.0.1:9/shops/fern.myshopify.com/admin/api/2026-10/graphql.json"
        )
        assert CONFIG.token_endpoint("fern.myshopify.com").endswith(
            "/shops/fern.myshopify.com/admin/oauth/access_token"
        )

    def test_refuses_foreign_host(self):
        """A domain that is no shop's never becomes an address."""
        with pytest.raises(ValueError, match="canonical"):
            CONFIG.at_shop("evil.net", "/")

    def test_secrets(self):
        """Empty secrets are not among those that verify."""
        assert CONFIG.secrets == ("new-secret-1", "old-secret-1")
        assert ShopifyConfig(api_key="k", api_secret="").secrets == ()
