"""``flask referrals``, as support runs it."""

import json
from datetime import timedelta

import pytest

from loyalty import programs, referrals
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.referrals import own_code
from loyalty.database import transaction
from loyalty.models import Member, Shop
from loyalty.points import settle_accounts
from tests.merchant_pages import NOW
from tests.shop_story import tell_story

DOCUMENT = DEFAULT_DOCUMENT | {
    "rewards": [
        *DEFAULT_DOCUMENT["rewards"],
        {"key": "ten_off", "title": "$10 off", "listed": False, "amount": "10.00"},
    ],
    "referrals": {"friend": "ten_off", "advocate": {"points": 500}},
}


@pytest.fixture(name="run")
def _run(sqlite_engine, open_app, tmp_path):
    """Run a command for a shop whose first member brought two friends and herself; the second friend was blocked by staff."""
    with transaction(sqlite_engine) as session:
        story = tell_story(session, now=NOW)
        shop = session.get_one(Shop, story.shop_id)
        programs.apply(session, story.shop_id, DOCUMENT, author="t", now=NOW - timedelta(days=1))
        member_id = story.member_ids[0]
        own = session.get_one(Member, member_id).email
        assert own is not None
        for key, address in enumerate(
            ("wes@fernandfig.shop", "ida@fernandfig.shop", own.replace("@", "+x@"))
        ):
            fact = referrals.ReferralClaimed(str(key), own_code(member_id), address, NOW)
            claimed, *_ = referrals.claim(session, shop, fact, now=NOW)
            if key == 1:
                referrals.rule(
                    session, shop, settle_accounts, claimed.id, "blocked", staff="Staff member 7", now=NOW
                )
    app = open_app()

    def run(*words):
        return app.test_cli_runner().invoke(args=["referrals", *words, "--shop", "fern-and-fig"])

    return run


def listed(told):
    """The rows of an answer in JSON."""
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


class TestList:
    def test_states_and_reasons(self, run):
        """Each with its state and why, the newest first, for programs and for people."""
        rows = listed(run("list", "--json"))
        assert [(row["state"], row["reason"], row["ruling"]) for row in rows] == [
            ("blocked", "self", None),
            ("blocked", "staff", "blocked"),
            ("claimed", None, None),
        ]
        assert [row["friend"] for row in rows[1:]] == ["ida@fernandfig.shop", "wes@fernandfig.shop"]
        told = run("list").stdout
        assert all(word in told for word in ("wes@fernandfig.shop", "staff", "claimed"))

    def test_one_state(self, run):
        """One state alone; a word that is none is refused."""
        assert [row["state"] for row in listed(run("list", "--json", "--state", "claimed"))] == ["claimed"]
        assert run("list", "--state", "completed").stdout.strip() == "Nothing to show."
        assert run("list", "--state", "rubbish").exit_code == 2

    def test_pages(self, run):
        """A page ends with how to read the next one, and the pages together are all of them, once."""
        everybody = [row["referral"] for row in listed(run("list", "--json"))]
        assert f"More: --before {everybody[1]}" in run("list", "--limit", "2").stdout
        rest = run("list", "--limit", "2", "--before", str(everybody[1]))
        assert "More:" not in rest.stdout
        found = listed(run("list", "--json", "--before", str(everybody[1])))
        assert [row["referral"] for row in found] == everybody[2:]


class TestShow:
    def test_checks(self, run):
        """What every check found and whether it blocks, in words and as a program reads it."""
        (number,) = (row["referral"] for row in listed(run("list", "--json")) if row["reason"] == "self")
        found = listed(run("show", str(number), "--json"))
        assert found["meaning"] == "The member refers themselves"
        by_name = {each["check"]: each for each in found["checks"]}
        assert by_name["self"] == {
            "check": "self",
            "text": "One and the same person",
            "result": "failed",
            "blocks": True,
        }
        assert by_name["device"]["result"] == "unknown"
        told = run("show", str(number)).stdout
        assert "One and the same person" in told
        assert "Devices not compared: none is known of the friend" in told

    def test_ruling(self, run):
        """What staff said, who, and when."""
        (number,) = (row["referral"] for row in listed(run("list", "--json")) if row["ruling"])
        found = listed(run("show", str(number), "--json"))
        assert (found["ruling"], found["ruled_by"]) == ("blocked", "Staff member 7")
        assert found["ruled_at"].startswith(NOW.date().isoformat())

    @pytest.mark.parametrize(("number", "code"), [("999", 1), ("x", 2), (str(2**70), 2)])
    def test_unknown(self, run, number, code):
        """What is not there is said in a line."""
        told = run("show", number)
        assert told.exit_code == code
        assert "Traceback" not in told.output
