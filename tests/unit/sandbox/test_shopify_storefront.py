"""The local storefront and its app proxy, and the admin's frame: what the app gets is signed as by Shopify."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from sandbox.shopify import signatures
from tests.unit.sandbox.shopify_rig import CLIENT_ID, SECRET, Receiver, Rig, receiver, rig

BLOCK = """<p class="hello">{{ 'hi' | t: name: customer.first_name }} {{ customer.metafields['$app'].points.value }}</p>
{% schema %}{"name": "Hello", "target": "body", "javascript": "hello.js", "settings": []}{% endschema %}"""


@pytest.fixture(name="app")
def _app() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture(name="shop")
def _shop(app, tmp_path) -> Iterator[Rig]:
    for folder in ("blocks", "locales", "assets", "snippets"):
        (tmp_path / folder).mkdir()
    (tmp_path / "blocks" / "hello.liquid").write_text(BLOCK)
    (tmp_path / "locales" / "en.default.json").write_text('{"hi": "Hello {{ name }}!"}')
    (tmp_path / "assets" / "hello.js").write_text("// hello")
    with rig(app_url=app.url, extension_path=tmp_path) as found:
        yield found


def logged_in(shop: Rig, email: str = "ada@fernandfig.shop") -> tuple[requests.Session, dict]:
    """A browser session of a customer."""
    person = shop.post("/customers", email=email, first_name="Ada")
    browser = requests.Session()
    browser.post(f"{shop.sandbox.storefront_url}/account/login", data={"email": email}, timeout=30)
    return browser, person


def last_query(app: Receiver) -> list[tuple[str, str]]:
    path = next(path for _, _, path in reversed(app.got) if path.startswith("/proxy"))
    return parse_qsl(urlsplit(path).query, keep_blank_values=True)


class TestProxy:
    def test_signature(self, shop, app):
        """The query carries the shop, the customer, the prefix, the time and a signature over all of it."""
        browser, person = logged_in(shop)
        answer = browser.get(f"{shop.sandbox.storefront_url}/apps/laurel/member?b=2&a=1&b=3", timeout=30)
        assert answer.json() == {"ok": True}
        query = last_query(app)
        named = dict(query)
        assert (named["shop"], named["path_prefix"]) == (shop.domain, "/apps/laurel")
        assert named["logged_in_customer_id"] == str(person["id"])
        message = (
            f"a=1b=2,3logged_in_customer_id={person['id']}path_prefix=/apps/laurel"
            f"shop={shop.domain}timestamp={named['timestamp']}"
        )
        assert named["signature"] == hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest()

    def test_path(self, shop, app):
        """Whatever stands in the path stays in the path: it cannot pass for a signed parameter."""
        requests.get(f"{shop.sandbox.storefront_url}/apps/laurel/a%3Fshop=evil.shop%23%20b/c", timeout=30)
        path = next(path for _, _, path in reversed(app.got) if path.startswith("/proxy"))
        assert path.startswith("/proxy/a%3Fshop%3Devil.shop%23%20b/c?shop=fern-and-fig")

    def test_guest(self, shop, app):
        """A guest's customer id is there, and empty."""
        requests.get(f"{shop.sandbox.storefront_url}/apps/laurel/member", timeout=30)
        assert ("logged_in_customer_id", "") in last_query(app)

    def test_cookies(self, shop, app):
        """Cookies pass in neither direction; method and body do."""
        browser, _ = logged_in(shop)
        url = f"{shop.sandbox.storefront_url}/apps/laurel/redeem"
        answer = browser.post(url, json={"reward": "five_off"}, timeout=30)
        headers, body, path = next(row for row in app.got if row[2].startswith("/proxy/redeem"))
        assert "Cookie" not in headers
        assert "Set-Cookie" not in answer.headers
        assert (body, path.partition("?")[0]) == (b'{"reward": "five_off"}', "/proxy/redeem")

    def test_prefix_on_main_listener(self, shop, app):
        """Below the main listener the proxy works as well."""
        url = f"{shop.sandbox.url}/storefront/{shop.domain}/apps/laurel/member"
        assert requests.get(url, timeout=30).ok
        assert app.got[-1][2].startswith("/proxy/member?")

    def test_uninstalled(self, shop, app):
        """Without the app there is no proxy."""
        shop.post("/uninstall")
        url = f"{shop.sandbox.storefront_url}/apps/laurel/member"
        assert requests.get(url, timeout=30).status_code == 404

    def test_app_down(self, shop):
        """An app that does not answer is a bad gateway."""
        shop.sandbox.set_app_url("http://127.0.0.1:9")
        url = f"{shop.sandbox.storefront_url}/apps/laurel/member"
        assert requests.get(url, timeout=30).status_code == 502


