"""Who is let in to the merchant's pages."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from flask import Flask, jsonify
from sqlmodel import select

from loyalty.models import OutboxMessage, ProgramVersion, Run, Shop
from shopify_app.config import ShopifyConfig
from shopify_app.merchant import RETRY_HEADER, MerchantGate
from tests.merchant_pages import make_app

DOMAIN = "fern-and-fig.myshopify.com"
SECRET = "s" * 40
TOKEN_PATH = f"/{DOMAIN}/admin/oauth/access_token"
GRAPHQL = f"/{DOMAIN}/admin/api/2026-10/graphql.json"
PAIR = {
    "access_token": "shpat_2",
    "scope": "read_orders",
    "expires_in": 3600,
    "refresh_token": "shprt_2",
    "refresh_token_expires_in": 7776000,
}
DETAILS = {
    "data": {
        "shop": {
            "id": "gid://shopify/Shop/77",
            "name": "Fern & Fig",
            "contactEmail": "hello@fernandfig.shop",
            "currencyCode": "EUR",
            "currencyFormats": {"moneyFormat": "€{{amount_with_comma_separator}}"},
            "ianaTimezone": "Europe/Berlin",
            "plan": {"publicDisplayName": "Basic"},
            "customerAccountsV2": {"customerAccountsVersion": "CLASSIC"},
        },
        "currentAppInstallation": {
            "id": "gid://shopify/AppInstallation/1",
            "accessScopes": [{"handle": "read_orders"}],
        },
    }
}


@pytest.fixture
def clock(clock):
    """The present: the library that checks ID tokens reads the real clock."""
    from datetime import UTC, datetime

    clock.now = datetime.now(UTC).replace(microsecond=0)
    return clock


@pytest.fixture
def config(httpserver):
    """An app whose shops live on the test's server."""
    return ShopifyConfig(
        api_key="client-1",
        api_secret=SECRET,
        app_url="https://laurel.fernandfig.shop",
        shop_url=httpserver.url_for("/{shop}"),
    )


@pytest.fixture
def client(runtime, config):
    """A browser before an application with one page and one action."""
    app = Flask(__name__)
    with requests.Session() as session:
        gate = MerchantGate(runtime, config, session)
        app.register_blueprint(gate.blueprint)

        @app.route("/members", methods=["GET", "POST"])
        def members():
            return f"<p>{gate().domain} {gate().user_id}</p>"

        @app.get("/data")
        def data():
            return jsonify(shop_id=gate().shop_id)

        @app.get("/open")
        def unguarded():
            return "<p>open</p>"

        yield app.test_client()


def encode(value) -> str:
    """A part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(clock, *, secret: str = SECRET, shop: str = DOMAIN, ends: int = 60) -> str:
    """An ID token."""
    now = int(clock().timestamp())
    claims = {
        "iss": f"https://{shop}/admin",
        "dest": f"https://{shop}",
        "aud": "client-1",
        "sub": "42",
        "exp": now + ends,
        "nbf": now - 1,
        "iat": now - 1,
        "jti": "j",
        "sid": "s",
    }
    signed = f"{encode({'alg': 'HS256', 'typ': 'JWT'})}.{encode(claims)}"
    return f"{signed}.{encode(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def page(path: str = "/members", **query: str) -> str:
    """The address of a page as the admin loads it."""
    host = base64.b64encode(b"admin.shopify.com/store/fern-and-fig").decode()
    return f"{path}?{urlencode({'shop': DOMAIN, 'host': host, 'embedded': '1'} | query)}"


def load(client, address: str, **headers: str):
    """Load a page as a browser does."""
    return client.get(address, headers={"Accept": "text/html", **headers})


class TestPage:
    """Pages that a browser loads."""

    def test_let_in(self, client, shop, clock):
        """A good token opens the page, which only this shop's admin may frame."""
        response = load(client, page(id_token=token(clock)))
        assert response.text == f"<p>{DOMAIN} 42</p>"
        assert (
            response.headers["Content-Security-Policy"]
            == f"frame-ancestors https://{DOMAIN} https://admin.shopify.com"
        )

    @pytest.mark.parametrize("ends", [None, -300])
    def test_bounced(self, client, shop, clock, ends):
        """Without a good token the page goes round by the bounce page and comes back without the old token."""
        query = {} if ends is None else {"id_token": token(clock, ends=ends)}
        response = load(client, page(q="iris", **query))
        assert response.status_code == 302
        target = urlsplit(response.location)
        assert target.path == "/auth/bounce"
        back = urlsplit(parse_qs(target.query)["shopify-reload"][0])
        assert f"{back.scheme}://{back.netloc}{back.path}" == "https://laurel.fernandfig.shop/members"
        assert parse_qs(back.query)["q"] == ["iris"]
        assert "id_token" not in back.query

    def test_forged(self, client, shop, clock):
        """A token of another secret opens nothing."""
        assert load(client, page(id_token=token(clock, secret="x" * 40))).status_code == 302

    def test_not_embedded(self, client, shop, clock):
        """A page opened by itself leads into the admin."""
        response = load(client, page(embedded="0", id_token=token(clock)))
        assert response.location == "https://admin.shopify.com/store/fern-and-fig/apps/client-1/members"

    @pytest.mark.parametrize(
        "address", ["/members", "/members?shop=evil.net", "/members?embedded=1&shop=evil.net"]
    )
    def test_no_shop(self, client, address):
        """Without a genuine shop there is only a page that says where to go, and nobody may frame it."""
        response = load(client, address)
        assert response.status_code == 401
        assert "Shopify admin" in response.text
        assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'"

    def test_other_shop(self, client, shop, clock):
        """The shop is the token's: an address that names another one is refused."""
        assert load(client, page(shop="other.myshopify.com", id_token=token(clock))).status_code == 403

    def test_post(self, client, shop, clock):
        """A form that a foreign page posts carries no header and changes nothing, whatever its address says."""
        response = client.post(page(id_token=token(clock)), headers={"Accept": "text/html"})
        assert response.status_code == 401

    def test_open_page(self, client):
        """A page without a merchant cannot be framed by anybody."""
        assert load(client, "/open").headers["Content-Security-Policy"] == "frame-ancestors 'none'"


