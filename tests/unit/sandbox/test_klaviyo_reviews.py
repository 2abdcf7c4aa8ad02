"""Reviews and webhooks of the local Klaviyo, and the page that shows what arrived."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.klaviyo.settings import Settings
from sandbox.klaviyo.webhooks import Webhook, signature
from tests.unit.sandbox.klaviyo_rig import Receiver, Rig, pointers, profile, wait_for, webhook


@pytest.fixture(name="rig")
def _rig() -> Iterator[Rig]:
    found = Rig()
    found.control("PATCH", "/settings", webhook_batch_seconds=0, webhook_backoff_scale=0)
    yield found
    found.close()


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def submit(rig: Rig, **given: Any) -> dict[str, Any]:
    wanted = {"email": "ann@fernandfig.shop", "rating": 5, "title": "Lovely", "content": "Smells of figs."}
    found: dict[str, Any] = rig.control("POST", "/reviews", **(wanted | given))
    return found


class TestReviews:
    def test_event(self, rig):
        """A review makes a Submitted review event that carries its state at submission."""
        made = submit(rig, verified=True, images=["https://cdn.fernandfig.shop/1.jpg"])
        rig.control("POST", f"/reviews/{made['id']}/status", status="published")
        found = rig.call("GET", f"/api/reviews/{made['id']}", params={"include": "events"}).json()
        properties = found["included"][0]["attributes"]["event_properties"]
        assert found["data"]["attributes"]["status"] == {"value": "published"}
        assert properties["review_status"] == "pending"
        assert (
            properties["review_rating"],
            properties["review_verified"],
            properties["review_has_media"],
        ) == (5, True, True)
        assert (properties["review_email"], properties["review_id"]) == ("ann@fernandfig.shop", made["id"])

    def test_without_id(self, rig):
        """The event can lack the review's id, and then leads to it by its own id only."""
        rig.control("PATCH", "/settings", review_id_in_events=False)
        submit(rig)
        reply = rig.call("GET", "/api/reviews", params={"include": "events"}).json()
        assert "review_id" not in reply["included"][0]["attributes"]["event_properties"]
        assert reply["data"][0]["relationships"]["events"]["data"][0]["id"] == reply["included"][0]["id"]

    @pytest.mark.parametrize(
        ("kind", "rating", "metric"),
        [("rating", 4, "Submitted rating"), ("store", 4, "Submitted review"), ("question", None, None)],
    )
    def test_kinds(self, rig, kind, rating, metric):
        """Ratings have a metric of their own, and a question none."""
        submit(rig, type=kind, rating=rating)
        assert rig.counts["events"]["by_metric"] == ({metric: 1} if metric else {})

    def test_rejected(self, rig):
        """A rejection carries its reason."""
        made = submit(rig)
        found = rig.control("POST", f"/reviews/{made['id']}/status", status="rejected", reason="fake")
        assert found["attributes"]["status"] == {"value": "rejected", "rejection_reason": {"reason": "fake"}}

    def test_since(self, rig):
        """Reviews are read from a moment on, oldest first; other time filters are refused."""
        submit(rig, title="one")
        rig.clock.forward(60)
        since = rig.clock.now.isoformat()
        submit(rig, title="two")
        rig.clock.forward(60)
        submit(rig, title="three")
        query = {"filter": f"greater-or-equal(created,{since})", "sort": "created", "page[size]": 1}
        first = rig.call("GET", "/api/reviews", params=query).json()
        second = rig.call("GET", first["links"]["next"].removeprefix(rig.url)).json()
        titles = [item["attributes"]["title"] for item in first["data"] + second["data"]]
        assert (titles, second["links"]["next"]) == (["two", "three"], None)
        for wrong in (f"greater-than(created,{since})", f"greater-or-equal(updated,{since})"):
            assert rig.call("GET", "/api/reviews", params={"filter": wrong}).status_code == 400

    def test_last_changed(self, rig):
        """Sorted by -updated, the review that was just published comes first."""
        first = submit(rig, title="one")
        rig.clock.forward(1)
        submit(rig, title="two")
        rig.clock.forward(1)
        rig.control("POST", f"/reviews/{first['id']}/status", status="published")
        found = rig.call("GET", "/api/reviews", params={"sort": "-updated"}).json()["data"]
        assert [item["attributes"]["title"] for item in found] == ["one", "two"]

    def test_patch(self, rig):
        """An app with the scope may change the status, to one that exists."""
        made = submit(rig)

        def change(value: str) -> requests.Response:
            data = {"type": "review", "id": made["id"], "attributes": {"status": {"value": value}}}
            return rig.call("PATCH", f"/api/reviews/{made['id']}", {"data": data})

        assert change("published").json()["data"]["attributes"]["status"] == {"value": "published"}
        assert change("adored").status_code == 400

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            ({"value": "rejected", "rejection_reason": {"reason": "fake"}}, 200),
            (
                {"value": "rejected", "rejection_reason": {"reason": "other", "status_explanation": "why"}},
                200,
            ),
            ({"value": "rejected"}, 400),
            ({"value": "rejected", "rejection_reason": "fake"}, 400),
            ({"value": "rejected", "rejection_reason": {"reason": "dull"}}, 400),
            ({"value": "rejected", "rejection_reason": {"reason": "fake", "status_explanation": "why"}}, 400),
            ({"value": "published", "rejection_reason": {"reason": "fake"}}, 400),
            ({"value": ["published"]}, 400),
            (None, 200),
        ],
    )
    def test_rejection(self, rig, status, code):
        """A rejection has one of the known reasons, and nothing else has one."""
        made = submit(rig)
        data = {"type": "review", "id": made["id"], "attributes": {"status": status}}
        reply = rig.call("PATCH", f"/api/reviews/{made['id']}", {"data": data})
        assert reply.status_code == code, reply.text

    @pytest.mark.parametrize(
        "wrong",
        [
            'equals(status,"adored")',
            'equals(review_type,"poem")',
            'equals(verified,"true")',
            'equals(rating,"5")',
            'any(rating,[4,"5"])',
            "contains(content,5)",
            "equals(id,5)",
        ],
    )
    def test_types_of_filters(self, rig, wrong):
        """A filter that could never hold is a mistake, not an empty list."""
        submit(rig)
        assert rig.call("GET", "/api/reviews", params={"filter": wrong}).status_code == 400

    @pytest.mark.parametrize(
        "wrong", [{"rating": 6}, {"rating": None}, {"email": "x"}, {"stars": 5}, {"verified": 1}]
    )
    def test_nonsense(self, rig, wrong):
        """A review that no shopper could leave is refused."""
        body = {"email": "ann@fernandfig.shop", "rating": 5} | wrong
        assert requests.post(f"{rig.url}/_sandbox/reviews", json=body, timeout=30).status_code == 400


