"""What Klaviyo says of a review's pictures and videos."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from klaviyo_oauth.review_facts import REVIEW_TOPIC, SUBMITTED_REVIEW, translate, trimmed
from loyalty.core.facts import ReviewSeen

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
REVIEW_ID = "ab" * 16


def heard(topic: str, body: dict[str, Any]) -> ReviewSeen:
    """The fact of a message."""
    message = SimpleNamespace(topic=topic, body=json.dumps(body).encode(), received_at=AT)
    (fact,) = translate(message)
    assert isinstance(fact, ReviewSeen)
    return fact


def told(**properties: Any) -> ReviewSeen:
    """The fact of a webhook's event."""
    event = {"review_id": REVIEW_ID, "review_email": "iris@fernandfig.shop", "review_verified": True}
    attributes = {"timestamp": 1_700_503_941, "event_properties": event | properties}
    return heard(SUBMITTED_REVIEW, {"payload": {"data": {"attributes": attributes}}})


def asked_for(**attributes: Any) -> ReviewSeen:
    """The fact of a review that was read from the API."""
    known = {"review_type": "review", "rating": 5, "verified": True, "created": "2026-11-20T10:00:00Z"}
    return heard(REVIEW_TOPIC, trimmed({"id": REVIEW_ID, "attributes": known | attributes}))


@pytest.mark.acceptance("S4-42")
class TestVideo:
    @pytest.mark.parametrize(
        ("properties", "media", "video"),
        [
            ({"review_has_media": True, "review_images": []}, True, True),
            ({"review_has_media": True, "review_images": ["https://cdn.test/a.jpg"]}, True, False),
            ({"review_has_media": True, "review_images": ["https://cdn.test/a.MP4?x=1"]}, True, True),
            ({"review_has_media": True}, True, False),
            ({"review_has_media": False, "review_images": []}, False, False),
            ({}, False, False),
        ],
    )
    def test_event(self, properties: dict[str, Any], media: bool, video: bool) -> None:
        """Media without a picture is a video, and so is a picture that moves; what is not told is not taken for one."""
        fact = told(**properties)
        assert (fact.has_media, fact.has_video) == (media, video)

    @pytest.mark.parametrize(
        ("attributes", "media", "video"),
        [
            ({"images": []}, False, False),
            ({"images": ["https://cdn.test/a.jpg"]}, True, False),
            ({"images": ["https://cdn.test/a.webm"]}, True, True),
            ({"images": [], "videos": ["https://cdn.test/stream"]}, True, True),
            ({"images": "https://cdn.test/a.mp4"}, True, False),
        ],
    )
    def test_review(self, attributes: dict[str, Any], media: bool, video: bool) -> None:
        """A review that was asked for keeps what it shows through its way over the inbox."""
        fact = asked_for(**attributes)
        assert (fact.has_media, fact.has_video) == (media, video)