class TestNowhere:
    """An address that no page has."""

    @pytest.fixture
    def client(self, runtime, config):
        """A browser before the merchant's pages."""
        with requests.Session() as session:
            gate = MerchantGate(runtime, config, session)
            app = make_app(runtime, gate, shopify=config)
            app.register_blueprint(gate.blueprint)
            yield app.test_client()

    def test_merchant(self, client, shop, clock):
        """A merchant reads inside the admin that there is no such page, and finds back."""
        response = load(client, page("/preview", id_token=token(clock)))
        assert response.status_code == 404
        assert "There is no such page." in response.text
        assert f'href="/?shop={DOMAIN}' in response.text
        assert (
            response.headers["Content-Security-Policy"]
            == f"frame-ancestors https://{DOMAIN} https://admin.shopify.com"
        )

    @pytest.mark.parametrize("secret", [None, "x" * 40])
    def test_unproved(self, client, shop, clock, secret):
        """Without a good token it is as with any page of the admin: nobody learns which ones there are."""
        query = {"id_token": token(clock, secret=secret)} if secret else {}
        answers = [load(client, page(path, **query)) for path in ("/preview", "/members")]
        assert [answer.status_code for answer in answers] == [302, 302]
        assert [urlsplit(answer.location).path for answer in answers] == ["/auth/bounce"] * 2

    @pytest.mark.parametrize("query", ["", "?embedded=1", f"?shop={DOMAIN}", "?embedded=1&shop=evil.net"])
    def test_outside(self, client, shop, query):
        """Outside the admin it is a plain answer that nobody may frame."""
        response = load(client, f"/preview{query}")
        assert response.status_code == 404
        assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'"

    def test_script(self, client, shop, clock):
        """A script is told in short."""
        response = client.get("/preview", headers={"Authorization": f"Bearer {token(clock)}"})
        assert (response.status_code, DOMAIN in response.text) == (404, False)


class TestBounce:
    """The bounce page."""

    def test_script(self, client):
        """It is App Bridge and nothing else, framed by the shop's admin."""
        reload = "https://laurel.fernandfig.shop/members?shop=x"
        response = client.get("/auth/bounce", query_string={"shop": DOMAIN, "shopify-reload": reload})
        assert response.status_code == 200
        assert (
            'data-api-key="client-1" src="https://cdn.shopify.com/shopifycloud/app-bridge.js"'
            in response.text
        )
        assert DOMAIN in response.headers["Content-Security-Policy"]

    @pytest.mark.parametrize("reload", ["", "https://evil.net/", "//evil.net", "javascript:alert(1)"])
    def test_foreign_reload(self, client, reload):
        """It never leads away from us."""
        response = client.get("/auth/bounce", query_string={"shop": DOMAIN, "shopify-reload": reload})
        assert response.status_code == 401
        assert "app-bridge" not in response.text

    def test_foreign_shop(self, client):
        """A made-up shop does not get into the framing policy."""
        reload = "https://laurel.fernandfig.shop/"
        response = client.get("/auth/bounce", query_string={"shop": "evil.com *", "shopify-reload": reload})
        assert "evil" not in response.headers["Content-Security-Policy"]


class TestScript:
    """Requests that a script makes."""

    def test_let_in(self, client, shop, clock):
        """A good token in the header is enough, for reading and for changing."""
        headers = {"Authorization": f"Bearer {token(clock)}"}
        assert client.get("/data", headers=headers).json == {"shop_id": shop.id}
        assert client.post("/members", headers=headers).status_code == 200

    @pytest.mark.parametrize("header", ["", "Bearer x", "Basic eDp5"])
    def test_again(self, client, shop, header):
        """Without a good token App Bridge is asked to come again with a fresh one."""
        headers = {"Authorization": header} if header else {"Sec-Fetch-Dest": "empty"}
        response = client.get("/data", headers=headers)
        assert response.status_code == 401
        assert response.headers[RETRY_HEADER] == "1"


