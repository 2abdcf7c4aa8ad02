"""Events at the local Klaviyo: recorded once, with the quirks of the real one, and read back in pages."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.sandbox.klaviyo_rig import Rig, bulk_entry, bulk_events, pointers, profile, single_event


@pytest.fixture(name="rig")
def _rig() -> Iterator[Rig]:
    found = Rig()
    yield found
    found.close()


def kept(rig: Rig, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rig.call("GET", "/api/events", params=query).json()["data"]
    return found


class TestOnce:
    def test_repeat(self, rig):
        """The same unique id for the same profile and metric is recorded once, and answered 202 each time."""
        assert [rig.send(unique_id="a").status_code for _ in range(3)] == [202, 202, 202]
        assert (rig.counts["events"]["recorded"], rig.counts["events"]["duplicates"]) == (1, 2)

    def test_first_wins(self, rig):
        """What the first event said stays."""
        rig.send(unique_id="a", properties={"points": 1})
        rig.send(unique_id="a", properties={"points": 2})
        assert kept(rig)[0]["attributes"]["event_properties"]["points"] == 1

    def test_told_apart(self, rig):
        """Another profile or another metric with the same unique id is another event."""
        rig.send(unique_id="a")
        rig.send(unique_id="a", who=profile("ben@fernandfig.shop"))
        rig.send(unique_id="a", who=profile("cas@fernandfig.shop"))
        rig.send(unique_id="a", name="Points Redeemed")
        rig.send(unique_id="a", who=profile("ben@fernandfig.shop"))
        assert (rig.counts["events"]["recorded"], rig.counts["events"]["duplicates"]) == (4, 1)

    def test_same_second(self, rig):
        """Without a unique id, two events of one second are one."""
        rig.send(properties={"points": 1})
        rig.send(properties={"points": 2})
        rig.clock.forward(1)
        rig.send(properties={"points": 3})
        assert (rig.counts["events"]["recorded"], rig.counts["events"]["duplicates"]) == (2, 1)

    def test_across_roads(self, rig):
        """A bulk event that repeats a single one is thrown away without a word."""
        rig.send(unique_id="a")
        assert rig.call("POST", "/api/event-bulk-create-jobs", bulk_events(bulk_entry({"unique_id": "a"}))).ok
        assert (rig.counts["events"]["recorded"], rig.counts["events"]["duplicates"]) == (1, 1)


class TestQuirks:
    def test_empty_properties(self, rig):
        """Zero, null and empty text are as if never sent; false stays."""
        rig.send(properties={"points": 5, "zero": 0, "none": None, "text": "", "no": False}, unique_id="a")
        assert kept(rig)[0]["attributes"]["event_properties"] == {"points": 5, "no": False, "$event_id": "a"}

    @pytest.mark.parametrize("email", ["ann@example.com", "ann@TEST.com"])
    def test_test_addresses(self, rig, email):
        """Events for test domains are accepted and dropped."""
        assert rig.send(who=profile(email)).status_code == 202
        counts = rig.counts
        assert (counts["events"]["recorded"], counts["events"]["test_addresses_dropped"]) == (0, 1)
        assert counts["profiles"] == 0

    def test_profile_too(self, rig):
        """An event makes or updates its profile in the same call; a zero is fine there."""
        rig.send(who=profile("Ann@fernandfig.shop", Balance=540), unique_id="a")
        rig.send(who=profile("ann@fernandfig.shop", Balance=0, Tier="Gold"), unique_id="b")
        found = rig.control("GET", "/profiles?email=ann@fernandfig.shop")
        assert found["total"] == 1
        assert found["profiles"][0]["attributes"]["properties"] == {"Balance": 0, "Tier": "Gold"}

    def test_profile_despite_repeat(self, rig):
        """A repeated event still updates the profile."""
        rig.send(who=profile(Balance=1), unique_id="a")
        rig.send(who=profile(Balance=2), unique_id="a")
        assert rig.control("GET", "/profiles")["profiles"][0]["attributes"]["properties"] == {"Balance": 2}

    def test_flows(self, rig):
        """A flow fires for each event that was recorded and is not history."""
        rig.send(unique_id="a")
        rig.send(unique_id="a")
        rig.send(unique_id="b", backfill=True)
        rig.send(unique_id="c", backfill=False)
        assert rig.counts["flows"] == {"total": 2, "by_metric": {"Points Earned": 2}}

    def test_value_sticks(self, rig):
        """Once a metric has had a value, events without one count as zero."""
        rig.send(unique_id="a")
        rig.send(unique_id="b", value=9.5, value_currency="USD")
        rig.send(unique_id="c")
        values = [item["attributes"]["event_properties"].get("$value") for item in kept(rig, sort="datetime")]
        assert values == [None, 9.5, 0.0]

    def test_whole_seconds(self, rig):
        """The time of an event is cut to the second."""
        rig.send(time="2026-11-20T10:00:00.987+02:00")
        assert kept(rig)[0]["attributes"]["datetime"] == "2026-11-20T08:00:00+00:00"

    def test_metric_of_app(self, rig):
        """Metrics sent with OAuth belong to the app; with a private key they are the API's own."""
        rig.send(unique_id="a")
        key = {"Authorization": "Klaviyo-API-Key pk_sandbox_FernFg"}
        rig.call("POST", "/api/events", {"data": single_event("Placed by hand")}, headers=key)
        found = rig.call(
            "GET", "/api/metrics", params={"filter": 'equals(integration.name,"Laurel")'}
        ).json()["data"]
        assert [item["attributes"]["name"] for item in found] == ["Points Earned"]


