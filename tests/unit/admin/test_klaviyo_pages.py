"""The Klaviyo pages: connecting, status, the sync, the whole log and the reviews."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlmodel import col, select
from werkzeug.test import TestResponse

from loyalty import outbox
from loyalty.models import KlaviyoConnection, OutboxMessage, Run
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, Bell, Door, make_app
from tests.shop_story import Story, email_of


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.get_data(as_text=True).split())


def metrics_in(page: str) -> list[str]:
    return re.findall(r'<s-link id="event-\d+"[^>]*>([^<]*)</s-link>', page)


def told(answer: TestResponse) -> dict[str, Any]:
    """What a script is answered."""
    assert answer.json is not None
    return dict(answer.json)


class TestConnect:
    @pytest.mark.acceptance("S0-01", "S0-02", "S1-02", "S4-08", "S4-10")
    def test_offered(self, client: FlaskClient, bare: Story) -> None:
        """Before the link the page offers to connect, and says what Klaviyo will be told."""
        page = text_of(client, "/klaviyo")

        assert 'data-post="/klaviyo/connect">Connect to Klaviyo<' in page
        assert "Owner, Admin or Manager" in page
        assert "Joined Program, Points Earned" in page
        assert '<s-link href="/klaviyo">Klaviyo</s-link>' in page

    @pytest.mark.acceptance("S0-03")
    def test_private_key(self, client: FlaskClient, bare: Story) -> None:
        """The second road is a private key, in a field that hides it."""
        page = text_of(client, "/klaviyo")

        assert '<s-password-field name="key" label="Private API key"' in page
        assert 'action="/klaviyo/key"' in page

    def test_without_oauth(self, runtime: Runtime, bare: Story) -> None:
        """An installation without an OAuth app offers the key alone."""
        from klaviyo_oauth.config import KlaviyoConfig

        app = make_app(runtime, Door(), klaviyo=KlaviyoConfig(app_url="https://laurel.test"))
        page = text_of(app.test_client(), "/klaviyo")

        assert "/klaviyo/connect" not in page
        assert "Use a private API key" in page

    @pytest.mark.acceptance("S3-05")
    def test_lost(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """A link that Klaviyo broke is said to be broken, with the remedy, and can be made again."""
        with runtime.transaction() as session:
            link = session.exec(select(KlaviyoConnection)).one()
            link.state, link.problem = "disconnected", "authorization_lost"
        page = text_of(client, "/klaviyo")

        assert "Klaviyo is no longer connected" in page
        assert "Connect again; what happened meanwhile is kept" in page
        assert ">Reconnect to Klaviyo<" in page

    def test_ticket(self, client: FlaskClient, bare: Story) -> None:
        """Coming back with a ticket, the page finishes the connection, and does not offer to begin another one meanwhile."""
        page = text_of(client, f"/klaviyo?klaviyo_ticket={'0' * 64}.{'t' * 43}")
        assert f'name="ticket" value="{"0" * 64}.{"t" * 43}"' in page
        assert 'src="/static/admin.klaviyo.js?v=' in page
        assert 'data-post="/klaviyo/connect"' not in page
        assert "data-arrived" not in text_of(client, "/klaviyo?klaviyo_ticket=%22%3E%3Cscript%3E")

    def test_outcome(self, client: FlaskClient, story: Story) -> None:
        """Coming back from Klaviyo, the page says what came of it; an outcome that does not exist says nothing."""
        assert "You did not allow the connection" in text_of(client, "/klaviyo?klaviyo=denied")
        assert "dismissible" not in text_of(client, "/klaviyo?klaviyo=%3Cscript%3E")


@pytest.mark.acceptance("S0-18", "S0-19", "S0-24", "S3-04")
class TestStatus:
    def test_says(self, client: FlaskClient, story: Story) -> None:
        """Account, last delivery, lag, refusals and permissions, with the ways to the log and the reviews."""
        page = text_of(client, "/klaviyo")

        assert "<strong>Fern &amp; Fig</strong>" in page
        assert "24 hours ago" in page
        assert "1 message, the oldest for" in page
        assert "Some messages were refused or parked: look at the log" in page
        assert ' aria-current="page">Status</a>' in page
        assert ">Events log</a>" in page

    @pytest.mark.acceptance("S0-25", "S0-26", "S0-27")
    def test_actions(self, client: FlaskClient, story: Story) -> None:
        """Disconnect and Reset synchronization are in the menu at the top right, each with a question before it."""
        page = text_of(client, "/klaviyo")

        assert 'commandfor="klaviyo-actions">Actions<' in page
        assert ">Reset synchronization</s-button>" in page
        assert 'data-post="/klaviyo/disconnect"' in page

    @pytest.mark.acceptance("S3-61", "S4-44", "S4-46")
    def test_next_steps(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Where to go on from here: flows, segments and mails, with the tags that templates take in the dialect that is spoken."""
        page = text_of(client, "/klaviyo")
        assert "https://help.klaviyo.com/hc/en-us/articles/115005237908" in page
        assert "{{ person|lookup:&#39;Laurel Points Balance&#39;|default:&#39;0&#39; }}" in page
        assert "{{ event|lookup:&#39;points&#39;|default:&#39;0&#39; }}" in page
        with runtime.transaction() as session:
            session.exec(select(KlaviyoConnection)).one().dialects = "stamped"
        page = text_of(client, "/klaviyo")
        assert "{{ person|lookup:&#39;stamped_rewards_points&#39;|default:&#39;0&#39; }}" in page
        assert "{{ event|lookup:&#39;activity_points&#39;|default:&#39;0&#39; }}" in page
        assert "Laurel Points Balance" not in page

    @pytest.mark.acceptance("S4-39")
    def test_reviews_checklist(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """What reviews need is checked, not asked."""
        assert "Reviews have reached us." in text_of(client, "/klaviyo")

        with runtime.transaction() as session:
            link = session.exec(select(KlaviyoConnection)).one()
            link.scopes = "accounts:read events:write"
        assert "Missing: events:read, metrics:read, reviews:read." not in text_of(client, "/klaviyo")
        assert "Missing: metrics:read, reviews:read." in text_of(client, "/klaviyo")


class TestSync:
    @pytest.mark.acceptance("S4-12", "S4-13")
    def test_button(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """The button says what it may cost, begins one run and rings for it."""
        with runtime.transaction() as session:
            for run in session.exec(select(Run).where(Run.kind == "klaviyo_sync")):
                run.state, run.finished_at = "done", NOW
        assert "This may raise your Klaviyo bill." in text_of(client, "/klaviyo")
        assert told(client.post("/klaviyo/sync"))["ok"] is True
        assert told(client.post("/klaviyo/sync"))["ok"] is True

        with runtime.reading() as session:
            begun = session.exec(select(Run).where(Run.kind == "klaviyo_sync", Run.state == "queued")).one()
        assert bell.rung == [("advance_run", begun.id)] * 2

    @pytest.mark.acceptance("S0-28")
    def test_reset(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """Reset synchronization sends everything again."""
        with runtime.transaction() as session:
            for run in session.exec(select(Run).where(Run.kind == "klaviyo_sync")):
                run.state, run.finished_at = "done", NOW
        client.post("/klaviyo/reset")

        with runtime.reading() as session:
            begun = session.exec(select(Run).where(Run.state == "queued")).one()
        assert bell.rung == [("advance_run", begun.id), ("check_klaviyo", 1), ("poll_reviews", 1)]

    def test_not_connected(self, client: FlaskClient, bare: Story) -> None:
        """Without a link nothing can be synced or sent."""
        assert client.post("/klaviyo/sync").status_code == 409
        assert client.post("/klaviyo/events/retry").status_code == 409


@pytest.mark.acceptance("S0-20")
class TestLog:
    @pytest.mark.acceptance("S0-22")
    def test_whole_history(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Older pages lead to the very first message, each message once, and newer ones back again."""
        with runtime.reading() as session:
            ids = session.exec(
                select(OutboxMessage.id)
                .where(OutboxMessage.channel == "klaviyo")
                .order_by(col(OutboxMessage.id).desc())
            ).all()
        seen: list[int] = []
        address = "/klaviyo/events"
        for _ in range(10):
            page = text_of(client, address)
            seen += [int(found) for found in re.findall(r'id="event-(\d+)"', page)]
            older = re.search(r'icon="chevron-right" href="([^"]+)"', page)
            if older is None:
                break
            address = older[1].replace("&amp;", "&")

        assert seen == list(ids)
        assert len(ids) > 50
        newer = re.search(r'icon="chevron-left" href="([^"]+)"', page)
        assert newer is not None
        assert f'id="event-{ids[0]}"' in text_of(client, newer[1].replace("&amp;", "&"))

    @pytest.mark.acceptance("S0-21")
    def test_filters(self, client: FlaskClient, story: Story) -> None:
        """By metric, state and person, alone and together."""
        assert set(metrics_in(text_of(client, "/klaviyo/events?metric=points_redeemed"))) == {
            "Points Redeemed"
        }
        refused = text_of(client, "/klaviyo/events?state=refused")
        assert re.findall(r'id="event-(\d+)"', refused) == [str(story.refused_id)]
        both = text_of(client, f"/klaviyo/events?metric=joined_program&email=%20{email_of(0).upper()}")
        assert metrics_in(both) == ["Joined Program"]

    def test_dates(self, client: FlaskClient, story: Story) -> None:
        """By the shop's days, both ends included."""
        day = (NOW - timedelta(days=4)).date().isoformat()
        page = text_of(client, f"/klaviyo/events?since={day}&until={day}")

        assert metrics_in(page) == ["Points Earned", "Points Redeemed"]

    @pytest.mark.parametrize(
        ("query", "problem"),
        [
            ("email=nobody@fernandfig.shop", "No member has this e-mail address."),
            ("since=tomorrow", "Enter dates as year-month-day"),
            ("since=2026-11-02&until=2026-11-01", "The last day is before the first."),
        ],
    )
    def test_problems(self, client: FlaskClient, story: Story, query: str, problem: str) -> None:
        """A filter that makes no sense is named, and shows nothing rather than everything."""
        page = text_of(client, f"/klaviyo/events?{query}")

        assert problem in page
        assert metrics_in(page) == []

    @pytest.mark.acceptance("S0-23")
    def test_details(self, client: FlaskClient, story: Story) -> None:
        """One message with its payload, its unique id, and the answer in words."""
        page = text_of(client, f"/klaviyo/events/{story.refused_id}")

        assert "The member&#39;s e-mail address is not one that Klaviyo takes." in page
        assert "points_balance" in page
        assert "<code>laurel:" in page

    def test_taken_off(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """A message that takes properties off a profile says so, and not that it has brought one up to date. Whose it was stays sealed."""
        email = "left@fernandfig.shop"
        with runtime.transaction() as session:
            row = outbox.forgetting(runtime.cipher, story.shop_id, email, "former:1", now=NOW)
            outbox.put_many(session, [row])
        with runtime.reading() as session:
            ident = session.exec(select(OutboxMessage.id).where(OutboxMessage.kind == outbox.FORGET)).one()
        page = text_of(client, f"/klaviyo/events/{ident}")
        assert "Properties taken off" in page
        assert "an address that is nobody&#39;s any more" in page
        assert "up to date" not in page
        assert email not in page

    def test_retry(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """One message, or all that did not arrive, go again under their old unique ids."""
        with runtime.reading() as session:
            before = session.exec(select(OutboxMessage).where(OutboxMessage.id == story.refused_id)).one()
        assert told(client.post("/klaviyo/events/retry"))["message"] == "1 message is on its way again"
        assert client.post("/klaviyo/events/retry").status_code == 409

        with runtime.reading() as session:
            after = session.exec(select(OutboxMessage).where(OutboxMessage.id == story.refused_id)).one()
        assert (after.state, after.unique_id) == ("due", before.unique_id)
        assert ("drain_outbox", story.shop_id, "klaviyo") in bell.rung
        assert client.post("/klaviyo/events/987654/retry").status_code == 409


class TestReviews:
    def test_reasons(self, client: FlaskClient, story: Story) -> None:
        """Each review says what it earned, or why nothing."""
        page = text_of(client, "/klaviyo/reviews")

        assert "Earned its points." in page
        assert "Waits until somebody with this e-mail address has an account" in page
        assert "Klaviyo has not verified that the author bought the product." in page

    def test_by_state(self, client: FlaskClient, story: Story) -> None:
        """Those that wait can be looked at alone."""
        page = text_of(client, "/klaviyo/reviews?state=pending")

        assert "stranger@fernandfig.shop" in page
        assert "Earned its points." not in page
