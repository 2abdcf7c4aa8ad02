"""Every kind of news, from what happens in a shop to Klaviyo's own record of it, over HTTP: once each, by either road, however often it is
sent again."""

import html
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from klaviyo_oauth.dialects import LAUREL
from loyalty import outbox
from loyalty.core import news
from loyalty.models import OutboxMessage
from tests.integration.klaviyo.conftest import World
from tests.integration.klaviyo.life import ADA, BO, Life
from tests.merchant_pages import Door, make_app

DOCS = Path(__file__).resolve().parents[3] / "docs" / "klaviyo.md"
METRICS = {metric.kind: metric.name for metric in LAUREL.metrics}


def send_all(world: World) -> None:
    """Send until nothing is due any more."""
    for _ in range(20):
        world.no_pause()
        if world.drain().messages == 0 and not _due(world):
            return
    pytest.fail("it never ends")


def _due(world: World) -> list[int | None]:
    with world.runtime.reading() as session:
        waiting = select(OutboxMessage.id).where(
            OutboxMessage.channel == "klaviyo", col(OutboxMessage.state).in_(("due", "sending"))
        )
        return list(session.exec(waiting).all())


def _told(world: World) -> list[OutboxMessage]:
    with world.runtime.reading() as session:
        return list(session.exec(select(OutboxMessage).where(OutboxMessage.channel == "klaviyo")).all())


def documented() -> dict[str, set[str]]:
    """The properties that docs/klaviyo.md names for each metric."""
    text = DOCS.read_text().partition("### Events")[2].partition("### Profile properties")[0]
    notes = {
        line.split("*")[1]: _names(line) for line in text.split("\n- ") if line.startswith(("A *", "The *"))
    }
    always = _names(next(line for line in text.split("\n- ") if line.startswith("Every event about")))
    found: dict[str, set[str]] = {}
    before: set[str] = set()
    for metric, said in re.findall(r"^\| `([^`]+)` \|[^|]*\| (.*) \|$", text, re.MULTILINE):
        names = _names(said) | (before if said.startswith("the same") else set())
        for note, more in notes.items():
            if note in said:
                names |= more
        before = names
        found[metric] = names | always
    return found