class TestRefused:
    @pytest.mark.parametrize(
        ("given", "pointer"),
        [
            ({"properties": {f"p{n}": n for n in range(401)}}, "/data/attributes/properties"),
            ({"name": "x" * 128}, "/data/attributes/metric/data/attributes/name"),
            ({"name": " "}, "/data/attributes/metric/data/attributes/name"),
            ({"time": "yesterday"}, "/data/attributes/time"),
            ({"time": "2026-11-21T10:00:00"}, "/data/attributes/time"),
            ({"time": "1999-12-31T23:59:59Z"}, "/data/attributes/time"),
            ({"time": "2027-11-21T10:00:00Z"}, None),
            ({"time": "2027-11-21T10:00:01Z"}, "/data/attributes/time"),
            ({"time": "2026-W47-6T10:00:00+00:00"}, "/data/attributes/time"),
            ({"time": "2026-11-21T10:00+00:00"}, "/data/attributes/time"),
            ({"time": "2026-11-21T10:00:00,5+00:00"}, "/data/attributes/time"),
            ({"time": "2026-11-21T09:00:00.5-01:00"}, None),
            ({"value": "9.99"}, "/data/attributes/value"),
            ({"value_currency": "dollars"}, "/data/attributes/value_currency"),
            ({"value_currency": "éur"}, "/data/attributes/value_currency"),
            ({"value_currency": "usd"}, "/data/attributes/value_currency"),
            ({"value": 9.99, "value_currency": "EUR"}, None),
            ({"unique_id": ""}, "/data/attributes/unique_id"),
            ({"unique_id": "u" * 256}, "/data/attributes/unique_id"),
            ({"unique_id": 7}, "/data/attributes/unique_id"),
            ({"backfill": "yes"}, "/data/attributes/backfill"),
            ({"service": "api"}, "/data/attributes/service"),
            ({"properties": {"a": "x" * 102_401}}, "/data/attributes/properties/a"),
            ({"properties": {"a": list(range(4001))}}, "/data/attributes/properties/a"),
            ({"who": profile("not an address")}, "/data/attributes/profile/data/attributes/email"),
            ({"who": profile("a" * 83 + "@fernandfig.shop")}, None),
            (
                {"who": profile("a" * 84 + "@fernandfig.shop")},
                "/data/attributes/profile/data/attributes/email",
            ),
            ({"who": {"type": "profile", "attributes": {}}}, "/data/attributes/profile/data/attributes"),
        ],
    )
    def test_pointer(self, rig, given, pointer):
        """What breaks a rule is refused with a pointer to it, and nothing is recorded."""
        reply = rig.send(**given)
        if pointer is None:
            assert reply.status_code == 202
        else:
            assert (reply.status_code, pointers(reply)) == (400, [pointer])
            assert rig.counts["events"]["received"] == 0

    def test_size_of_profile(self, rig):
        """A profile inside an event may have 95 KB, a little less than one that comes alone."""
        for size, status in ((94, 202), (96, 400)):
            big = {f"p{n}": "u" * 1016 for n in range(size)}
            assert rig.send(who=profile(**big), unique_id=str(size)).status_code == status
            entry = bulk_entry({"unique_id": f"bulk {size}"}, who=profile(**big))
            assert rig.call("POST", "/api/event-bulk-create-jobs", bulk_events(entry)).status_code == status

    def test_unknown_person(self, rig):
        """An id that is nobody's is refused where it stands."""
        entry = bulk_entry({"unique_id": "a"}, who={"type": "profile", "id": "01X", "attributes": {}})
        body = bulk_events(bulk_entry({"unique_id": "b"}), entry)
        reply = rig.call("POST", "/api/event-bulk-create-jobs", body)
        at = "/data/attributes/events-bulk-create/data/1/attributes/profile/data/id"
        assert (reply.status_code, pointers(reply)) == (400, [at])
        assert rig.counts["events"]["received"] == 0

    def test_anonymous(self, rig):
        """A browser's id is enough to know somebody by, on both roads."""
        who = {"type": "profile", "attributes": {"anonymous_id": "browser-1"}}
        assert rig.send(who=who, unique_id="a").status_code == 202
        body = bulk_events(bulk_entry({"unique_id": "b"}, who=who))
        assert rig.call("POST", "/api/event-bulk-create-jobs", body).status_code == 202
        assert (rig.counts["profiles"], rig.counts["events"]["recorded"]) == (1, 2)

    def test_nesting(self, rig):
        """Properties ten levels deep pass, deeper ones do not."""

        def nested(levels: int) -> Any:
            return {"a": nested(levels - 1)} if levels else 1

        assert rig.send(properties=nested(10)).status_code == 202
        assert rig.send(properties=nested(12)).status_code == 400

    def test_every_problem(self, rig):
        """One answer names every problem."""
        reply = rig.send(who=profile("nobody"), value="x", colour="green")
        assert len(pointers(reply)) == 3

    def test_old_revision(self, rig):
        """Before backfill existed it was an unknown attribute."""
        body = {"data": single_event(backfill=True)}
        reply = rig.call("POST", "/api/events", body, headers={"revision": "2026-04-15"})
        assert pointers(reply) == ["/data/attributes/backfill"]
        assert rig.call("POST", "/api/events", body).status_code == 202

    def test_place_of_meta(self, rig):
        """The profile's meta moved from among its attributes to beside them with the newest revision."""
        patch = {"patch_properties": {"unset": ["Old"]}}
        inside = {"type": "profile", "attributes": {"email": "ann@fernandfig.shop", "meta": patch}}
        body = {"data": single_event(who=inside)}
        assert rig.call("POST", "/api/events", body).status_code == 400
        assert rig.call("POST", "/api/events", body, headers={"revision": "2026-07-15"}).status_code == 202
        assert rig.send(who={**profile(), "meta": patch}, unique_id="b").status_code == 202


