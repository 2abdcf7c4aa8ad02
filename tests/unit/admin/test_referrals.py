"""The page of referrals: what became of each, every check, and the word of staff."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from loyalty import programs, referrals
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.referrals import own_code
from loyalty.models import Member, Referral, Run, Shop
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, Bell, Door
from tests.shop_story import Story

DOCUMENT = DEFAULT_DOCUMENT | {
    "rewards": [
        *DEFAULT_DOCUMENT["rewards"],
        {"key": "ten_off", "title": "$10 off", "listed": False, "amount": "10.00"},
    ],
    "referrals": {"friend": "ten_off", "advocate": {"points": 500}},
}


@pytest.fixture(name="told")
def _told(runtime: Runtime, story: Story) -> list[Referral]:
    """A referral that waits, and one that a check blocked."""
    rows = []
    with runtime.transaction() as session:
        shop = session.get_one(Shop, story.shop_id)
        programs.apply(session, story.shop_id, DOCUMENT, author="t", now=NOW - timedelta(days=1))
        member_id = story.member_ids[0]
        email = session.get_one(Member, member_id).email
        assert email is not None
        for key, address in (("one", "<i>friend</i>@fernandfig.shop"), ("two", email.replace("@", "+x@"))):
            fact = referrals.ReferralClaimed(key, own_code(member_id), address, NOW)
            rows.append(referrals.claim(session, shop, fact, now=NOW)[0])
    return rows


class TestList:
    """What the merchant sees."""

    def test_states_and_checks(self, client: FlaskClient, told: list[Referral]) -> None:
        """Each referral with its state, its reason and what every check said; nothing that was typed becomes a tag."""
        page = client.get("/referrals").text
        assert "Waiting for an order" in page
        assert "The member refers themselves" in page
        assert "<strong>One and the same person</strong>" in page
        assert "A new customer" in page
        assert "<i>friend" not in page

    def test_not_made(self, client: FlaskClient, told: list[Referral]) -> None:
        """What no check could look at is said of each, and counted in the line above them."""
        page = client.get("/referrals").text
        assert "Devices not compared: none is known of the friend" in page
        assert "Addresses not compared yet: no order of the friend&#39;s counts so far" in page
        assert "No limit to keep" in page
        assert "<summary>No check failed, 2 not made</summary>" in page
        assert "<summary>1 of 6 checks failed, 2 not made</summary>" in page

    def test_past_orders(self, client: FlaskClient, runtime: Runtime, told: list[Referral]) -> None:
        """Until past orders were imported, the page says who cannot be recognised."""
        assert "Orders from before the installation were not imported" in client.get("/referrals").text
        with runtime.transaction() as session:
            session.add(
                Run(
                    shop_id=told[0].shop_id,
                    kind="order_import",
                    state="done",
                    params={},
                    created_at=NOW,
                    due_at=NOW,
                )
            )
        assert "were not imported" not in client.get("/referrals").text

    def test_judged_long_ago(self, client: FlaskClient, runtime: Runtime, told: list[Referral]) -> None:
        """A referral of which nobody wrote down what was missing says that the check was not made."""
        with runtime.transaction() as session:
            row = session.get_one(Referral, told[0].id)
            row.checks = [
                {name: said for name, said in each.items() if name != "missing"} for each in row.checks
            ]
        page = client.get("/referrals").text
        assert "Not checked: an address is not known" in page
        assert "Not checked: a device is not known" in page

    def test_filter(self, client: FlaskClient, told: list[Referral]) -> None:
        """One state alone; what is no state means all of them."""
        assert "refers themselves" not in client.get("/referrals?state=claimed").text
        assert "refers themselves" in client.get("/referrals?state=blocked").text
        assert "No referral in this state" in client.get("/referrals?state=completed").text
        assert "refers themselves" in client.get("/referrals?state=rubbish&at=rubbish").text

    def test_none(self, client: FlaskClient, bare: Story) -> None:
        """A shop without any is told what will be here, and where to switch it on."""
        page = client.get("/referrals").text
        assert "No referral yet" in page
        assert "cannot bring friends right now" in page

    def test_other_shop(
        self, client: FlaskClient, runtime: Runtime, told: list[Referral], door: Door
    ) -> None:
        """Another shop sees none of them and decides about none of them."""
        with runtime.transaction() as session:
            other = Shop(domain="other.myshopify.com", first_installed_at=NOW, installed_at=NOW)
            session.add(other)
            session.flush()
            door.shop_id, door.domain = other.id or 0, other.domain
            programs.apply(session, door.shop_id, DEFAULT_DOCUMENT, author="t", now=NOW)
        assert "No referral yet" in client.get("/referrals").text
        assert client.post(f"/referrals/{told[1].id}/approve").status_code == 404


class TestRuling:
    """The word of staff."""

    def test_approve(self, client: FlaskClient, runtime: Runtime, told: list[Referral], bell: Bell) -> None:
        """An approved referral goes on, the friend's code is made, and the page says who approved it."""
        answer = client.post(f"/referrals/{told[1].id}/approve")
        assert answer.json["ok"] is True
        assert ("drain_outbox", told[1].shop_id, "rewards") in bell.rung
        page = client.get("/referrals").text
        assert "Approved by Staff member 81001" in page
        assert self._state(runtime, told[1]) == "claimed"

    def test_block(self, client: FlaskClient, runtime: Runtime, told: list[Referral]) -> None:
        """A blocked referral says so, and may be approved again."""
        client.post(f"/referrals/{told[0].id}/block")
        assert "Blocked by staff" in client.get("/referrals").text
        assert self._state(runtime, told[0]) == "blocked"
        client.post(f"/referrals/{told[0].id}/approve")
        assert self._state(runtime, told[0]) == "claimed"

    @pytest.mark.parametrize(
        "path", ["/referrals/999/approve", "/referrals/1/forgive", f"/referrals/{2**70}/block"]
    )
    def test_unknown(self, client: FlaskClient, told: list[Referral], path: str) -> None:
        """What is not there, or no decision, changes nothing."""
        assert client.post(path).status_code == 404

    def _state(self, runtime: Runtime, row: Referral) -> str:
        with runtime.reading() as session:
            return session.exec(select(Referral).where(Referral.id == row.id)).one().state
