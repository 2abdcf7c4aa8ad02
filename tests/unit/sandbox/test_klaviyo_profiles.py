"""Profiles at the local Klaviyo: upserts, bulk imports, reads, lists and erasure."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.klaviyo import profile_checks
from sandbox.klaviyo.errors import Problem
from sandbox.klaviyo.profile_checks import MEMBERS, check_profile
from tests.unit.sandbox.klaviyo_rig import Rig, import_job, pointers, profile


@pytest.fixture(name="rig")
def _rig() -> Iterator[Rig]:
    found = Rig()
    yield found
    found.close()


def put(rig: Rig, data: dict[str, Any]) -> Any:
    return rig.call("POST", "/api/profile-import", {"data": data})


class TestImport:
    def test_created_then_updated(self, rig):
        """201 for a new profile, 200 for a known one, matched without regard to case."""
        first, second = (
            put(rig, profile("Ann@fernandfig.shop", A=1)),
            put(rig, profile("ann@FernandFig.shop", B=2)),
        )
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json()["data"]["attributes"]["properties"] == {"A": 1, "B": 2}

    def test_null_clears(self, rig):
        """Null clears, absence leaves."""
        put(
            rig,
            {
                "type": "profile",
                "attributes": {"email": "ann@fernandfig.shop", "first_name": "Ann", "title": "Dr"},
            },
        )
        sent = {"email": "ann@fernandfig.shop", "first_name": None}
        found = put(rig, {"type": "profile", "attributes": sent}).json()["data"]["attributes"]
        assert (found["first_name"], found["title"]) == (None, "Dr")

    def test_patch(self, rig):
        """Properties can be unset, appended to and taken from."""
        put(rig, profile(Old=1, Tags=["a", "b"], More="x"))
        patch = {"unset": "Old", "append": {"More": "y"}, "unappend": {"Tags": "a"}}
        found = put(rig, {**profile(), "meta": {"patch_properties": patch}}).json()["data"]["attributes"][
            "properties"
        ]
        assert found == {"Tags": ["b"], "More": ["x", "y"]}

    def test_two_owners(self, rig):
        """An address and a number of different profiles are a conflict that names the other one."""
        put(rig, profile())
        phone = {"type": "profile", "attributes": {"phone_number": "+12125550123"}}
        other = put(rig, phone).json()["data"]["id"]
        both = {"email": "ann@fernandfig.shop", "phone_number": "+12125550123"}
        reply = put(rig, {"type": "profile", "attributes": both})
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (409, "duplicate_profile")
        assert reply.json()["errors"][0]["meta"] == {"duplicate_profile_id": other}

    def test_two_owners_by_external_id(self, rig):
        """So are an address and an outside id: neither profile is changed, and neither loses its address."""
        put(rig, profile(A=1))
        other = {"type": "profile", "attributes": {"external_id": "x-1", "email": "ben@fernandfig.shop"}}
        put(rig, other)
        both = {"email": "ann@fernandfig.shop", "external_id": "x-1"}
        assert put(rig, {"type": "profile", "attributes": both}).status_code == 409
        assert put(rig, profile()).json()["data"]["attributes"]["properties"] == {"A": 1}
        assert put(rig, profile("ben@fernandfig.shop")).status_code == 200
        assert rig.counts["profiles"] == 2

    @pytest.mark.parametrize(
        ("attributes", "pointer"),
        [
            ({"email": "no address"}, "/data/attributes/email"),
            ({"email": "ann@fernandfig"}, "/data/attributes/email"),
            ({"email": "ann..lee@fernandfig.shop"}, "/data/attributes/email"),
            ({"email": "a@b.shop", "phone_number": "0201"}, "/data/attributes/phone_number"),
            ({"email": "a@b.shop", "points": 1}, "/data/attributes/points"),
            ({"email": "a@b.shop", "first_name": 1}, "/data/attributes/first_name"),
            ({"email": "a@b.shop", "properties": []}, "/data/attributes/properties"),
            ({"email": "a@b.shop", "location": {"planet": "Mars"}}, "/data/attributes/location/planet"),
            ({"email": "a@b.shop", "anonymous_id": "x"}, "/data/attributes/anonymous_id"),
            ({"first_name": "Ann"}, "/data/attributes"),
        ],
    )
    def test_refused(self, rig, attributes, pointer):
        """What breaks a rule is refused with a pointer to it."""
        reply = put(rig, {"type": "profile", "attributes": attributes})
        assert (reply.status_code, pointers(reply)) == (400, [pointer])

    def test_hundred_kilobytes(self, rig):
        """A profile above 100 KB is refused even when each string is small."""
        big = {f"p{n}": "ü" * 1000 for n in range(60)}
        batch = import_job(profile(), profile("big@fernandfig.shop", **big))
        refused = rig.call("POST", "/api/profile-bulk-import-jobs", batch)
        assert pointers(refused) == ["/data/attributes/profiles/data/1"]
        assert put(rig, profile(**big)).status_code == 400
        assert put(rig, profile(**dict.fromkeys(big, "u" * 1000))).status_code == 201

    def test_hundred_kilobytes_in_all(self, rig):
        """Alone, a profile's whole body has to fit, what it takes off included."""
        ident = put(rig, profile()).json()["data"]["id"]
        patch = {"patch_properties": {"unset": [f"property {n:04d}" for n in range(7000)]}}
        sent = {"data": {**profile(), "meta": patch}}
        assert (
            rig.call("POST", "/api/profile-import", sent).json()["errors"][0]["code"] == "payload_too_large"
        )
        sent["data"]["id"] = ident
        assert rig.call("PATCH", f"/api/profiles/{ident}", sent).status_code == 400

    def test_not_offered(self, rig):
        """What the sandbox would have to ignore, it refuses."""
        meta = {"patch_identifiers": {"append": {"email": ["b@fernandfig.shop"]}}}
        assert pointers(put(rig, {**profile(), "meta": meta})) == ["/data/meta/patch_identifiers"]