class TestStore:
    def test_embed(self, shop):
        """A switched-on embed is rendered with the customer, its texts and its script."""
        browser, person = logged_in(shop)
        home = f"{shop.sandbox.storefront_url}/"
        assert "hello" not in browser.get(home, timeout=30).text
        shop.post("/embeds", hello=True)
        ask = shop.graph()
        ask(
            "mutation M($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) { userErrors { code } } }",
            m=[{"ownerId": person["admin_graphql_api_id"], "key": "points", "value": "540"}],
        )
        page = browser.get(home, timeout=30).text
        assert '<p class="hello">Hello Ada! 540</p>' in page
        assert 'src="/cdn/extensions/hello.js"' in page
        assert requests.get(f"{home}cdn/extensions/hello.js", timeout=30).text == "// hello"
        assert requests.get(f"{home}cdn/extensions/..%2Fblocks%2Fhello.liquid", timeout=30).status_code == 404

    def test_buy(self, shop):
        """A customer fills the cart and pays; the order is theirs."""
        browser, person = logged_in(shop)
        base = shop.sandbox.storefront_url
        browser.post(f"{base}/cart/add", data={"id": "boston-fern", "quantity": 2}, timeout=30)
        page = browser.post(f"{base}/checkout", data={"code": ""}, timeout=30)
        assert "Thank you! Order #1001" in page.text
        (order,) = requests.get(f"{shop.base}/orders", timeout=30).json()["orders"]
        assert (order["customer_id"], order["total"]) == (person["id"], "56.00")

    def test_bad_code(self, shop):
        """A code that cannot be used is explained and the cart is kept."""
        browser, _ = logged_in(shop)
        base = shop.sandbox.storefront_url
        browser.post(f"{base}/cart/add", data={"id": "boston-fern"}, timeout=30)
        page = browser.post(f"{base}/checkout", data={"code": "NOPE"}, timeout=30)
        assert "There is no discount code NOPE." in page.text
        assert "Boston Fern" in page.text

    def test_address(self, shop):
        """What is typed at checkout is where the order goes, and is there the next time."""
        browser, _ = logged_in(shop)
        base = shop.sandbox.storefront_url
        for given in ({"address1": "7 Fig Street", "zip": "97205"}, {}):
            browser.post(f"{base}/cart/add", data={"id": "boston-fern"}, timeout=30)
            page = browser.post(f"{base}/checkout", data=given, timeout=30)
            assert "Thank you!" in page.text
        orders = requests.get(f"{shop.base}/orders", timeout=30).json()["orders"]
        assert [order["shipping_address"]["zip"] for order in orders] == ["97205", "97205"]
        browser.post(f"{base}/cart/add", data={"id": "boston-fern"}, timeout=30)
        assert 'value="7 Fig Street"' in browser.get(f"{base}/cart", timeout=30).text

    def test_markup(self, shop):
        """Names, addresses and titles are shown as text, in the shop and in the admin."""
        evil = "<script>alert(1)</script>"
        shop.patch(name=evil)
        shop.post("/products", title=evil, handle="evil")
        browser, _ = logged_in(shop)
        shop.patch(
            "/customers/ada@fernandfig.shop",
            first_name=evil,
            address={"address1": evil, "country_code": "US"},
        )
        base = shop.sandbox.storefront_url
        browser.post(f"{base}/cart/add", data={"id": "evil"}, timeout=30)
        pages = [browser.post(f"{base}/checkout", data={"code": evil}, timeout=30)]
        pages += [browser.get(f"{base}{path}", timeout=30) for path in ("/", "/cart", "/account")]
        admin = f"{shop.sandbox.url}/store/fern-and-fig"
        pages += [
            requests.get(f"{admin}{path}", timeout=30) for path in ("", "/orders", "/customers", "/discounts")
        ]
        pages += [
            requests.get(
                f"{shop.sandbox.url}/shops/{shop.domain}/admin/oauth/install?scope={evil}'", timeout=5
            )
        ]
        assert {page.status_code for page in pages} == {200}
        assert not [page.url for page in pages if evil in page.text]

    def test_nonsense(self, shop):
        """What no form of the shop sends is answered as a shop does, never by an accident."""
        browser, _ = logged_in(shop)
        base = shop.sandbox.storefront_url
        assert browser.post(f"{base}/cart/add", data={"id": "unicorn"}, timeout=30).status_code == 404
        browser.post(f"{base}/cart/add", data={"id": "boston-fern", "quantity": "many"}, timeout=30)
        assert browser.post(f"{base}/checkout", data={"shipping": "soon"}, timeout=30).status_code == 400

    @pytest.mark.parametrize(
        "elsewhere", ["//evil.shop", "/\\evil.shop", "https://evil.shop", "/\t/evil.shop"]
    )
    def test_link_stays(self, shop, elsewhere):
        """A discount link leads to a page of the shop, and nowhere else."""
        link = f"{shop.sandbox.storefront_url}/discount/ABC"
        answer = requests.get(link, params={"redirect": elsewhere}, allow_redirects=False, timeout=30)
        assert urlsplit(answer.headers["Location"].replace("\\", "/")).netloc in ("", urlsplit(link).netloc)
        assert answer.headers["Location"].rstrip("/") in ("", shop.sandbox.storefront_url)

    def test_control_is_not_there(self, shop):
        """The shop's own listener shows the shop only."""
        assert requests.get(f"{shop.sandbox.storefront_url}/_sandbox/shops", timeout=30).status_code == 404


