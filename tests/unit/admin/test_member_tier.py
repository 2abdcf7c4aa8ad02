"""A member's tier on the merchant's pages: shown, given by hand, taken back."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.models import Member, Shop
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, Bell
from tests.shop_story import Story

TIERS = {
    "metric": "spent",
    "window": "lifetime",
    "ladder": [
        {"key": "silver", "title": "Silver <3", "threshold": "100"},
        {"key": "gold", "title": "Gold", "threshold": "50000", "entry": {"points": 10}},
    ],
}


@pytest.fixture(name="member_id")
def _member_id(story: Story, runtime: Runtime) -> int:
    """A member of the story, in a shop with tiers."""
    with runtime.transaction() as session:
        document = DEFAULT_DOCUMENT | {"tiers": TIERS, "timezone": "America/New_York"}
        programs.apply(session, story.shop_id, document, author="test", now=NOW)
    return story.member_ids[0]


def row(runtime: Runtime, member_id: int) -> Member:
    """The member's row."""
    with runtime.reading() as session:
        return session.get_one(Member, member_id)


class TestTier:
    """``POST /members/<id>/tier``."""

    def test_given(
        self, client: FlaskClient, member_id: int, runtime: Runtime, bell: Bell, story: Story
    ) -> None:
        """The tier holds to the end of the last day, the page says so, and Klaviyo is told."""
        answer = client.post(f"/members/{member_id}/tier", data={"tier": "gold", "until": "2026-12-31"})
        found = row(runtime, member_id)
        page = client.get(f"/members/{member_id}").text

        assert answer.json["ok"]
        assert (found.tier, found.hand_tier_until) == ("gold", datetime(2027, 1, 1, 5, tzinfo=UTC))
        assert found.hand_tier_by == "Staff member 81001"
        assert re.search(r"given by hand until [^<]{5,25} by Staff member 81001", page)
        assert ("drain_outbox", story.shop_id, "klaviyo") in bell.rung

    def test_last_day(self, client: FlaskClient, member_id: int) -> None:
        """The form shows the last day that was given, so saving it again does not make the tier one for ever."""
        client.post(f"/members/{member_id}/tier", data={"tier": "gold", "until": "2026-12-31"})
        page = client.get(f"/members/{member_id}").text

        assert 'label="Last day" details="For ever, when this is empty" value="2026-12-31"' in page
        assert "given by hand until Dec 31, 2026 by" in page

    def test_for_ever(self, client: FlaskClient, member_id: int, runtime: Runtime) -> None:
        """Without a last day it holds for ever; choosing what was reached ends it."""
        client.post(f"/members/{member_id}/tier", data={"tier": "gold", "until": ""})
        assert (row(runtime, member_id).hand_tier, row(runtime, member_id).hand_tier_until) == ("gold", None)
        client.post(f"/members/{member_id}/tier", data={"tier": ""})
        found = row(runtime, member_id)
        assert (found.hand_tier, found.hand_tier_by) == (None, None)
        assert found.tier != "gold"

    @pytest.mark.parametrize(
        ("form", "field"),
        [
            ({"tier": "lead"}, "tier"),
            ({"tier": "gold", "until": "soon"}, "until"),
            ({"tier": "gold", "until": "9999-12-31"}, "until"),
            ({"tier": "gold", "until": (NOW - timedelta(days=2)).date().isoformat()}, "until"),
        ],
    )
    def test_mistakes(
        self, client: FlaskClient, member_id: int, runtime: Runtime, form: dict[str, str], field: str
    ) -> None:
        """What cannot be is said at its field, and changes nothing."""
        answer = client.post(f"/members/{member_id}/tier", data=form)

        assert answer.status_code == 422
        assert list(answer.json["errors"]) == [field]
        assert row(runtime, member_id).hand_tier is None

    def test_of_another(self, client: FlaskClient, member_id: int, runtime: Runtime) -> None:
        """Nobody of another shop is found."""
        with runtime.transaction() as session:
            other = Shop(domain="other.myshopify.com", first_installed_at=NOW, installed_at=NOW)
            session.add(other)
            session.flush()
            stranger = Member(shop_id=other.id, created_at=NOW, updated_at=NOW)
            session.add(stranger)
            session.flush()
            stranger_id = stranger.id
        assert client.post(f"/members/{stranger_id}/tier", data={"tier": "gold"}).status_code == 404

    def test_shown(self, client: FlaskClient, member_id: int) -> None:
        """The page offers the tiers, whatever they are called; without tiers it does not."""
        page = client.get(f"/members/{member_id}").text
        assert 'id="tier-form"' in page
        assert "Silver &lt;3" in page