class TestWebhooks:
    def test_signature(self):
        """The signature of a known delivery comes out as known."""
        body = (
            b'{"data":[{"external_id":"4L3cwQae2TX","topic":"event:klaviyo.sent_sms"}],"meta":{"klaviyo_webhook_id":'
            b'"a8b890458b4bbfaa26d961471b83c101d6de23bd826e7e5173a15310985ec3cb"}}'
        )
        found = signature("klaviyo-test-secret", body, "Thu, 04 Jan 2024 18:05:25 GMT")
        assert found == "5aa0e720d80b3a04ca04baf3c65cdfe31da57504af69fee8da29c35d45f0596b"

    def test_hidden(self, rig, receiver):
        """Answers show neither the secret nor the path of the endpoint."""
        reply = rig.call("POST", "/api/webhooks", webhook(receiver.url, "t" * 32))
        assert reply.status_code == 201
        listed = rig.call("GET", "/api/webhooks").text
        for text in ("t" * 32, "/hooks/klaviyo"):
            assert text not in reply.text + listed

    @pytest.mark.parametrize(
        ("given", "pointer"),
        [
            ({"secret": "s" * 15}, "/data/attributes/secret_key"),
            ({"url": "http://hooks.fernandfig.shop/x"}, "/data/attributes/endpoint_url"),
            ({"topics": ("event:klaviyo.nothing",)}, "/data/relationships/webhook-topics/data/0/id"),
            ({"topics": ()}, "/data/relationships/webhook-topics/data"),
            ({"url": "https://hooks.fernandfig.shop:99999/x"}, "/data/attributes/endpoint_url"),
            ({"url": "https://user:word@hooks.fernandfig.shop/x"}, "/data/attributes/endpoint_url"),
            ({"url": "https://hooks fernandfig.shop/x"}, "/data/attributes/endpoint_url"),
        ],
    )
    def test_refused(self, rig, given, pointer):
        """A short secret, a plain address off loopback or an unknown topic is refused."""
        wanted = {"url": "https://hooks.fernandfig.shop/x"} | given
        assert pointers(rig.call("POST", "/api/webhooks", webhook(**wanted))) == [pointer]

    def test_scope_of_topics(self, receiver):
        """Hearing of events needs the right to read them."""
        rig = Rig(scopes="webhooks:read webhooks:write")
        try:
            reply = rig.call("POST", "/api/webhooks", webhook(receiver.url))
            assert (reply.status_code, "events:read" in reply.text) == (403, True)
        finally:
            rig.close()

    def test_ten(self, rig):
        """The eleventh webhook of an account is refused; deleting one makes room."""
        made = [
            rig.call("POST", "/api/webhooks", webhook("https://hooks.fernandfig.shop/x")) for _ in range(11)
        ]
        assert [reply.status_code for reply in made] == [201] * 10 + [400]
        ident = made[0].json()["data"]["id"]
        assert rig.call("DELETE", f"/api/webhooks/{ident}").status_code == 204
        assert rig.call("GET", f"/api/webhooks/{ident}").status_code == 404
        assert (
            rig.call("POST", "/api/webhooks", webhook("https://hooks.fernandfig.shop/x")).status_code == 201
        )

    def test_topics(self, rig):
        """Every metric is a topic: Klaviyo's own and those that the API made."""
        rig.send(unique_id="a")
        found = {item["id"] for item in rig.call("GET", "/api/webhook-topics").json()["data"]}
        assert {
            "event:klaviyo.submitted_review",
            "event:klaviyo.submitted_rating",
            "event:api.points_earned",
        } <= found