USUAL = {"email": "ann@fernandfig.shop", "first_name": "Ann", "last_name": "Lee", "properties": {"Points": 5}}
UNSET = {"patch_properties": {"unset": ["Old"]}}
NO_PROFILES: list[Any] = [{}, {"type": "profile"}, {"attributes": USUAL}, 5, None, [], "profile"]
UNUSUAL: list[dict[str, Any]] = [
    {},
    {"type": "person"},
    {"attributes": None},
    {"attributes": USUAL | {"email": None}},
    {"attributes": USUAL | {"email": "nobody"}},
    {"attributes": USUAL | {"first_name": None}},
    {"attributes": USUAL | {"first_name": 5}},
    {"attributes": USUAL | {"last_name": "x" * 110_000}},
    {"attributes": USUAL | {"colour": "green"}},
    {"attributes": USUAL | {"properties": None}},
    {"attributes": USUAL | {"properties": ["Points"]}},
    {"attributes": USUAL | {"properties": {"a": True, "b": None, "c": 1.5, "d": "x" * 201}}},
    {"attributes": USUAL | {"properties": {"x" * 110_000: 1}}},
    {"attributes": USUAL | {"properties": {"a": "x" * 110_000}}},
    {"attributes": USUAL | {"properties": {f"p{n}": "x" * 200 for n in range(600)}}},
    {"attributes": USUAL | {"properties": {"a": [["x" * 110_000]]}}},
    {"meta": UNSET},
    {"meta": {}},
    {"meta": None},
    {"meta": {"patch_properties": {"unset": "Old"}}},
    {"meta": {"patch_properties": {"unset": ["Old", 5]}}},
    {"meta": UNSET | {"patch_identifiers": {}}},
    {"meta": {"patch_properties": {"unset": ["Old"], "wipe": True}}},
    {"id": "01X"},
    {"relationships": {}},
    {"meta": UNSET, "relationships": {}},
]


class TestShortcut:
    @pytest.mark.parametrize("changed", UNUSUAL)
    @pytest.mark.parametrize("members", [MEMBERS, MEMBERS - {"meta"}])
    def test_same_verdict(self, monkeypatch, changed, members):
        """The quick look at a profile says nothing that the thorough one would not say."""
        sent = {"type": "profile", "attributes": USUAL} | changed
        found: list[list[Problem]] = [[], []]
        for problems in found:
            check_profile(sent, "/data", problems, members=members)
            monkeypatch.setattr(profile_checks, "_plainly_good", lambda *_: False)
        assert found[0] == found[1]

    def test_missing(self, rig):
        """Neither does it mind what is not there."""
        for sent in NO_PROFILES:
            assert rig.call("POST", "/api/profile-import", {"data": sent}).status_code == 400


