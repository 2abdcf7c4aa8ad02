"""The page about the names at Klaviyo: what it shows, what choosing does, and test events."""

import html
import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlmodel import col, select

from klaviyo_oauth.dialects import DIALECTS
from loyalty.models import KlaviyoConnection, OutboxMessage, Run
from loyalty.runs import OPEN
from loyalty.runtime import Runtime
from tests.merchant_pages import Bell
from tests.shop_story import Story, email_of
from tests.unit.admin.test_klaviyo_pages import text_of, told


def link_of(runtime: Runtime) -> KlaviyoConnection:
    with runtime.reading() as session:
        return session.exec(select(KlaviyoConnection)).one()


def change(runtime: Runtime, **details: object) -> None:
    with runtime.transaction() as session:
        row = session.exec(select(KlaviyoConnection)).one()
        row.details = {**row.details, **details}


class TestPreview:
    """Every name, before anything is chosen."""

    def test_all_names(self, client: FlaskClient, story: Story) -> None:
        """Every event and every property of every dialect is on the page, with what it says and of what type it is."""
        page = html.unescape(text_of(client, "/klaviyo/dialects"))
        cells = set(re.findall(r"<s-table-cell>([^<]*)</s-table-cell>", page))
        for dialect in DIALECTS.values():
            assert {metric.name for metric in dialect.metrics} <= cells
            assert set(dialect.properties) <= cells
            assert all(note in page for note in dialect.notes)
        assert "Points Earned (way nps)" in cells
        assert (
            "Points Adjusted (sign -, source order)" in cells
            or "Points Adjusted (source order, sign -)" in cells
        )
        assert "activity_points, activity_title, coupon_code, stamped_rewards_points" in cells
        assert "stamped__tier_downgrade_date" in cells
        assert any(cell.startswith("points_balance, ") and "activity_points" in cell for cell in cells)

    def test_explained(self, client: FlaskClient, story: Story) -> None:
        """It says what instead and beside mean, and which dialect is spoken."""
        page = text_of(client, "/klaviyo/dialects")
        assert "Instead of ours:" in page
        assert "Beside ours:" in page
        assert '<s-choice value="laurel" selected>' in page
        assert '<s-choice value="smile">' in page

    def test_not_connected(self, client: FlaskClient, bare: Story) -> None:
        """Without a link the names can be read and nothing can be chosen."""
        page = text_of(client, "/klaviyo/dialects")
        assert "dialects-form" not in page
        assert "earnSocialFollowInstagram" in page

    @pytest.mark.acceptance("S0-19")
    def test_way_there(self, client: FlaskClient, story: Story) -> None:
        """The other Klaviyo pages lead there."""
        assert re.search(r'<a class="l-tab" href="/klaviyo/dialects[?"]', text_of(client, "/klaviyo"))