class TestDelivery:
    def listen(self, rig: Rig, receiver: Receiver) -> str:
        reply = rig.call("POST", "/api/webhooks", webhook(receiver.url))
        ident: str = reply.json()["data"]["id"]
        return ident

    def test_signed(self, rig, receiver):
        """A submitted review reaches the endpoint, signed over body and timestamp."""
        ident = self.listen(rig, receiver)
        submit(rig, verified=True)
        headers, body = wait_for(lambda: receiver.got and receiver.got[0])
        assert headers["Klaviyo-Signature"] == signature("s" * 32, body, headers["Klaviyo-Timestamp"])
        assert headers["Klaviyo-Webhook-Id"] == ident
        found = json.loads(body)
        assert found["meta"]["klaviyo_account_id"] == "FernFg"
        event = found["data"][0]
        assert event["topic"] == "event:klaviyo.submitted_review"
        attributes = event["payload"]["data"]["attributes"]
        assert attributes["datetime"] == "2026-11-21 10:00:00+00:00"
        assert attributes["event_properties"]["review_email"] == "ann@fernandfig.shop"

    def test_batch(self, rig, receiver):
        """Events of one moment travel in one delivery."""
        rig.control("PATCH", "/settings", webhook_batch_seconds=30)
        self.listen(rig, receiver)
        for _ in range(3):
            submit(rig)
        rig.clock.forward(30)
        rig.sandbox.state.dispatcher.wake()
        _, body = wait_for(lambda: receiver.got and receiver.got[0])
        assert len(json.loads(body)["data"]) == 3

    def test_retry(self, rig, receiver):
        """A refused delivery comes again until it is taken."""
        receiver.statuses[:] = [500, 302, 202]
        self.listen(rig, receiver)
        made = submit(rig)
        wait_for(lambda: rig.control("GET", "/webhooks")["webhooks"][0]["delivered"] == 1)
        assert len(receiver.got) == 3
        assert {made["id"] in body.decode() for _, body in receiver.got} == {True}

    def test_disabled(self, rig, receiver):
        """An endpoint that stays in error is switched off, and can be switched on again."""
        rig.control("PATCH", "/settings", webhook_error_hours=0)
        receiver.statuses[:] = [500]
        ident = self.listen(rig, receiver)
        submit(rig)
        path = f"/api/webhooks/{ident}"
        wait_for(lambda: not rig.call("GET", path).json()["data"]["attributes"]["enabled"])
        submit(rig)
        data = {"type": "webhook", "id": ident, "attributes": {"enabled": True}}
        assert rig.call("PATCH", path, {"data": data}).json()["data"]["attributes"]["enabled"]
        last = submit(rig)
        wait_for(lambda: len(receiver.got) == 2)
        assert last["id"] in receiver.got[1][1].decode()

    def test_no_proxy(self, rig, receiver, monkeypatch):
        """Deliveries go straight to their endpoint, whatever the environment says of proxies."""
        assert rig.call("POST", "/api/webhooks", webhook(receiver.url)).status_code == 201
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "")
        state = rig.sandbox.state
        with state.lock:
            state.account("FernFg").submit_review({"email": "ann@fernandfig.shop", "rating": 5}, state.now())
        wait_for(lambda: receiver.got)

    def test_switched_off_meanwhile(self, receiver):
        """What came after a switch off and on is not taken for what was on its way."""
        hook = Webhook("i", "n", None, receiver.url, "s" * 32, ("t",), 0.0, 0.0)
        settings = Settings()
        hook.enqueue({"n": 1}, 0.0, settings)
        sent = list(hook.waiting)
        hook.enable(enabled=False)
        hook.enable(enabled=True)
        hook.enqueue({"n": 2}, 1.0, settings)
        hook.succeed(sent, 202)
        assert (hook.waiting, hook.delivered) == ([{"n": 2}], 1)