def _names(text: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", text))


@pytest.fixture(params=["single", "bulk"], scope="class")
def road(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(name="lived")
def _lived(connected: World, road: str) -> World:
    """Everything has happened, and Klaviyo was told: at once each time, or of all of it together."""
    Life(connected, (lambda: send_all(connected)) if road == "single" else (lambda: None)).play()
    send_all(connected)
    return connected


def _one(world: World, kind: str, who: Any = ADA) -> dict[str, Any]:
    """The properties of the only event of a kind that somebody was told."""
    found = [e for e in world.events(metric=METRICS[kind]) if e["email"] == who.email]
    assert len(found) == 1, (kind, found)
    return {name: value for name, value in found[0]["properties"].items() if name != "$event_id"}


class TestEveryEvent:
    """The whole table of docs/klaviyo.md."""

    @pytest.mark.acceptance(
        "S0-05",
        "S0-06",
        "S0-08",
        "S0-10",
        "S0-12",
        "S0-13",
        "S0-14",
        "S0-15",
        "S0-23",
        "S1-15",
        "S1-19",
        "S1-24",
        "S1-25",
        "S1-26",
        "S1-27",
        "S3-07",
    )
    def test_all(self, lived: World, road: str) -> None:
        """Each kind arrives under its metric, each piece of news once, and sending all of it again records nothing twice."""
        told = _told(lived)
        assert {message.state for message in told} == {"delivered"}
        assert {message.kind for message in told} == set(news.NEWS_KINDS)
        recorded = lived.events()
        assert Counter(event["metric"] for event in recorded) == Counter(
            METRICS[message.kind] for message in told
        )
        assert Counter(event["unique_id"] for event in recorded).most_common(1)[0][1] == 1
        in_bulk = bool(lived.requests_to("/api/event-bulk-create-jobs"))
        assert in_bulk is (road == "bulk")

        with lived.runtime.transaction() as session:
            ids = [message.id for message in told if message.id is not None]
            assert outbox.retry(session, lived.shop.shop_id, ids, now=lived.clock()) == len(told)
        send_all(lived)
        assert len(lived.events()) == len(told)
        self._check_types(recorded)
        self._check_documented(recorded)
        self._check_log(lived, told, recorded)
        self._check_words(lived)

    def _check_types(self, recorded: list[Any]) -> None:
        """Numbers are numbers, nothing is empty, nothing is money, and our own ids of members stay here."""
        for event in recorded:
            for name, value in event["properties"].items():
                assert value not in (None, ""), (event["metric"], name)
                if name.endswith(("points", "balance", "_left", "distance", "value", "amount")):
                    assert isinstance(value, int | float), (event["metric"], name, value)
            assert "$value" not in event["properties"]
            assert "about_member" not in event["properties"]

    def _check_documented(self, recorded: list[Any]) -> None:
        """The page says of every metric what it says, and leaves nothing out."""
        everywhere = documented()
        for event in recorded:
            said = set(event["properties"]) - {"$event_id", "$extra"}
            assert said <= everywhere[event["metric"]], (event["metric"], said - everywhere[event["metric"]])

    def _check_log(self, world: World, told: list[OutboxMessage], recorded: list[Any]) -> None:
        """The log shows of each event what Klaviyo shows of it, but for the names and addresses that only sending adds, and for the
        zeros that Klaviyo does not keep."""
        arrived = {event["unique_id"]: event["properties"] for event in recorded}
        people = {f"{side}_{what}" for side in ("advocate", "friend") for what in ("name", "email")}
        client = make_app(world.runtime, Door(world.shop.shop_id, world.shop.domain)).test_client()
        for message in told:
            page = client.get(f"/klaviyo/events/{message.id}").text
            shown = json.loads(
                html.unescape(page.partition('<pre class="l-code" tabindex="0">')[2].partition("</pre>")[0])
            )
            kept = {name: said for name, said in arrived[message.unique_id].items() if name not in people}
            shown = {name: said for name, said in shown.items() if said is False or said != 0}
            assert shown == {name: said for name, said in kept.items() if name != "$event_id"}, message.kind

    def _check_words(self, world: World) -> None:
        """What merchants build on is in each of them."""
        redeemed = [e["properties"] for e in world.events(metric="Points Redeemed")]
        assert {event["coupon_code"] for event in redeemed} == {"FIRST", "SECOND", "THIRD"}
        assert {(e["activity_title"], e["activity_points"], e["points_text"]) for e in redeemed} == {
            ("$5 off", 50, "50 leaves")
        }
        used = _one(world, news.REWARD_USED)
        assert (used["coupon_code"], used["order_name"], used["activity_title"]) == (
            "FIRST",
            "#1002",
            "$5 off",
        )
        assert _one(world, news.REWARD_CANCELLED)["coupon_code"] == "SECOND"
        assert _one(world, news.REWARD_EXPIRING)["coupon_code"] == "THIRD"
        expired = _one(world, news.REWARD_EXPIRED)
        assert (expired["coupon_code"], bool(expired["coupon_created_at"])) == ("THIRD", True)
        assert _one(world, news.BIRTHDAY_SET)["birthday"] == "02-09"
        changes = {e["properties"]["change"]: e["properties"] for e in world.events(metric="Tier Changed")}
        assert set(changes) == {"entered", "left"}
        assert (changes["entered"]["tier"], changes["entered"]["tier_title"]) == ("gold", "Gold Leaf")
        assert changes["entered"]["reason"] == "Reached 100 spent"
        assert changes["left"]["previous_tier_title"] == "Gold Leaf"
        assert _one(world, news.REWARD_GIVEN)["given_for"] == "tier"
        gone = _one(world, news.EXPIRED)
        assert gone["points_expired"] > 0
        assert gone["last_activity_at"]
        assert {e["properties"]["which"] for e in world.events(metric="Points Expiring")} == {
            "warning",
            "last_chance",
        }
        for kind, who in (
            (news.REFERRAL_SHARED, ADA),
            (news.REFERRAL_RECEIVED, BO),
            (news.REFERRAL_ACCEPTED, BO),
            (news.REFERRAL_COMPLETED, ADA),
        ):
            said = _one(world, kind, who)
            assert (said["advocate_email"], said["friend_email"]) == (ADA.email, BO.email)
            assert said["referral_link"].endswith(said["referral_code"])


class TestProfileAfterwards:
    """The profile at the end of that life."""

    def test_cleared(self, connected: World) -> None:
        """The tier that was left and the points that ended are not on the profile any more; what remains true is."""
        seen: list[dict[str, Any]] = []

        def look() -> None:
            send_all(connected)
            profile = connected.profile(ADA.email or "")
            seen.append(profile["properties"] if profile else {})

        Life(connected, look).play()
        assert any(shown.get("Laurel Tier") == "Gold Leaf" for shown in seen)
        assert any("THIRD" in shown.get("Laurel Rewards Ready", ()) for shown in seen)
        assert any("Laurel Points Expire At" in shown for shown in seen)
        last = seen[-1]
        assert last["Laurel Points Balance"] == 0
        assert last["Laurel Birthday"] == "02-09"
        assert last["Laurel Referral Link"].startswith("https://fern-and-fig.myshopify.com/?ref=")
        for name in ("Tier", "Tier Key", "Tier Since", "Tier Until", "Points Expire At", "Expiring Points"):
            assert f"Laurel {name}" not in last
