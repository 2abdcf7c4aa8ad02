"""The local Klaviyo's checks beside Klaviyo's own request models: a good body is good for both, a bad one for neither.

The models let pass what only prose forbids (unknown attributes, missing identifiers, sizes), so those are tested elsewhere.
"""

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.klaviyo.api_imports import read_import
from sandbox.klaviyo.errors import Problem, Refused
from sandbox.klaviyo.event_checks import EventReader
from sandbox.klaviyo.profile_checks import check_deletion, check_profile
from sandbox.klaviyo.settings import Settings
from sandbox.klaviyo.webhooks import read_webhook
from tests.unit.sandbox.klaviyo_rig import (
    bulk_entry,
    bulk_events,
    import_job,
    metric,
    profile,
    single_event,
    webhook,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
TOPICS = frozenset(("event:klaviyo.submitted_review",))


def _event(body: dict[str, Any]) -> bool:
    reader = EventReader("2026-10-15", NOW)
    reader.single(body)
    return not reader.problems


def _events(body: dict[str, Any]) -> bool:
    reader = EventReader("2026-10-15", NOW)
    reader.bulk(body)
    return not reader.problems


def _profile(body: dict[str, Any]) -> bool:
    problems: list[Problem] = []
    check_profile(body["data"], "/data", problems)
    return not problems


def _import(body: dict[str, Any]) -> bool:
    problems: list[Problem] = []
    read_import(body["data"], problems)
    return not problems


def _deletion(body: dict[str, Any]) -> bool:
    problems: list[Problem] = []
    check_deletion(body, problems)
    return not problems


def _webhook(body: dict[str, Any]) -> bool:
    try:
        read_webhook(body, TOPICS, Settings())
    except Refused:
        return False
    return True


def deletion(**attributes: Any) -> dict[str, Any]:
    who = {"data": {"type": "profile", "attributes": attributes}}
    return {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": who}}}


EVENT, EVENTS = "EventCreateQueryV2", "EventsBulkCreateJob"
CASES: list[tuple[str, Callable[[dict[str, Any]], bool], dict[str, Any], bool]] = [
    (
        EVENT,
        _event,
        {"data": single_event(unique_id="a", backfill=True, time="2026-11-20T10:00:00+00:00")},
        True,
    ),
    (EVENT, _event, {"data": single_event(value=9.5, value_currency="USD")}, True),
    (EVENT, _event, {"data": {**single_event(), "type": "events"}}, False),
    (EVENT, _event, {"data": single_event(value="a lot")}, False),
    (EVENT, _event, {"data": single_event(time="yesterday")}, False),
    (EVENT, _event, {"data": {"type": "event", "attributes": {"metric": metric("Joined Program")}}}, False),
    (EVENTS, _events, bulk_events(bulk_entry({"unique_id": "a"}, {"unique_id": "b"}, backfill=True)), True),
    (EVENTS, _events, bulk_events({"type": "event-bulk-create", "attributes": {"backfill": True}}), False),
    (EVENTS, _events, {"data": {"type": "event-bulk-create-job", "attributes": {}}}, False),
    ("ProfileUpsertQuery", _profile, {"data": profile(Balance=540, Tier="Gold")}, True),
    (
        "ProfileUpsertQuery",
        _profile,
        {"data": {**profile(), "meta": {"patch_properties": {"unset": ["Old"]}}}},
        True,
    ),
    ("ProfileUpsertQuery", _profile, {"data": {"type": "profile", "attributes": {"email": 5}}}, False),
    ("ProfileUpsertQuery", _profile, {"data": {"type": "profile"}}, False),
    ("ProfileImportJobCreateQuery", _import, import_job(profile(), lists=["VRgFBd"]), True),
    ("ProfileImportJobCreateQuery", _import, import_job({"type": "person", "attributes": {}}), False),
    ("DataPrivacyCreateDeletionJobQuery", _deletion, deletion(email="ann@fernandfig.shop"), True),
    ("DataPrivacyCreateDeletionJobQuery", _deletion, {"data": {"type": "data-privacy-deletion-job"}}, False),
    ("WebhookCreateQuery", _webhook, webhook("https://hooks.fernandfig.shop/x"), True),
    ("WebhookCreateQuery", _webhook, {"data": {"type": "webhook", "attributes": {"name": "x"}}}, False),
]


def accepts(model: str, body: dict[str, Any]) -> bool:
    """Whether Klaviyo's own model takes the body."""
    wanted = getattr(importlib.import_module("openapi_client.models"), model)
    try:
        wanted.model_validate(body)
    except ValidationError:
        return False
    return True


class TestAgreement:
    @pytest.mark.parametrize(("model", "check", "body", "good"), CASES)
    def test_verdict(self, model, check, body, good):
        """Both give the same verdict."""
        assert (check(body), accepts(model, body)) == (good, good)