class TestAdmin:
    def test_frame(self, shop):
        """The frame's address carries a valid ID token, the host and the query's HMAC."""
        page = requests.get(
            f"{shop.sandbox.url}/store/fern-and-fig/apps/{CLIENT_ID}/members?page=2", timeout=5
        )
        src = unescape(re.search(r'<iframe[^>]*src="([^"]+)"', page.text)[1])
        parts = urlsplit(src)
        query = dict(parse_qsl(parts.query))
        assert (parts.path, query["embedded"], query["page"]) == ("/members", "1", "2")
        host = base64.b64decode(query["host"] + "=" * (-len(query["host"]) % 4)).decode()
        assert host == f"{urlsplit(shop.sandbox.url).netloc}/store/fern-and-fig"
        claims = signatures.jwt_decode(SECRET, query["id_token"])
        assert (claims["dest"], claims["aud"]) == (f"https://{shop.domain}", CLIENT_ID)
        signed = {key: value for key, value in query.items() if key not in ("hmac", "page")}
        assert query["hmac"] == signatures.admin_query(SECRET, signed)

    def test_scripts(self, shop):
        """The stand-ins are served where the real CDN has them, and define every component."""
        for name in ("app-bridge.js", "polaris.js", "polaris-1.js"):
            answer = requests.get(f"{shop.sandbox.url}/shopifycloud/{name}", timeout=30)
            assert answer.headers["Content-Type"].startswith("text/javascript")
        components = set(re.findall(r'"(s-[a-z-]+)": ', answer.text))
        assert len(components) == 62

    @pytest.mark.parametrize("page", ["", "/orders", "/customers", "/discounts", "/webhooks"])
    def test_pages(self, shop, page):
        """Every plain page answers, with and without the app."""
        shop.order(email="ada@fernandfig.shop")
        url = f"{shop.sandbox.url}/store/fern-and-fig{page}"
        assert requests.get(url, timeout=30).ok
        shop.post("/uninstall")
        assert requests.get(url, timeout=30).ok

    def test_deep_link(self, shop):
        """The theme editor's deep link switches the embed on, and App Bridge is told."""
        link = f"{shop.sandbox.url}/shops/{shop.domain}/admin/themes/current/editor"
        requests.get(link, params={"context": "apps", "activateAppId": f"{CLIENT_ID}/hello"}, timeout=30)
        found = requests.get(f"{shop.sandbox.url}/store/fern-and-fig/extensions.json", timeout=30).json()
        assert found["extensions"][0]["activations"][0]["status"] == "active"


class TestNewsletter:
    def test_while_signing_up(self, shop):
        """A box that is ticked on the form makes the new customer a subscriber."""
        address = f"{shop.sandbox.storefront_url}/account/register"
        requests.post(address, data={"email": "bo@fernandfig.shop", "newsletter": "1"}, timeout=30)
        requests.post(address, data={"email": "cy@fernandfig.shop"}, timeout=30)
        (row,) = shop.sent("customers_email_marketing_consent/update")
        assert row["body"]["email_address"] == "bo@fernandfig.shop"

    def test_changes_mind(self, shop):
        """In the account one agrees and leaves again; whoever is not logged in is asked to."""
        browser, _ = logged_in(shop)
        address = f"{shop.sandbox.storefront_url}/account/newsletter"
        for ticked in ("1", ""):
            assert browser.post(address, data={"newsletter": ticked}, timeout=30).ok
        told = [
            row["body"]["email_marketing_consent"]["state"]
            for row in shop.sent("customers_email_marketing_consent/update")
        ]
        assert told == ["subscribed", "unsubscribed"]
        assert requests.post(address, data={"newsletter": "1"}, timeout=30).url.endswith("/account/login")
