"""No address is open by oversight: each one is on a list with its reason, or answers nobody who has not proved who they are."""

import pytest
from flask import Flask
from werkzeug.routing import Rule

# Address -> why it may be open.
PUBLIC = {
    "/healthz": "says only that the process is alive",
    "/readyz": "says only whether database and queue answer",
    "/metrics": "counts without names; for this machine or with a token",
    "/auth/bounce": "holds nothing of any shop; it fetches the ID token",
    "/klaviyo/callback": "proved by the attempt's own state, which works once",
    "/webhooks/klaviyo/<key>": "proved by the signature of the delivery",
    "/static/<path:filename>": "scripts and styles, the same for everybody",
}


def guarded(application: Flask) -> list[tuple[str, str]]:
    """(method, address with example values) of every rule that is not public."""
    found = []
    for rule in application.url_map.iter_rules():
        if rule.rule not in PUBLIC:
            found += [
                (method, example(rule)) for method in sorted(rule.methods or ()) if method in ("GET", "POST")
            ]
    return found


def example(rule: Rule) -> str:
    """The rule's address with a value in every place."""
    _, address = rule.build({name: "1" if name.endswith("_id") else "x" for name in rule.arguments}) or (
        "",
        "",
    )
    return address


class TestRoutes:
    def test_list_is_current(self, application):
        """Every public address exists: the list does not outlive what it excuses."""
        assert set(PUBLIC) <= {rule.rule for rule in application.url_map.iter_rules()}

    def test_merchants_only(self, application):
        """Without a token, a page leads round or says where to open the app, and an action is answered with 401."""
        client = application.test_client()
        merchants = [(method, path) for method, path in guarded(application) if not path.startswith("/proxy")]
        assert len(merchants) > 25
        open_doors = []
        for method, path in merchants:
            answer = client.open(path, method=method)
            scripted = client.open(path, method=method, headers={"Authorization": "Bearer forged.by.hand"})
            if answer.status_code not in (302, 401) or scripted.status_code != 401:
                open_doors.append((method, path, answer.status_code, scripted.status_code))
        assert open_doors == []

    def test_redirect_shows_nothing(self, application):
        """A page of a named shop without a token is only ever answered by the way round to a token."""
        client = application.test_client()
        for method, path in guarded(application):
            if method == "GET" and not path.startswith("/proxy"):
                answer = client.get(
                    path, query_string={"shop": "fern-and-fig.myshopify.com", "embedded": "1"}
                )
                assert (answer.status_code, "/auth/bounce" in answer.headers.get("Location", "")) in (
                    (302, True),
                    (401, False),
                ), path

    def test_proxy_needs_signature(self, application):
        """The app proxy refuses whoever Shopify did not sign for, and says so as JSON that is stored nowhere."""
        client = application.test_client()
        proxied = [(method, path) for method, path in guarded(application) if path.startswith("/proxy")]
        assert len(proxied) >= 3
        for method, path in proxied:
            query = {
                "shop": "fern-and-fig.myshopify.com",
                "logged_in_customer_id": "1",
                "signature": "0" * 64,
            }
            for asked in ({}, query):
                answer = client.open(
                    path, method=method, query_string=asked, json={} if method == "POST" else None
                )
                assert (answer.status_code, answer.json["error"]) == (401, "bad_signature")
                assert answer.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("path", ["/webhooks/klaviyo/unknown-key", "/webhooks/shopify"])
    def test_webhooks_need_signature(self, application, path):
        """The webhook doors take nothing unsigned."""
        headers = {
            "X-Shopify-Topic": "orders/paid",
            "X-Shopify-Shop-Domain": "fern-and-fig.myshopify.com",
            "X-Shopify-Webhook-Id": "1",
            "X-Shopify-Hmac-Sha256": "forged",
        }
        answer = application.test_client().post(path, data=b"{}", headers=headers)
        assert answer.status_code == (401 if path == "/webhooks/shopify" else 404)