class TestChange:
    def test_email(self, rig):
        """An address can be changed while it is free; another's address is a conflict."""
        ident = put(rig, profile(A=1)).json()["data"]["id"]
        put(rig, profile("ben@fernandfig.shop"))

        def change(email: str) -> Any:
            data = {"type": "profile", "id": ident, "attributes": {"email": email}}
            return rig.call("PATCH", f"/api/profiles/{ident}", {"data": data})

        assert change("new@fernandfig.shop").json()["data"]["attributes"]["properties"] == {"A": 1}
        assert change("ben@fernandfig.shop").status_code == 409
        assert put(rig, profile("ann@fernandfig.shop")).status_code == 201

    def test_unknown(self, rig):
        """A profile that is not there cannot be changed."""
        data = {"type": "profile", "id": "01X", "attributes": {}}
        assert rig.call("PATCH", "/api/profiles/01X", {"data": data}).status_code == 404


class TestBulkImport:
    def post(self, rig: Rig, *profiles: dict[str, Any], **given: Any) -> Any:
        return rig.call("POST", "/api/profile-bulk-import-jobs", import_job(*profiles, **given))

    def job(self, rig: Rig, ident: str) -> dict[str, Any]:
        found: dict[str, Any] = rig.call("GET", f"/api/profile-bulk-import-jobs/{ident}").json()["data"][
            "attributes"
        ]
        return found

    def test_course(self, rig):
        """A job is queued, then processing, then complete, as time goes by."""
        rig.control("PATCH", "/settings", import_delay_seconds=2, import_seconds_per_profile=1)
        reply = self.post(rig, *(profile(f"m{n}@fernandfig.shop") for n in range(4)))
        ident, seen = reply.json()["data"]["id"], []
        assert reply.status_code == 202
        for seconds in (0, 3, 10):
            rig.clock.forward(seconds)
            found = self.job(rig, ident)
            seen.append((found["status"], found["completed_count"], rig.counts["profiles"]))
        assert seen == [("queued", 0, 0), ("processing", 1, 1), ("complete", 4, 4)]

    def test_all_or_nothing(self, rig):
        """One malformed address refuses the batch and is pointed at."""
        reply = self.post(rig, profile("a@fernandfig.shop"), profile("b@"), profile("c c@fernandfig.shop"))
        at = "/data/attributes/profiles/data/{}/attributes/email"
        assert (reply.status_code, pointers(reply)) == (400, [at.format(1), at.format(2)])
        rig.clock.forward(60)
        assert (rig.counts["profiles"], rig.counts["imports"]["jobs"]) == (0, 0)

    def test_ten_thousand(self, rig):
        """Ten thousand fit, one more does not."""
        people = [profile(f"m{n}@fernandfig.shop", Balance=n) for n in range(10_001)]
        assert pointers(self.post(rig, *people)) == ["/data/attributes/profiles/data"]
        assert self.post(rig, *people[:-1]).status_code == 202
        rig.clock.forward(60)
        assert rig.counts["profiles"] == 10_000

    def test_late_failures(self, rig):
        """An address on the failing list passes the check, fails in the job and is listed, page by page."""
        failing = [f"bad{n}@fernandfig.shop" for n in range(3)]
        rig.control("POST", "/import-failures", emails=failing)
        reply = self.post(rig, profile("good@fernandfig.shop"), *(profile(email) for email in failing))
        ident = reply.json()["data"]["id"]
        rig.clock.forward(60)
        found = self.job(rig, ident)
        assert (found["completed_count"], found["failed_count"]) == (1, 3)
        path = f"/api/profile-bulk-import-jobs/{ident}/import-errors"
        page = rig.call("GET", path, params={"page[size]": 2}).json()
        more = rig.call("GET", page["links"]["next"].removeprefix(rig.url)).json()
        errors = page["data"] + more["data"]
        assert [item["attributes"]["original_payload"]["email"] for item in errors] == failing
        assert errors[0]["attributes"]["source"] == {"pointer": "/data/attributes/profiles/data/1"}
        assert more["links"]["next"] is None

    def test_lists(self, rig):
        """A job can put its profiles on a list; an unknown list is refused."""
        body = {"data": {"type": "list", "attributes": {"name": "Members"}}}
        made = rig.call("POST", "/api/lists", body).json()["data"]["id"]
        assert self.post(rig, profile(), lists=["Nope12"]).status_code == 400
        self.post(rig, profile(), profile("ben@fernandfig.shop"), lists=[made])
        rig.clock.forward(60)
        found = rig.call("GET", f"/api/lists/{made}/profiles").json()["data"]
        assert {item["attributes"]["email"] for item in found} == {
            "ann@fernandfig.shop",
            "ben@fernandfig.shop",
        }