class TestBulk:
    def post(self, rig: Rig, *entries: dict[str, Any]) -> Any:
        return rig.call("POST", "/api/event-bulk-create-jobs", bulk_events(*entries))

    def test_accepted(self, rig):
        """A batch is accepted without a body, and every event is there."""
        reply = self.post(
            rig,
            bulk_entry({"unique_id": "a"}, {"unique_id": "b"}),
            bulk_entry({"unique_id": "a"}, who=profile("ben@fernandfig.shop")),
        )
        assert (reply.status_code, reply.content) == (202, b"")
        assert (rig.counts["events"]["recorded"], rig.counts["profiles"]) == (3, 2)

    def test_all_or_nothing(self, rig):
        """One bad event refuses the whole batch, with its position."""
        bad = bulk_entry({"unique_id": "b", "time": "soon"}, who=profile("ben@fernandfig.shop"))
        reply = self.post(rig, bulk_entry({"unique_id": "a"}), bad)
        at = "/data/attributes/events-bulk-create/data/1/attributes/events/data/0/attributes/time"
        assert (reply.status_code, pointers(reply)) == (400, [at])
        assert rig.counts["events"]["received"] == 0

    def test_bad_address(self, rig):
        """A bad address is pointed at, in its own entry."""
        reply = self.post(
            rig, bulk_entry({"unique_id": "a"}), bulk_entry({"unique_id": "a"}, who=profile("ben@"))
        )
        at = "/data/attributes/events-bulk-create/data/1/attributes/profile/data/attributes/email"
        assert pointers(reply) == [at]

    def test_repeat_inside(self, rig):
        """A unique id that is repeated inside one request refuses the request."""
        reply = self.post(rig, bulk_entry({"unique_id": "a"}), bulk_entry({"unique_id": "a"}))
        at = "/data/attributes/events-bulk-create/data/1/attributes/events/data/0/attributes/unique_id"
        assert (reply.status_code, pointers(reply)) == (400, [at])

    def test_resend(self, rig):
        """Sending an accepted batch again records nothing twice."""
        entries = [bulk_entry({"unique_id": f"u{n}"}) for n in range(5)]
        assert [self.post(rig, *entries).status_code for _ in range(2)] == [202, 202]
        assert (rig.counts["events"]["recorded"], rig.counts["events"]["duplicates"]) == (5, 5)

    def test_thousand(self, rig):
        """A thousand events fit, one more does not, however they are spread over profiles."""
        entries = [
            bulk_entry(*({"unique_id": f"{m}-{n}"} for n in range(100)), who=profile(f"m{m}@fernandfig.shop"))
            for m in range(10)
        ]
        assert self.post(rig, *entries).status_code == 202
        assert self.post(rig, *entries, bulk_entry({"unique_id": "more"})).status_code == 400

    def test_backfill(self, rig):
        """History told on the entry fires nothing, unless an event says otherwise for itself."""
        self.post(rig, bulk_entry({"unique_id": "a"}, {"unique_id": "b", "backfill": False}, backfill=True))
        assert rig.counts["flows"]["total"] == 1