class TestChoosing:
    """Saving the form."""

    def test_chosen(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """Two dialects are kept, the profiles are written anew, and the page and the log know the new names."""
        change(runtime, synced_at="2026-11-01T00:00:00+00:00", needs_sync=None)
        answer = client.post("/klaviyo/dialects", data={"dialects": ["smile", "laurel"]})
        assert answer.status_code == 200
        assert "profiles are being written anew" in told(answer)["message"]
        assert link_of(runtime).dialects == "laurel smile"
        with runtime.reading() as session:
            (run,) = session.exec(
                select(Run).where(Run.kind == "klaviyo_sync", col(Run.state).in_(OPEN))
            ).all()
        assert bell.rung == [("advance_run", run.id)]
        assert '<s-choice value="smile" selected>' in text_of(client, "/klaviyo/dialects")
        assert '<s-option value="VIP Tier Achieved">' in text_of(client, "/klaviyo/events")

    def test_before_the_first_sync(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Profiles are not made before the merchant wants them."""
        change(runtime, needs_sync="first")
        answer = client.post("/klaviyo/dialects", data={"dialects": ["smile"]})
        assert told(answer)["message"] == "Events are told so from now on"

    @pytest.mark.parametrize("data", [{}, {"dialects": ["klingon"]}])
    def test_nothing(
        self, client: FlaskClient, story: Story, runtime: Runtime, data: dict[str, list[str]]
    ) -> None:
        """At least one dialect has to be spoken."""
        answer = client.post("/klaviyo/dialects", data=data)
        assert (answer.status_code, told(answer)["message"]) == (422, "Choose at least one dialect.")
        assert link_of(runtime).dialects == "laurel"

    def test_unchanged(self, client: FlaskClient, story: Story, bell: Bell) -> None:
        """Saving what there is begins nothing."""
        assert (
            told(client.post("/klaviyo/dialects", data={"dialects": ["laurel"]}))["message"]
            == "Nothing has changed"
        )
        assert bell.rung == []

    def test_not_connected(self, client: FlaskClient, bare: Story) -> None:
        """There is nobody to tell."""
        assert client.post("/klaviyo/dialects", data={"dialects": ["smile"]}).status_code == 409
        assert client.post("/klaviyo/dialects/test", data={"email": "a@fernandfig.shop"}).status_code == 409


class TestLog:
    """The log when more than one name is told."""

    def _tell(self, runtime: Runtime, told_names: str) -> int:
        with runtime.transaction() as session:
            row = session.exec(
                select(OutboxMessage).where(
                    OutboxMessage.kind == "points_earned", OutboxMessage.state == "delivered"
                )
            ).first()
            assert row is not None
            row.told = told_names
            return row.id or 0

    @pytest.mark.acceptance("S0-21", "S0-23")
    def test_names(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """A message shows every name under which it was told, and is found by each of them, not by a part of one."""
        ident = self._tell(runtime, "Points Earned\nPoints Earned on Order\nearnOrderNew")
        page = text_of(client, "/klaviyo/events?metric=earnOrderNew")
        assert re.findall(r'id="event-(\d+)"', page) == [str(ident)]
        assert "Points Earned, Points Earned on Order, earnOrderNew" in page
        assert re.findall(r'id="event-(\d+)"', text_of(client, "/klaviyo/events?metric=earnReview")) == []
        assert "earnOrderNew" in text_of(client, f"/klaviyo/events/{ident}")

    def test_waiting(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """What still waits, or was refused, is found by the name that it would be told under, by what it says and not by its kind alone."""
        idents: dict[str, int] = {}
        with runtime.transaction() as session:
            link = session.exec(select(KlaviyoConnection)).one()
            link.dialects = "stamped beans"
            for name, kind, payload in (
                ("order", "points_earned", {"way": "order", "points": 5}),
                ("review", "points_earned", {"way": "review", "points": 5}),
                ("less", "points_adjusted", {"points": -5}),
                ("more", "points_adjusted", {"points": 5}),
            ):
                row = OutboxMessage(
                    shop_id=story.shop_id,
                    channel="klaviyo",
                    kind=kind,
                    unique_id=name,
                    payload=payload,
                    state="refused",
                    **dict.fromkeys(("occurred_at", "due_at", "created_at"), datetime.now(UTC)),
                )
                session.add(row)
                session.flush()
                idents[name] = row.id or 0

        def found(metric: str) -> set[int]:
            page = text_of(client, f"/klaviyo/events?state=refused&metric={metric}")
            shown = {int(ident) for ident in re.findall(r'id="event-(\d+)"', page)}
            return shown & set(idents.values())

        assert found("earnOrderNew") == {idents["order"]}
        assert found("Beans points credited") == {idents[name] for name in ("order", "review", "more")}
        assert found("Beans points debited") == {idents["less"]}
        assert found("EarnAccountBirthday") == set()

    def test_profile_only(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """What no chosen dialect had a name for is said to have changed the profile alone."""
        ident = self._tell(runtime, "")
        assert "Profile only" in text_of(client, f"/klaviyo/events/{ident}")

    def test_words_of_each(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """The page of a message shows what it says under each of its names."""
        client.post("/klaviyo/dialects", data={"dialects": ["laurel", "beans"]})
        ident = self._tell(runtime, "Points Earned\nBeans points credited")
        page = html.unescape(text_of(client, f"/klaviyo/events/{ident}"))
        assert "<h3>Points Earned</h3>" in page
        assert "<h3>Beans points credited</h3>" in page
        assert '"Beans Transaction Sign": "+"' in page


class TestTestEvents:
    """The button for test events."""

    @pytest.mark.acceptance("S4-45")
    def test_sent(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """A message waits for the address, which is not to be read in it."""
        answer = client.post("/klaviyo/dialects/test", data={"email": " Owner@FernAndFig.shop "})
        assert "on their way" in told(answer)["message"]
        with runtime.reading() as session:
            (row,) = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "sample_events")).all()
        assert "owner" not in str(row.payload).lower()
        assert row.backfill is True
        assert bell.rung
        assert "Test events" in text_of(client, "/klaviyo/events")

    def test_member(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """For a member the message names the member, and keeps no address at all."""
        client.post("/klaviyo/dialects/test", data={"email": email_of(0)})
        with runtime.reading() as session:
            (row,) = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "sample_events")).all()
        assert (row.payload, row.member_id is not None) == ({}, True)

    @pytest.mark.parametrize("email", ["", "nonsense", "me@example.com"])
    def test_bad_address(self, client: FlaskClient, story: Story, email: str) -> None:
        """A mistake is shown at its field."""
        answer = client.post("/klaviyo/dialects/test", data={"email": email})
        assert answer.status_code == 422
        assert "email" in told(answer)["errors"]
