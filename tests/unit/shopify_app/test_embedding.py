"""Where the app lives in the admin, and who may frame it."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from shopify_app.config import ShopifyConfig
from shopify_app.embedding import (
    admin_of,
    bounce_address,
    embedded_address,
    frame_ancestors,
    is_own_address,
    reload_address,
)

CONFIG = ShopifyConfig(api_key="client-1", api_secret="s", app_url="https://laurel.fernandfig.shop")
DOMAIN = "fern-and-fig.myshopify.com"


def encoded(host: str) -> str:
    """The ``host`` parameter as Shopify sends it, without padding."""
    return base64.b64encode(host.encode()).decode().rstrip("=")


class TestAdmin:
    """The address of a shop's admin."""

    def test_host(self):
        """The admin's own host is believed."""
        assert (
            admin_of(CONFIG, DOMAIN, encoded("admin.shopify.com/store/fern"))
            == "https://admin.shopify.com/store/fern"
        )

    @pytest.mark.parametrize(
        "host",
        [
            "",
            "%%%",
            "é",
            encoded("evil.net/store/fern"),
            encoded("admin.shopify.com.evil.net/store/fern"),
            encoded("admin.shopify.com/store/../../evil"),
            encoded("admin.shopify.com/store/fern?next=//evil.net"),
            encoded("admin.shopify.com@evil.net/store/fern"),
            encoded("admin.shopify.com/store/fern\n"),
            encoded("https://admin.shopify.com/store/fern"),
        ],
    )
    def test_foreign_host(self, host):
        """Anything else is ignored: the shop's own handle leads to its admin."""
        assert admin_of(CONFIG, DOMAIN, host) == "https://admin.shopify.com/store/fern-and-fig"

    def test_embedded(self):
        """A page has its address inside the admin."""
        assert (
            embedded_address(CONFIG, DOMAIN, "", "/members")
            == "https://admin.shopify.com/store/fern-and-fig/apps/client-1/members"
        )


class TestBounce:
    """The way round by the bounce page."""

    def test_without_token(self):
        """The address that is come back to carries everything but the token."""
        back = reload_address(CONFIG, "/members", "shop=x&id_token=secret&q=a%26b")
        assert back == "https://laurel.fernandfig.shop/members?shop=x&q=a%26b"

    def test_address(self):
        """The whole address travels as one parameter."""
        query = parse_qs(
            urlsplit(bounce_address(DOMAIN, "h", "https://laurel.fernandfig.shop/?a=1&b=2")).query
        )
        assert query["shopify-reload"] == ["https://laurel.fernandfig.shop/?a=1&b=2"]
        assert query["shop"] == [DOMAIN]

    @pytest.mark.parametrize(
        "address", ["https://laurel.fernandfig.shop/", "https://LAUREL.fernandfig.shop/members?a=1"]
    )
    def test_own(self, address):
        """Our own addresses may be come back to."""
        assert is_own_address(CONFIG, address)

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "/members",
            "//evil.net",
            "https://evil.net/",
            "http://laurel.fernandfig.shop/",
            "https://laurel.fernandfig.shop:8443/",
            "https://laurel.fernandfig.shop.evil.net/",
            "https://laurel.fernandfig.shop@evil.net/",
            "https://evil.net\\@laurel.fernandfig.shop/",
            "https://laurel.fernandfig.shop\\.evil.net/",
            "javascript:alert(1)",
            "https://laurel.fernandfig.shop/\n",
            "https://laurel.fernandfig.shop/auth/bounce?shopify-reload=x",
            "https://[laurel/",
        ],
    )
    def test_foreign(self, address):
        """Nobody is led away from us, and nobody in circles."""
        assert not is_own_address(CONFIG, address)


class TestFrame:
    """The framing policy."""

    def test_one_shop(self):
        """One shop's admin may frame the page."""
        assert (
            frame_ancestors(CONFIG, DOMAIN) == f"frame-ancestors https://{DOMAIN} https://admin.shopify.com"
        )

    @pytest.mark.parametrize(
        "domain", [None, "", "evil.com *", "evil.net", "fern.myshopify.com https://evil.net"]
    )
    def test_nobody(self, domain):
        """Without a genuine shop nobody may."""
        assert frame_ancestors(CONFIG, domain) == "frame-ancestors 'none'"