class TestInstall:
    """The first visit."""

    def test_installs(self, client, runtime, clock, bell, httpserver):
        """The first visit brings tokens, details, a program, an import and a message for the storefront."""
        httpserver.expect_request(TOKEN_PATH).respond_with_json(PAIR)
        httpserver.expect_request(GRAPHQL).respond_with_json(DETAILS)
        assert load(client, page(id_token=token(clock))).status_code == 200
        with runtime.reading() as session:
            shop = session.exec(select(Shop)).one()
            assert runtime.cipher.open(shop.access_token, row=f"shop:{DOMAIN}") == "shpat_2"
            assert len(runtime.cipher.open(shop.code_key, row=f"shop:{DOMAIN}")) >= 40
            assert (shop.name, shop.currency, shop.timezone, shop.shopify_id) == (
                "Fern & Fig",
                "EUR",
                "Europe/Berlin",
                77,
            )
            assert shop.classic_accounts
            assert shop.installed_at == shop.first_installed_at == clock()
            assert session.exec(select(ProgramVersion)).one().version == 1
            run = session.exec(select(Run)).one()
            assert (run.kind, run.state) == ("customer_import", "queued")
            assert {row.kind for row in session.exec(select(OutboxMessage))} == {
                "program_metafield",
                "shop_details",
            }
        assert set(bell.rung) == {
            ("drain_outbox", "1", "shopify"),
            ("drain_outbox", "1", "rewards"),
            ("drain_inbox", DOMAIN),
            ("advance_run", str(run.id)),
        }

    def test_once(self, client, clock, httpserver):
        """The second visit asks Shopify nothing."""
        httpserver.expect_request(TOKEN_PATH).respond_with_json(PAIR)
        httpserver.expect_request(GRAPHQL).respond_with_json(DETAILS)
        for _ in range(2):
            assert load(client, page(id_token=token(clock))).status_code == 200
        assert len(httpserver.log) == 2

    def test_details_later(self, client, clock, runtime, httpserver):
        """When the shop's details cannot be read the visit goes on; they are still queued."""
        httpserver.expect_request(TOKEN_PATH).respond_with_json(PAIR)
        httpserver.expect_request(GRAPHQL).respond_with_data("", status=400)
        assert load(client, page(id_token=token(clock))).status_code == 200

    def test_reinstall(self, client, shop, runtime, clock, httpserver):
        """A shop that comes back keeps its row, its program and the moment of its first installation."""
        began = shop.first_installed_at
        with runtime.transaction() as session:
            row = session.get(Shop, shop.id)
            row.uninstalled_at, row.access_token, row.refresh_token = clock() - timedelta(days=3), None, None
        httpserver.expect_request(TOKEN_PATH).respond_with_json(PAIR)
        httpserver.expect_request(GRAPHQL).respond_with_json(DETAILS)
        assert load(client, page(id_token=token(clock))).status_code == 200
        with runtime.reading() as session:
            back = session.exec(select(Shop)).one()
            assert (back.id, back.uninstalled_at, back.first_installed_at) == (shop.id, None, began)
            assert back.installed_at == clock()
            assert back.code_key == shop.code_key

    def test_reauthorization(self, client, shop, runtime, clock, httpserver):
        """A visit mends a shop whose tokens died, and begins no new installation."""
        with runtime.transaction() as session:
            session.get(Shop, shop.id).needs_reauthorization = True
        httpserver.expect_request(TOKEN_PATH).respond_with_json(PAIR)
        assert load(client, page(id_token=token(clock))).status_code == 200
        with runtime.reading() as session:
            assert not session.get(Shop, shop.id).needs_reauthorization
            assert session.exec(select(Run)).all() == []

    def test_stale_token(self, client, clock, httpserver, runtime):
        """An ID token that Shopify no longer takes is fetched anew, by page and by script, and nothing is installed."""
        httpserver.expect_request(TOKEN_PATH).respond_with_json(
            {"error": "invalid_subject_token"}, status=400
        )
        assert load(client, page(id_token=token(clock))).status_code == 302
        response = client.get("/data", headers={"Authorization": f"Bearer {token(clock)}"})
        assert (response.status_code, response.headers[RETRY_HEADER]) == (401, "1")
        with runtime.reading() as session:
            assert session.exec(select(Shop)).all() == []

    @pytest.mark.parametrize(
        ("status", "body", "shown"), [(401, {"error": "invalid_client"}, 500), (503, {}, 503)]
    )
    def test_trouble(self, client, clock, httpserver, status, body, shown):
        """Trouble at Shopify is told plainly."""
        httpserver.expect_request(TOKEN_PATH).respond_with_json(body, status=status)
        assert load(client, page(id_token=token(clock))).status_code == shown