class TestInbox:
    def test_empty(self, rig):
        """With nothing there, the page says so."""
        page = requests.get(f"{rig.url}/", timeout=30)
        assert (page.status_code, "No event has arrived yet" in page.text) == (200, True)

    def test_shown(self, rig):
        """What arrived is on the page: event, person, properties, flows; and markup in it does no harm."""
        rig.send(who=profile(Balance=540, Note="<b>bold</b>"), properties={"points": 120}, unique_id="a")
        submit(rig)
        page = requests.get(f"{rig.url}/", timeout=30).text
        for text in (
            "Points Earned",
            "ann@fernandfig.shop",
            "Balance",
            "540",
            "120",
            "Flows fired",
            "Lovely",
        ):
            assert text in page
        assert "<b>bold</b>" not in page
        assert "$event_id" not in page

    def test_markup(self, rig):
        """What a person typed is shown as text, wherever it came from."""
        evil = "<script>alert(1)</script>"
        rig.send(name=evil, properties={evil: evil}, unique_id="a", who=profile(**{evil: evil}))
        submit(rig, title=evil, author=evil)
        for query in ({}, {"metric": evil}, {"email": f'"{evil}', "metric": f'"{evil}'}):
            page = requests.get(rig.url, params=query, timeout=30).text
            assert (evil in page, "alert(1)" in page) == (False, True)

    def test_filter(self, rig):
        """Metric and address narrow the page."""
        rig.send(unique_id="a")
        rig.send(unique_id="b", name="Joined Program", who=profile("ben@fernandfig.shop"))
        by_mail = requests.get(f"{rig.url}/?account=FernFg&email=BEN@", timeout=30).text
        by_metric = requests.get(f"{rig.url}/?metric=Points+Earned&email=ben", timeout=30).text
        assert "ben@fernandfig.shop" in by_mail
        assert "<div>ann@fernandfig.shop" not in by_mail
        assert "No event matches this filter" in by_metric