class TestRead:
    def fill(self, rig: Rig, count: int) -> None:
        for n in range(count):
            when = (rig.clock.now - timedelta(minutes=count - n)).isoformat()
            rig.send(unique_id=f"u{n}", time=when, properties={"n": n + 1})

    def numbers(self, items: list[dict[str, Any]]) -> list[int]:
        return [item["attributes"]["event_properties"]["n"] for item in items]

    @pytest.mark.parametrize(
        ("sort", "expected"), [("datetime", [1, 2, 3, 4, 5]), ("-datetime", [5, 4, 3, 2, 1])]
    )
    def test_pages(self, rig, sort, expected):
        """Following the links shows every event once, in order."""
        self.fill(rig, 5)
        found: list[int] = []
        reply = rig.call("GET", "/api/events", params={"sort": sort, "page[size]": 2}).json()
        found += self.numbers(reply["data"])
        while reply["links"]["next"]:
            reply = rig.call("GET", reply["links"]["next"].removeprefix(rig.url)).json()
            found += self.numbers(reply["data"])
        assert found == expected

    def test_out_of_order(self, rig):
        """Events that arrive late are read at their own time."""
        rig.send(unique_id="a", time="2026-11-20T10:00:00Z", properties={"n": 2})
        rig.send(unique_id="b", time="2026-11-19T10:00:00Z", properties={"n": 1})
        assert self.numbers(kept(rig, sort="datetime")) == [1, 2]

    def test_filters(self, rig):
        """Metric, profile and time narrow what is read."""
        self.fill(rig, 4)
        rig.send(
            unique_id="x", name="Points Redeemed", properties={"n": 9}, who=profile("ben@fernandfig.shop")
        )
        metrics = rig.call("GET", "/api/metrics").json()["data"]
        ident = next(item["id"] for item in metrics if item["attributes"]["name"] == "Points Earned")
        since = (rig.clock.now - timedelta(minutes=2)).isoformat()
        both = f'equals(metric_id,"{ident}"),greater-or-equal(datetime,{since})'
        assert self.numbers(kept(rig, filter=both, sort="datetime")) == [3, 4]
        assert self.numbers(kept(rig, filter=both.replace("or-equal", "than"), sort="datetime")) == [4]
        person = kept(rig, filter=f'equals(metric_id,"{ident}")')[0]["relationships"]["profile"]["data"]["id"]
        assert len(kept(rig, filter=f'equals(profile_id,"{person}")')) == 4

    @pytest.mark.parametrize(
        "text",
        [
            'equals(metric_id,"Nope12")',
            'equals(name,"Points Earned")',
            'any(metric_id,["a"])',
            'greater-than(datetime,"2026-11-20T00:00:00Z")',
            "equals(metric_id,",
            "nonsense",
        ],
    )
    def test_bad_filter(self, rig, text):
        """A filter that is unknown, unreadable or names an unknown metric is a 400."""
        reply = rig.call("GET", "/api/events", params={"filter": text})
        assert (reply.status_code, reply.json()["errors"][0]["source"]) == (400, {"parameter": "filter"})

    def test_one(self, rig):
        """One event can be read by its id, with its metric and profile."""
        rig.send(unique_id="a")
        ident = kept(rig)[0]["id"]
        found = rig.call("GET", f"/api/events/{ident}", params={"include": "metric,profile"}).json()
        assert found["data"]["id"] == ident
        assert [item["type"] for item in found["included"]] == ["metric", "profile"]
        assert rig.call("GET", "/api/events/5sB0000ZZZZ").status_code == 404