class TestRead:
    def test_any(self, rig):
        """Many addresses are looked up at once, with only the fields that were asked for."""
        for name in ("ann", "ben", "cas"):
            put(rig, profile(f"{name}@fernandfig.shop", Name=name))
        query = {
            "filter": 'any(email,["ann@fernandfig.shop","CAS@fernandfig.shop","nobody@fernandfig.shop"])',
            "fields[profile]": "email,properties",
        }
        found = rig.call("GET", "/api/profiles", params=query).json()["data"]
        assert [item["attributes"] for item in found] == [
            {"email": "ann@fernandfig.shop", "properties": {"Name": "ann"}},
            {"email": "cas@fernandfig.shop", "properties": {"Name": "cas"}},
        ]

    @pytest.mark.parametrize("sort", ["created", "-created", "email"])
    def test_pages(self, rig, sort):
        """Following the links shows every profile once."""
        for n in range(5):
            put(rig, profile(f"m{n}@fernandfig.shop"))
        found, path = [], f"/api/profiles?page[size]=2&sort={sort}"
        while path:
            reply = rig.call("GET", path).json()
            found += [item["attributes"]["email"] for item in reply["data"]]
            path = (reply["links"]["next"] or "").removeprefix(rig.url)
        expected = [f"m{n}@fernandfig.shop" for n in range(5)]
        assert found == (expected[::-1] if sort.startswith("-") else expected)

    def test_bad_field(self, rig):
        """A field that a profile does not have is refused."""
        assert rig.call("GET", "/api/profiles?fields[profile]=points").status_code == 400


class TestLists:
    def test_members(self, rig):
        """Profiles are put on a list and taken off by id."""
        ident = put(rig, profile()).json()["data"]["id"]
        body = {
            "data": {"type": "list", "attributes": {"name": "Members", "opt_in_process": "single_opt_in"}}
        }
        made = rig.call("POST", "/api/lists", body)
        assert made.status_code == 201
        path = f"/api/lists/{made.json()['data']['id']}"
        who = {"data": [{"type": "profile", "id": ident}]}
        assert rig.call("POST", f"{path}/relationships/profiles", who).status_code == 204
        assert len(rig.call("GET", f"{path}/profiles").json()["data"]) == 1
        assert rig.call("DELETE", f"{path}/relationships/profiles", who).status_code == 204
        assert rig.call("GET", f"{path}/profiles").json()["data"] == []

    def test_found_by_name(self, rig):
        """A list is found by its name."""
        rig.call("POST", "/api/lists", {"data": {"type": "list", "attributes": {"name": "Members"}}})
        found = rig.call("GET", "/api/lists", params={"filter": 'equals(name,"Members")'}).json()["data"]
        assert len(found) == 1


class TestErasure:
    def job(self, rig: Rig, ident: str | None = None, **attributes: str) -> Any:
        who = {"type": "profile", "attributes": attributes} | ({"id": ident} if ident else {})
        data = {"type": "data-privacy-deletion-job", "attributes": {"profile": {"data": who}}}
        return rig.call("POST", "/api/data-privacy-deletion-jobs", {"data": data})

    def test_erased(self, rig):
        """An erased profile is gone with its events; the same address later is a new person."""
        rig.send(unique_id="a", who=profile(Balance=5))
        assert self.job(rig, email="Ann@fernandfig.shop").status_code == 202
        assert rig.call("GET", "/api/profiles").json()["data"] == []
        assert rig.call("GET", "/api/events").json()["data"] == []
        assert put(rig, profile()).json()["data"]["attributes"]["properties"] == {}

    def test_exactly_one(self, rig):
        """None or two identifiers are refused; an unknown person is not an error."""
        assert self.job(rig).status_code == 400
        assert self.job(rig, email="a@fernandfig.shop", phone_number="+12125550123").status_code == 400
        assert self.job(rig, email="nobody@fernandfig.shop").status_code == 202
