"""What stands before every call to the local Klaviyo: headers, scopes, limits, ordered faults."""

import gzip
import json
from collections.abc import Iterator

import pytest
import requests

from sandbox.klaviyo.limits import Limiter
from sandbox.klaviyo.operations import OPERATIONS
from tests.unit.sandbox.klaviyo_rig import Rig, pointers, single_event


@pytest.fixture(name="rig")
def _rig() -> Iterator[Rig]:
    found = Rig()
    yield found
    found.close()


class TestHeaders:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Authorization": None}, 401),
            ({"Authorization": "Bearer nobody"}, 401),
            ({"Authorization": "Klaviyo-API-Key pk_nobody"}, 401),
            ({"Authorization": "Klaviyo-API-Key pk_sandbox_FernFg"}, 200),
            ({"revision": None}, 400),
            ({"revision": "latest"}, 400),
            ({"revision": "2026-13-45"}, 400),
            ({"revision": "2019-01-01"}, 200),
            ({"revision": "2019-01-01", "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1"}, 410),
            ({"revision": "2031-01-15", "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1"}, 400),
        ],
    )
    def test_demanded(self, rig, headers, status):
        """Authorization and revision are demanded, and falling forward can be refused."""
        assert rig.call("GET", "/api/metrics", headers=headers).status_code == status

    def test_error_shape(self, rig):
        """A refusal is a JSON:API document with an id for each problem."""
        reply = rig.call("GET", "/api/metrics", headers={"Authorization": None})
        error = reply.json()["errors"][0]
        assert error.keys() == {"id", "status", "code", "title", "detail", "source", "links", "meta"}
        assert reply.headers["Content-Type"] == "application/vnd.api+json"

    def test_media_type(self, rig):
        """A form is no body for the API."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert rig.call("POST", "/api/events", data="a=b", headers=headers).status_code == 415

    def test_unknown_path_and_method(self, rig):
        """Unknown paths and methods are refused in the same shape."""
        assert rig.call("GET", "/api/nothing").json()["errors"][0]["code"] == "not_found"
        assert rig.call("PUT", "/api/events", {}).json()["errors"][0]["code"] == "method_not_allowed"
        assert rig.call("OPTIONS", "/api/events").json()["errors"][0]["code"] == "method_not_allowed"

    def test_unknown_parameter(self, rig):
        """A query parameter that the operation does not know is named."""
        error = rig.call("GET", "/api/metrics?page[size]=10").json()["errors"][0]
        assert error["source"] == {"parameter": "page[size]"}

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/events"),
            ("POST", "/api/event-bulk-create-jobs"),
            ("POST", "/api/profile-import"),
            ("POST", "/api/profile-bulk-import-jobs"),
            ("PATCH", "/api/profiles/x"),
            ("POST", "/api/lists"),
            ("POST", "/api/lists/x/relationships/profiles"),
            ("DELETE", "/api/lists/x/relationships/profiles"),
            ("PATCH", "/api/reviews/x"),
            ("POST", "/api/webhooks"),
            ("PATCH", "/api/webhooks/x"),
            ("DELETE", "/api/webhooks/x"),
            ("POST", "/api/data-privacy-deletion-jobs"),
        ],
    )
    def test_unknown_parameter_of_a_write(self, rig, method, path):
        """Writes know their parameters, too."""
        error = rig.call(method, f"{path}?colour=green", {}).json()["errors"][0]
        assert error["source"] == {"parameter": "colour"}

    def test_sparse_write(self, rig):
        """A write that answers with a resource shows as little of it as it is asked for."""
        body = {"data": {"type": "profile", "attributes": {"email": "ann@fernandfig.shop"}}}
        shown = rig.call("POST", "/api/profile-import?fields[profile]=email", body).json()["data"]
        assert shown["attributes"] == {"email": "ann@fernandfig.shop"}

    def test_sparse_inside(self, rig):
        """A dotted name asks for one value inside an attribute, however deep."""
        names = "contact_information.street_address.city,contact_information.default_sender_name,locale"
        shown = rig.call("GET", f"/api/accounts?fields[account]={names}").json()["data"][0]
        assert shown["attributes"] == {
            "contact_information": {"street_address": {"city": None}, "default_sender_name": "Fern & Fig"},
            "locale": "en-US",
        }

    @pytest.mark.parametrize(
        "query",
        [
            "events?fields[event]=event_properties.points",
            "profiles?fields[profile]=properties.Tier",
            "profiles?fields[profile]=location.street",
            "accounts?fields[account]=id.x",
        ],
    )
    def test_unknown_field(self, rig, query):
        """Only the inner values that are published can be asked for one by one."""
        assert rig.call("GET", f"/api/{query}").status_code == 400

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/events"),
            ("POST", "/api/event-bulk-create-jobs"),
            ("POST", "/api/profile-import"),
            ("POST", "/api/profile-bulk-import-jobs"),
            ("PATCH", "/api/profiles/x"),
            ("POST", "/api/lists"),
            ("POST", "/api/lists/x/relationships/profiles"),
            ("PATCH", "/api/reviews/x"),
            ("POST", "/api/webhooks"),
            ("POST", "/api/data-privacy-deletion-jobs"),
        ],
    )
    @pytest.mark.parametrize("data", [None, [], "x", 5, {}])
    def test_no_resource(self, rig, method, path, data):
        """What is no resource, null not excepted, is a 400 (or a 404 for an empty list of members), never an accident."""
        assert rig.call(method, path, {"data": data}).status_code in (400, 404)

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"data": NaN}'])
    def test_no_json(self, rig, body):
        """What is not a JSON object is a 400."""
        assert rig.call("POST", "/api/events", data=body).status_code == 400

    def test_gzip(self, rig):
        """A body may come zipped."""
        body = gzip.compress(json.dumps({"data": single_event(unique_id="z")}).encode())
        assert (
            rig.call("POST", "/api/events", data=body, headers={"Content-Encoding": "gzip"}).status_code
            == 202
        )
        assert rig.counts["events"]["recorded"] == 1

    def test_broken_gzip(self, rig):
        """A zipped body that is cut off is a 400, not an accident."""
        body = gzip.compress(json.dumps({"data": single_event()}).encode())[:-20]
        reply = rig.call("POST", "/api/events", data=body, headers={"Content-Encoding": "gzip"})
        assert reply.status_code == 400

    def test_five_megabytes(self, rig):
        """More than 5 MB is refused, zipped or not."""
        body = b'{"data": "' + b"x" * 5_000_000 + b'"}'
        assert rig.call("POST", "/api/events", data=body).json()["errors"][0]["code"] == "payload_too_large"
        zipped = rig.call(
            "POST", "/api/events", data=gzip.compress(body), headers={"Content-Encoding": "gzip"}
        )
        assert zipped.json()["errors"][0]["code"] == "payload_too_large"


class TestScopes:
    def test_missing(self):
        """A call outside the granted scopes is a 403 that names them."""
        rig = Rig(scopes="events:write")
        try:
            reply = rig.call("GET", "/api/profiles")
            assert reply.status_code == 403
            assert "profiles:read" in reply.json()["errors"][0]["detail"]
            assert rig.send().status_code == 202
        finally:
            rig.close()


class TestLimiter:
    NOW = 1_700_000_040.0  # the start of a minute

    def take(self, limiter, name, count, now, app="app", account="a", **given):
        method, rule = name.split()
        found = [limiter.take(app, account, OPERATIONS[(method, rule)], now, **given) for _ in range(count)]
        return [verdict.allowed for verdict in found].count(True), found[-1].headers

    def test_burst(self):
        """One second holds the burst and no more; the next second starts afresh."""
        limiter = Limiter()
        assert self.take(limiter, "GET /api/reviews", 11, self.NOW) == (10, {"Retry-After": "1"})
        assert self.take(limiter, "GET /api/reviews", 1, self.NOW + 1)[0] == 1

    def test_steady(self):
        """One minute holds the steady quota, and Retry-After reaches to its end."""
        limiter = Limiter()
        passed = sum(self.take(limiter, "GET /api/reviews", 10, self.NOW + second)[0] for second in range(20))
        assert passed == 150
        assert self.take(limiter, "GET /api/reviews", 1, self.NOW + 20)[1] == {"Retry-After": "40"}
        assert self.take(limiter, "GET /api/reviews", 1, self.NOW + 60)[0] == 1

    def test_headers(self):
        """An allowed call says what is left of the minute."""
        headers = self.take(Limiter(), "GET /api/reviews", 2, self.NOW + 10)[1]
        assert headers == {
            "RateLimit-Limit": "10, 10;w=1, 150;w=60",
            "RateLimit-Remaining": "148",
            "RateLimit-Reset": "50",
        }

    def test_apart(self):
        """Apps, accounts and operations have quotas of their own."""
        limiter = Limiter()
        assert self.take(limiter, "GET /api/accounts", 2, self.NOW)[0] == 1
        assert self.take(limiter, "GET /api/accounts", 1, self.NOW, app="other")[0] == 1
        assert self.take(limiter, "GET /api/accounts", 1, self.NOW, account="b")[0] == 1
        assert self.take(limiter, "GET /api/webhooks", 1, self.NOW)[0] == 1

    def test_daily(self):
        """Some operations have a daily quota too."""
        limiter = Limiter()
        passed = sum(self.take(limiter, "POST /api/lists", 1, self.NOW + 7 * n)[0] for n in range(160))
        assert passed == 150

    def test_additional_fields(self):
        """Asking for additional fields falls under the stricter quota."""
        assert self.take(Limiter(), "GET /api/profiles", 75, self.NOW)[0] == 75
        assert self.take(Limiter(), "GET /api/profiles", 75, self.NOW, extra=True)[0] == 10

    @pytest.mark.parametrize(
        ("query", "limit"),
        [
            ("/api/profiles?additional-fields[profile]=subscriptions", "75, 75;w=1, 750;w=60"),
            ("/api/profiles?additional-fields[profile]=predictive_analytics", "10, 10;w=1, 150;w=60"),
            ("/api/profiles/x?additional-fields[profile]=subscriptions", "75, 75;w=1, 750;w=60"),
            ("/api/lists/x?additional-fields[list]=profile_count", "1, 1;w=1, 15;w=60"),
        ],
    )
    def test_which_fields_cost(self, query, limit):
        """Only the fields that Klaviyo computes at length have the stricter quota."""
        rig = Rig(limits="real")
        try:
            assert rig.call("GET", query).headers["RateLimit-Limit"] == limit
        finally:
            rig.close()

    def test_scale(self):
        """A scale multiplies every quota, and off switches them off."""
        assert self.take(Limiter({"scale": 2}), "GET /api/reviews", 40, self.NOW)[0] == 20
        assert self.take(Limiter("off"), "GET /api/reviews", 400, self.NOW) == (400, {})

    @pytest.mark.parametrize("limits", ["none", {}, {"scale": 0}, {"scale": True}, {"scale": float("nan")}])
    def test_nonsense(self, limits):
        """Limits that mean nothing are refused at once."""
        with pytest.raises(ValueError, match="limits"):
            Limiter(limits)


class TestThrottled:
    def test_reply(self):
        """A throttled call gets 429 with Retry-After in place of the quota headers, and is counted."""
        rig = Rig(limits="real")
        try:
            first, second = (rig.call("GET", "/api/accounts") for _ in range(2))
            assert first.headers["RateLimit-Limit"] == "1, 1;w=1, 15;w=60"
            assert (second.status_code, second.headers["Retry-After"]) == (429, "1")
            assert "RateLimit-Limit" not in second.headers
            assert rig.counts["throttled"] == {"total": 1, "by_operation": {"GET /api/accounts": 1}}
        finally:
            rig.close()


class TestFaults:
    @pytest.mark.parametrize("kind", ["429", "500", "502", "503"])
    def test_status(self, rig, kind):
        """The next calls at the place fail with that status, and then it is over."""
        rig.control("POST", "/faults", place="POST /api/events", kind=kind, times=2, retry_after=7)
        assert [rig.send(unique_id="a").status_code for _ in range(3)] == [int(kind), int(kind), 202]
        assert rig.counts["events"]["received"] == 1

    def test_reset_before(self, rig):
        """A cut connection loses the call."""
        rig.control("POST", "/faults", place="/api/*", kind="reset")
        with pytest.raises(requests.ConnectionError):
            rig.send(unique_id="a")
        assert rig.counts["events"]["received"] == 0

    def test_lost_reply(self, rig):
        """A lost reply keeps the call: the repeat is a duplicate."""
        rig.control("POST", "/faults", place="POST /api/events", kind="lost_reply")
        with pytest.raises(requests.ConnectionError):
            rig.send(unique_id="a")
        assert rig.send(unique_id="a").status_code == 202
        events = rig.counts["events"]
        assert (events["received"], events["recorded"], events["duplicates"]) == (2, 1, 1)

    def test_slow(self, rig):
        """A slow call outlasts an impatient client."""
        rig.control("POST", "/faults", place="/api/metrics", kind="slow", seconds=0.5)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{rig.url}/api/metrics", timeout=(30, 0.1))

    def test_for_ever(self, rig):
        """A fault without a number lasts until it is cleared."""
        rig.control("POST", "/faults", place="/oauth/token", kind="503", times=None)
        assert {rig.refresh("x").status_code for _ in range(3)} == {503}
        rig.control("DELETE", "/faults")
        assert rig.refresh("x").status_code == 400

    def test_skip(self, rig):
        """A fault may let some calls pass first."""
        rig.control("POST", "/faults", place="/api/metrics", kind="500", skip=1)
        assert [rig.call("GET", "/api/metrics").status_code for _ in range(3)] == [200, 500, 200]

    def test_one_account(self, rig):
        """A fault may strike one account and leave its neighbour alone."""
        rig.control("POST", "/faults", place="/api/*", kind="500", times=None, account="HarbCf")
        other = {"Authorization": "Klaviyo-API-Key pk_sandbox_HarbCf"}
        assert rig.call("GET", "/api/metrics").status_code == 200
        assert rig.call("GET", "/api/metrics", headers=other).status_code == 500

    @pytest.mark.parametrize("seconds", [[], "1", -1, True])
    def test_no_time(self, rig, seconds):
        """Seconds are a number."""
        body = {"kind": "slow", "seconds": seconds}
        assert requests.post(f"{rig.url}/_sandbox/faults", json=body, timeout=30).status_code == 400

    def test_nonsense(self, rig):
        """An order that means nothing is refused with a sentence."""
        reply = requests.post(f"{rig.url}/_sandbox/faults", json={"kind": "earthquake"}, timeout=30)
        assert (reply.status_code, "kind must be" in reply.json()["error"]) == (400, True)


class TestLog:
    def test_no_bodies(self, rig):
        """The log knows method, path and status of a request, and nothing that was in it."""
        rig.send(unique_id="a")
        logged = rig.control("GET", "/requests")
        latest = logged["requests"][0]
        assert (latest["method"], latest["path"], latest["status"]) == ("POST", "/api/events", 202)
        assert "fernandfig" not in json.dumps(logged)
        assert {"account": "FernFg", "operation": "POST /api/events", "status": 202, "count": 1} in logged[
            "counts"
        ]

    def test_one_operation(self, rig):
        """Calls are counted by operation, whatever the id in the path looks like."""
        for path in ("/api/lists/AbCdEf", "/api/lists/12", "/api/nothing/AbCdEf", "/api/other/1"):
            rig.call("GET", path)
        counts = rig.control("GET", "/requests")["counts"]
        found = {row["operation"]: row["count"] for row in counts if row["status"] == 404}
        assert found == {"GET /api/lists/{id}": 2, "GET (unknown)": 2}


class TestSurroundings:
    def test_reset(self, rig):
        """Starting over forgets everything, and keeps grants when told to."""
        rig.send(unique_id="a")
        rig.control("POST", "/reset", keep_grants=True)
        assert rig.counts["profiles"] == 0
        assert rig.call("GET", "/api/metrics").status_code == 200
        rig.control("POST", "/reset")
        assert rig.call("GET", "/api/metrics").status_code == 401

    def test_settings(self, rig):
        """A misspelt setting or a wrong type changes nothing."""
        for wrong in (
            {"rotate": True},
            {"access_token_seconds": "1"},
            {"access_token_seconds": 5, "nope": 1},
        ):
            assert requests.patch(f"{rig.url}/_sandbox/settings", json=wrong, timeout=30).status_code == 400
        assert rig.control("GET", "/settings")["access_token_seconds"] == 3600

    def test_unknown_account(self, rig):
        """A control call on an account that is not there is a 404."""
        assert requests.get(f"{rig.url}/_sandbox/counts?account=Nobody", timeout=30).status_code == 404


def test_pointers_of_an_unknown_attribute(rig):
    """An attribute that Klaviyo does not know is refused where it stands."""
    assert pointers(rig.send(colour="green")) == ["/data/attributes/colour"]
