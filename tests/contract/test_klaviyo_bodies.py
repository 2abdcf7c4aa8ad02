"""Every body we send to Klaviyo, held against the models of Klaviyo's own SDK and against the limits that those models leave out.

The models ignore what they do not know, so each body must also come back from its model with nothing missing.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_client.models.event_create_query_v2 import EventCreateQueryV2
from openapi_client.models.events_bulk_create_job import EventsBulkCreateJob
from openapi_client.models.profile_import_job_create_query import ProfileImportJobCreateQuery
from openapi_client.models.profile_partial_update_query import ProfilePartialUpdateQuery
from openapi_client.models.profile_upsert_query import ProfileUpsertQuery
from openapi_client.models.webhook_create_query import WebhookCreateQuery
from openapi_client.models.webhook_partial_update_query import WebhookPartialUpdateQuery

from klaviyo_oauth import payloads
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.dialects import OURS
from klaviyo_oauth.payloads import Teller
from klaviyo_oauth.review_facts import WEBHOOK_TOPICS
from klaviyo_oauth.standing import Rewards, ShopView
from loyalty.core.news import EARNED, NEWS_KINDS
from loyalty.core.program import PointsName
from loyalty.delivery import Message, Recipient

NOW = datetime(2026, 11, 22, 12, 30, 15, tzinfo=UTC)
SCALAR = st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=40), st.booleans(), st.none())


SHOP = ShopView(
    "fern-and-fig.myshopify.com", ZoneInfo("UTC"), {"gold": "Gold"}, PointsName("leaf", "leaves"), True
)
TELLER = Teller(OURS, SHOP, {7: Rewards(("LAUREL-5OFF-AAAA", "LAUREL-5OFF-BBBB"), NOW)})
# Whoever has everything that a profile can show, and whoever has as little as there can be.
FULL = {
    "tier": "gold",
    "tier_since": NOW,
    "tier_until": NOW,
    "next_tier": "gold",
    "next_tier_distance": Decimal("12.5"),
    "expires_at": NOW,
    "expiring_points": 40,
    "birthday_month": 2,
    "birthday_day": 29,
    "last_activity_at": NOW,
    "pending": 20,
}


def _recipient(name: str | None = "Ada", joined_at: datetime | None = NOW, **more: Any) -> Recipient:
    return Recipient(7, "ada@fernandfig.shop", 99, name, name, "member", -5, 600, 60, joined_at, **more)


def _message(
    kind: str, payload: dict[str, Any], *, backfill: bool = False, to: Recipient | None = None
) -> Message:
    return Message(1, 1, kind, "9d0c3d0e-entry", payload, NOW, backfill, 1, to or _recipient(), _recipient())


def _holds(model: Any, body: Any) -> None:
    """The body validates, and the model knows every part of it."""
    read = model.model_validate(body)
    kept = json.loads(read.model_dump_json(by_alias=True, exclude_unset=True))
    assert _missing(body, kept, "") == []


def _missing(sent: Any, kept: Any, at: str) -> list[str]:
    """Where the model dropped something. Free-form properties and instants are only looked for, not compared."""
    if isinstance(sent, dict):
        if not isinstance(kept, dict):
            return [at]
        if at.endswith("/properties"):
            return []
        return [
            lost
            for name, value in sent.items()
            for lost in (_missing(value, kept[name], f"{at}/{name}") if name in kept else [f"{at}/{name}"])
        ]
    if isinstance(sent, list):
        if not isinstance(kept, list) or len(kept) != len(sent):
            return [at]
        return [lost for i, value in enumerate(sent) for lost in _missing(value, kept[i], f"{at}/{i}")]
    return []


class TestSinglesAndBulk:
    """Events."""

    @pytest.mark.parametrize("kind", NEWS_KINDS)
    @pytest.mark.parametrize("backfill", [False, True])
    @pytest.mark.parametrize("has", [{}, FULL], ids=["little", "everything"])
    def test_event(self, kind: str, backfill: bool, has: dict[str, Any]) -> None:
        """Every kind of news is a valid event, new or from history, about somebody who has everything or nothing."""
        to = _recipient(**has)
        body = TELLER.events(_message(kind, {"points": 5, "source": "order"}, backfill=backfill, to=to))[0]
        _holds(EventCreateQueryV2, body)
        attributes = body["data"]["attributes"]
        assert len(attributes["metric"]["data"]["attributes"]["name"]) < 128
        assert 1 <= len(attributes["unique_id"]) <= 255

    @given(st.dictionaries(st.text(min_size=1, max_size=20), SCALAR, max_size=30))
    @settings(max_examples=40, deadline=None)
    def test_any_properties(self, payload: dict[str, Any]) -> None:
        """Whatever was frozen into news, the event is valid, and none of its properties is null."""
        body = TELLER.events(_message(EARNED, payload, to=_recipient(None, None)))[0]
        _holds(EventCreateQueryV2, body)
        assert None not in body["data"]["attributes"]["properties"].values()

    def test_bulk(self) -> None:
        """A bulk request is valid and says backfill where Klaviyo may look for it."""
        entries = [
            TELLER.bulk_entry(_message(kind, {"points": 5}, backfill=True, to=_recipient(**has)))
            for kind in NEWS_KINDS
            for has in ({}, FULL)
        ]
        body = json.loads(payloads.bulk_events(entries))
        _holds(EventsBulkCreateJob, body)
        for entry in body["data"]["attributes"]["events-bulk-create"]["data"]:
            (event,) = entry["attributes"]["events"]["data"]
            assert entry["attributes"]["backfill"] is event["attributes"]["backfill"] is True

    def test_full_batch_fits(self) -> None:
        """A thousand ordinary events stay far below five megabytes."""
        payload = {
            "points": 120,
            "points_balance": 540,
            "source": "order",
            "reason": "x" * 120,
            "order_name": "#1001",
        }
        entry = TELLER.bulk_entry(_message(EARNED, payload, to=_recipient("A" * 60, **FULL)))
        assert len(payloads.bulk_events([entry] * payloads.MOST_EVENTS)) < 2_500_000


class TestProfiles:
    """Profiles."""

    @pytest.mark.parametrize("has", [{}, FULL], ids=["little", "everything"])
    def test_import(self, has: dict[str, Any]) -> None:
        """A bulk import is valid, and far from what one profile may weigh."""
        raw = payloads.bulk_profiles([payloads.encode(TELLER.profile(_recipient(**has)))])
        _holds(ProfileImportJobCreateQuery, json.loads(raw))
        assert len(raw) < 2_000

    @pytest.mark.parametrize("has", [{}, FULL], ids=["little", "everything"])
    def test_one(self, has: dict[str, Any]) -> None:
        """So is the writing of one profile."""
        _holds(ProfileUpsertQuery, {"data": TELLER.profile(_recipient(**has))})

    def test_unset(self) -> None:
        """What a member does not have (any more) is named to be taken off, and nothing is both set and taken off."""
        profile = TELLER.profile(_recipient())
        unset = set(profile["meta"]["patch_properties"]["unset"])
        assert "Laurel Tier" in unset
        assert unset | set(profile["attributes"]["properties"]) == set(OURS.properties)
        assert not unset & set(profile["attributes"]["properties"])
        assert "meta" not in TELLER.profile(_recipient(**FULL))

    def test_forget(self) -> None:
        """Forgetting unsets every property of ours and writes none."""
        body = payloads.forget(OURS, "01GDDKASAP8TKDDA2GRZDSVP4H")
        _holds(ProfilePartialUpdateQuery, body)
        assert set(body["data"]["meta"]["patch_properties"]["unset"]) == set(OURS.properties)
        assert body["data"]["attributes"] == {}

    def test_subscribes_nobody(self) -> None:
        """No body ever speaks of consent: that is the merchant's."""
        sent = payloads.bulk_profiles([payloads.encode(TELLER.profile(_recipient(None, None)))])
        assert b"subscri" not in sent
        assert b"consent" not in sent


class TestWebhooks:
    """The review webhook."""

    def test_create(self) -> None:
        """The registration is valid, with a secret that is long enough."""
        config = KlaviyoConfig(app_url="https://laurel.fernandfig.shop")
        url = f"{config.app_url}/webhooks/klaviyo/abc"
        _holds(
            WebhookCreateQuery, payloads.webhook(payloads.webhook_name("abc"), url, "s" * 43, WEBHOOK_TOPICS)
        )

    def test_change(self) -> None:
        """So is switching it on."""
        _holds(
            WebhookPartialUpdateQuery,
            payloads.webhook_change("w1", "https://app.fernandfig.shop/webhooks/klaviyo/abc", WEBHOOK_TOPICS),
        )


class TestPinned:
    """The revision."""

    def test_same_as_sdk(self) -> None:
        """The models that these bodies are held against are those of the revision that we pin."""
        from klaviyo_api.wrapper import KlaviyoAPI

        with_key = KlaviyoAPI("pk_not_a_key")
        headers = with_key.api_client.default_headers
        assert headers["revision"] == KlaviyoConfig(app_url="https://x").revision
