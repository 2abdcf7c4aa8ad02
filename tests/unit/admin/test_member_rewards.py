"""A member's rewards on the merchant's pages: shown, taken back, decided upon."""

import json
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from loyalty import programs
from loyalty.models import OrderStanding, OutboxMessage, RewardIssue, Shop
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, Bell
from tests.shop_story import Story

CANCEL = "/members/{}/rewards/issue-1/cancel"
DECIDE = "/members/{}/rewards/issue-1/decide/{}"


def change(runtime: Runtime, **values: object) -> int:
    """Let the story's reward be in some state; its member's id."""
    with runtime.transaction() as session:
        issue = session.exec(select(RewardIssue)).one()
        for name, value in values.items():
            setattr(issue, name, value)
        return issue.member_id


def waiting(runtime: Runtime) -> int:
    """Let it be store credit that nobody can tell."""
    return change(
        runtime,
        kind="store_credit",
        state="issuing",
        failure="several_credits_alike",
        code=None,
        asked_at=NOW - timedelta(hours=1),
    )


class TestCancel:
    """``POST …/cancel``."""

    def test_offered(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """The page offers to take back what is not used, and says what that does."""
        page = client.get(f"/members/{change(runtime)}").text
        assert 'id="cancel-issue-1"' in page
        assert "500 points go back to the customer" in page

    def test_done(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """The reward is being taken back, by whom is written down, and Shopify is told."""
        member_id = change(runtime)
        answer = client.post(CANCEL.format(member_id))
        with runtime.reading() as session:
            issue = session.exec(select(RewardIssue)).one()
            told = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "deactivate_code")).all()
        assert answer.json["ok"]
        assert (issue.state, issue.cancelled_by) == ("cancelling", "Staff member 81001")
        assert [message.payload for message in told] == [{"issue_id": "issue-1"}]
        assert ("drain_outbox", story.shop_id, "rewards") in bell.rung

    @pytest.mark.parametrize("state", ["used", "expired", "cancelled", "failed", "issuing"])
    def test_too_late(self, client: FlaskClient, story: Story, runtime: Runtime, state: str) -> None:
        """What cannot be taken back is not offered, and refused in words."""
        member_id = change(runtime, state=state)
        answer = client.post(CANCEL.format(member_id))
        assert answer.status_code == 409
        assert answer.json["message"].startswith("This reward")
        assert "cancel-issue-1" not in client.get(f"/members/{member_id}").text

    def test_of_another(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """A reward is only found at its own member, and in its own shop."""
        member_id = change(runtime)
        assert client.post(CANCEL.format(member_id + 1)).status_code == 404
        with runtime.transaction() as session:
            other = Shop(domain="other.myshopify.com", first_installed_at=NOW, installed_at=NOW)
            session.add(other)
            session.flush()
            assert other.id is not None
            session.exec(select(RewardIssue)).one().shop_id = other.id
        assert client.post(CANCEL.format(member_id)).status_code == 404


class TestShown:
    """The list of a member's rewards."""

    @pytest.mark.parametrize("kind", ["gift_card", "store_credit"])
    def test_given(self, client: FlaskClient, story: Story, runtime: Runtime, kind: str) -> None:
        """Money that is there is given; nothing on the page lets wait for its being used."""
        page = client.get(f"/members/{change(runtime, kind=kind, state='issued')}").text
        assert "Given</s-badge>" in page
        assert "Ready</s-badge>" not in page


class TestDecide:
    """``POST …/decide/<decision>``."""

    @pytest.mark.parametrize(
        ("decision", "state", "failure"),
        [("paid", "issued", None), ("again", "issuing", None), ("back", "failed", "given_back_by_staff")],
    )
    def test_done(self, client, story, runtime, decision, state, failure) -> None:
        """What the person says is what becomes of it, once."""
        member_id = waiting(runtime)
        first = client.post(DECIDE.format(member_id, decision))
        again = client.post(DECIDE.format(member_id, decision))
        with runtime.reading() as session:
            issue = session.exec(select(RewardIssue)).one()
        assert (first.status_code, again.status_code) == (200, 409)
        assert (issue.state, issue.failure) == (state, failure)

    def test_shown(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Home says that somebody is needed, and the member's page asks the question."""
        member_id = waiting(runtime)
        assert "1 reward waits for your decision" in client.get("/").text
        page = client.get(f"/members/{member_id}").text
        assert "Needs you" in page
        assert "several credits that look alike" in page
        assert page.count("/decide/") == 3

    def test_gift(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Of a gift that could not be made it is asked whether it is still wanted, and nobody can say that it was paid."""
        member_id = change(
            runtime, state="issuing", failure="given_up", points=0, given_for="birthday", slot="2026"
        )
        assert "1 reward waits for your decision" in client.get("/").text
        page = client.get(f"/members/{member_id}").text
        assert "Shall this still be made?" in page
        assert page.count("/decide/") == 2
        assert client.post(DECIDE.format(member_id, "paid")).status_code == 409
        assert client.post(DECIDE.format(member_id, "again")).json["ok"]

    def test_unknown(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Other words are no decision."""
        assert client.post(DECIDE.format(waiting(runtime), "perhaps")).status_code == 404


class TestAccess:
    """Rights that the offered rewards need."""

    def test_asked(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """A program with store credit asks for the right to pay it; one without does not, and one with the right neither."""
        wanted = "read_store_credit_accounts,write_store_credit_account_transactions"
        assert "data-scopes=" not in client.get("/").text
        with runtime.transaction() as session:
            document = dict(programs.document(session, story.shop_id))
            credit = {"key": "credit", "title": "$5", "kind": "store_credit", "points": 500, "amount": "5.00"}
            document["rewards"] = [*document["rewards"], credit]
            programs.apply(session, story.shop_id, json.loads(json.dumps(document)), author="test", now=NOW)
        assert f'data-scopes="{wanted}"' in client.get("/").text
        with runtime.transaction() as session:
            session.get_one(Shop, story.shop_id).scopes += "," + wanted
        assert "data-scopes=" not in client.get("/").text

    def test_old_orders(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Imports ask for older orders until the app may read them; the home page only when one of them could not be read."""
        asked = 'data-scopes="read_all_orders"'
        assert asked in client.get("/imports").text
        assert asked not in client.get("/").text
        with runtime.transaction() as session:
            orders = session.exec(select(OrderStanding).where(OrderStanding.shop_id == story.shop_id)).all()
            orders[0].unreadable = True
        assert asked in (page := client.get("/").text)
        assert "1 older order has changed that Laurel cannot read" in page
        with runtime.transaction() as session:
            session.get_one(Shop, story.shop_id).scopes += ",read_all_orders"
        assert asked not in client.get("/").text
        assert asked not in client.get("/imports").text
