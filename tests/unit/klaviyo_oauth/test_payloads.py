"""Bodies, addresses and verdicts: pure functions, by example and by property."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klaviyo_oauth import addresses, payloads, standing, verdicts
from klaviyo_oauth.answers import ApiError, NotConnected, Reply, Trouble, Wait
from klaviyo_oauth.bulk_events import Entry, parts_of
from klaviyo_oauth.bulk_profiles import parts_of as parts_of_profiles
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.connect import with_query
from klaviyo_oauth.dialects import DIALECTS, LAUREL, OURS, choice
from klaviyo_oauth.payloads import Teller
from klaviyo_oauth.review_door import parse, signature_holds
from klaviyo_oauth.sender import unsendable
from loyalty.core import news
from loyalty.core.program import PointsName
from loyalty.delivery import Delivered, Dropped, Later, Message, Recipient, Refused
from tests.unit.klaviyo_oauth import tellings

NOW = datetime(2026, 11, 22, 12, 30, 15, tzinfo=UTC)
TELLER = Teller(OURS)


def recipient(**changes: Any) -> Recipient:
    values: dict[str, Any] = {
        "member_id": 7,
        "email": "ada@fernandfig.shop",
        "customer_id": 99,
        "first_name": "Ada",
        "last_name": None,
        "state": "member",
        "balance": 0,
        "lifetime_earned": 600,
        "lifetime_spent": 600,
        "joined_at": NOW,
    }
    return Recipient(**values | changes)


def message(**changes: Any) -> Message:
    values: dict[str, Any] = {
        "id": 1,
        "shop_id": 1,
        "kind": news.EARNED,
        "unique_id": "entry-1",
        "payload": {"points": 120, "points_balance": 0, "source": "order"},
        "occurred_at": NOW,
        "backfill": False,
        "attempts": 1,
        "recipient": recipient(),
    }
    return Message(**values | changes)


class TestEvent:
    """``payloads.event``."""

    def test_shape(self) -> None:
        """The event as it happened, the profile as it is, no id of ours that Klaviyo could merge by."""
        asked = message()
        assert asked.recipient is not None
        attributes = TELLER.events(asked)[0]["data"]["attributes"]
        assert attributes["metric"]["data"]["attributes"] == {"name": "Points Earned"}
        assert attributes["time"] == "2026-11-22T12:30:15+00:00"
        assert (attributes["unique_id"], attributes["backfill"]) == ("entry-1", False)
        profile = attributes["profile"]["data"]["attributes"]
        assert set(profile) == {"email", "first_name", "properties"}
        assert profile["properties"]["Laurel Points Balance"] == 0
        assert "value" not in attributes

    def test_time_is_utc(self) -> None:
        """Whatever zone a time comes in, it is sent in UTC."""
        there = NOW.astimezone(timezone(timedelta(hours=9)))
        asked = message(occurred_at=there)
        sent = TELLER.events(asked)[0]["data"]["attributes"]
        assert sent["time"] == "2026-11-22T12:30:15+00:00"

    def test_nothing_is_nulled(self) -> None:
        """Null would clear a field at Klaviyo, so no body holds one."""
        nameless = recipient(first_name=None, joined_at=None)
        body = TELLER.events(message(payload={"points": 0, "rating": None, "note": ""}, recipient=nameless))[
            0
        ]
        assert "null" not in json.dumps(body)
        assert body["data"]["attributes"]["properties"] == {"points": 0}

    def test_every_kind(self) -> None:
        """Every kind of news of the core has a metric, and no two share one."""
        assert {metric.kind for metric in LAUREL.metrics} == set(news.NEWS_KINDS)
        assert len({metric.name for metric in LAUREL.metrics}) == len(LAUREL.metrics) == len(news.NEWS_KINDS)

    def test_member_stays_out_of_repr(self) -> None:
        """A message in a log names nobody."""
        assert "ada" not in repr(message()).lower()


class TestParts:
    """``bulk_events.parts_of``."""

    @given(st.lists(st.integers(0, 40), max_size=120))
    def test_no_repeat_and_nothing_lost(self, ids: list[int]) -> None:
        """No request names a unique id twice, and every message is in exactly one request."""
        pairs = [Entry(message(id=index, unique_id=f"u{ident}"), b"{}") for index, ident in enumerate(ids)]
        parts = list(parts_of(pairs))
        for part in parts:
            names = [entry.message.unique_id for entry in part]
            assert len(names) == len(set(names))
        assert sorted(entry.message.id for part in parts for entry in part) == list(range(len(ids)))

    def test_sizes(self) -> None:
        """Neither a thousand events nor five megabytes are exceeded."""
        pairs = [Entry(message(id=index, unique_id=str(index)), b"x" * 4_000) for index in range(2_500)]
        parts = list(parts_of(pairs))
        assert max(len(part) for part in parts) == 1_000
        assert all(len(payloads.bulk_events([entry.body for entry in part])) < 5_000_000 for part in parts)
        heavy = [Entry(message(id=index, unique_id=str(index)), b"x" * 2_000_000) for index in range(5)]
        assert [len(part) for part in parts_of(heavy)] == [2, 2, 1]


class TestSizes:
    """Klaviyo's limits are bytes, whatever a program calls things: here everything is as long as it may be, in letters of four bytes."""

    LONG = "\N{FOUR LEAF CLOVER}" * 120
    SHOP = replace(
        tellings.SHOP,
        domain=f"{'x' * 60}.myshopify.com",
        tiers={"silver": LONG, "gold": LONG},
        points_name=PointsName(LONG[:40], LONG[:40]),
    )
    CODES = tuple(f"ABCDEFGH-{number:020}" for number in range(standing.MOST_CODES))
    ADA = tellings.recipient(
        email=f"{'a' * 60}@{'b' * 33}.shop", first_name="\N{HERB}" * 255, last_name="\N{HERB}" * 255
    )
    TELLER = Teller(choice(DIALECTS), SHOP, {7: standing.Rewards(CODES, NOW)})

    def test_profile(self) -> None:
        """A profile stays far below 95 KB, also in the single road's way of writing it, which needs more bytes."""
        profile = self.TELLER.profile(self.ADA)
        assert len(profile["attributes"]["email"]) == addresses.LONGEST
        assert addresses.problem(self.ADA.email) is None
        assert not profile.get("meta")
        assert 5_000 < len(payloads.encode(profile)) < len(json.dumps(profile)) < 95_000

    @pytest.mark.parametrize("kind", sorted(news.NEWS_KINDS))
    def test_single(self, kind: str) -> None:
        """So does an event with it, and no text in it comes near 100 KB."""
        payload = {
            "points": 120,
            "reason": self.LONG,
            "reward_title": self.LONG,
            "way": "order",
            "direction": "up",
        }
        bodies = self.TELLER.events(message(kind=kind, payload=payload, recipient=self.ADA, about=self.ADA))
        assert bodies
        assert all(len(json.dumps(body)) < 95_000 for body in bodies)

    def test_sync(self) -> None:
        """A full batch of the heaviest profiles is cut into import jobs of five megabytes at most, full ones but for the last, and nobody is
        left out."""
        entry = payloads.encode(self.TELLER.profile(self.ADA))
        parts = list(parts_of_profiles([(number, entry) for number in range(payloads.MOST_PROFILES)]))
        sizes = [len(payloads.bulk_profiles([body for _, body in part])) for part in parts]
        assert max(sizes) <= 5_000_000
        assert min(sizes[:-1]) > 4_800_000
        assert [id_ for part in parts for id_, _ in part] == list(range(payloads.MOST_PROFILES))

    def test_bulk(self) -> None:
        """So are events in bulk."""
        words = {"points": 120, "reason": self.LONG, "way": "order", "source": "order"}
        entries = [
            Entry(asked, self.TELLER.bulk_entry(asked), self.TELLER.choice.names(asked))
            for asked in (
                message(id=number, unique_id=f"u{number}", payload=words, recipient=self.ADA)
                for number in range(600)
            )
        ]
        parts = list(parts_of(entries))
        sizes = [len(payloads.bulk_events([entry.body for entry in part])) for part in parts]
        assert len(parts) > 1
        assert max(sizes) <= 5_000_000
        assert all(sum(len(entry.told) for entry in part) <= payloads.MOST_EVENTS for part in parts)
        assert [entry.message.id for part in parts for entry in part] == list(range(600))


class TestAddresses:
    """``addresses.problem``."""

    @pytest.mark.parametrize(
        ("email", "expected"),
        [
            ("ada@fernandfig.shop", None),
            ("ada.lovelace+points@mail.fernandfig.co", None),
            ("o'hara@fernandfig.shop", None),
            ("ada@fernandfig.museum", None),
            (None, "no_email"),
            ("", "no_email"),
            ("ada", "invalid_email"),
            ("ada@", "invalid_email"),
            ("ada@localhost", "invalid_email"),
            ("ada@fern..shop", "invalid_email"),
            ("a da@fernandfig.shop", "invalid_email"),
            (".ada@fernandfig.shop", "invalid_email"),
            ("ada@-fern.shop", "invalid_email"),
            ("adä@fernandfig.shop", "invalid_email"),
            ("ada@fernandfig.shop\n", "invalid_email"),
            (f"{'a' * 65}@fernandfig.shop", "invalid_email"),
            (f"{'a' * 60}@{'b' * 50}.shop", "email_too_long"),
            ("ada@example.com", "test_address"),
            ("ada@test.com", "test_address"),
        ],
    )
    def test_examples(self, email: str | None, expected: str | None) -> None:
        """What Klaviyo takes passes; everything else has its reason."""
        assert addresses.problem(email) == expected

    @given(st.text(max_size=120))
    def test_any_text(self, text: str) -> None:
        """Any text at all gets an answer, and what passes is plain ASCII with one @."""
        if addresses.problem(text) is None:
            assert text.isascii()
            assert text.count("@") == 1


class TestUnsendable:
    """``sender.unsendable``."""

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, None),
            ({"recipient": None}, Dropped("no_recipient")),
            ({"recipient": recipient(state="redacted")}, Dropped("no_recipient")),
            ({"recipient": recipient(email=None)}, Dropped("no_email")),
            ({"recipient": recipient(email="nonsense")}, Refused("invalid_email")),
            ({"kind": "unheard_of"}, Refused("unknown kind of news: unheard_of")),
        ],
    )
    def test_reasons(self, changes: dict[str, Any], expected: object) -> None:
        """Whoever cannot be told is dropped, what is wrong is refused, the rest goes."""
        assert unsendable(message(**changes)) == expected


class TestVerdicts:
    """``verdicts.outcome``: the one place where answers become outcomes."""

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (Reply(202), Delivered(202)),
            (Reply(400, errors=(ApiError(400, "invalid"),)), Refused("invalid", 400)),
            (Reply(413), Refused("HTTP 413", 413)),
            (Reply(403), Later(300, "forbidden: HTTP 403", 403, counts=False)),
            (Reply(404), Later(300, "HTTP 404", 404, counts=False)),
            (Reply(410), Later(300, "HTTP 410", 410, counts=False)),
            (Reply(409), Later(2, "HTTP 409", 409)),
            (Reply(500), Later(16, "HTTP 500", 500)),
            (Wait(7, "rate_limit"), Later(7, "rate_limit", counts=False)),
            (Trouble(9, "timeout"), Later(9, "timeout", counts=False)),
            (NotConnected(None), Dropped("not_connected")),
            (NotConnected("key_rejected"), Later(300, "disconnected: key_rejected", counts=False)),
        ],
    )
    def test_table(self, answer: Any, expected: object) -> None:
        """Only a verdict on the message itself refuses it or counts against it."""
        assert verdicts.outcome(answer, attempts=3) == expected

    def test_backoff(self) -> None:
        """Server errors double the wait, up to an hour."""
        waits = [verdicts.outcome(Reply(500), attempts=n) for n in (1, 2, 3, 50)]
        assert [x.seconds for x in waits if isinstance(x, Later)] == [4, 8, 16, 3_600]


class TestSignature:
    """The webhook door's check."""

    SECRET = "klaviyo-test-secret"
    STAMP = "Thu, 04 Jan 2024 18:05:25 GMT"
    BODY = (
        b'{"data":[{"external_id":"4L3cwQae2TX","topic":"event:klaviyo.sent_sms"}],'
        b'"meta":{"klaviyo_webhook_id":"a8b890458b4bbfaa26d961471b83c101d6de23bd826e7e5173a15310985ec3cb"}}'
    )
    SIGNATURE = "5aa0e720d80b3a04ca04baf3c65cdfe31da57504af69fee8da29c35d45f0596b"

    def test_known_vector(self) -> None:
        """A delivery signed by Klaviyo's rule is genuine."""
        assert signature_holds(self.SECRET, self.BODY, self.STAMP, self.SIGNATURE)

    @pytest.mark.parametrize(
        ("secret", "body", "stamp", "signature"),
        [
            ("", BODY, STAMP, SIGNATURE),
            (SECRET, BODY + b" ", STAMP, SIGNATURE),
            (SECRET, BODY, "Thu, 04 Jan 2024 18:05:26 GMT", SIGNATURE),
            (SECRET, BODY, "", SIGNATURE),
            (SECRET, BODY, STAMP, ""),
            (SECRET, BODY, STAMP, "sïgnature"),
            ("another secret", BODY, STAMP, SIGNATURE),
        ],
    )
    def test_anything_else(self, secret: str, body: bytes, stamp: str, signature: str) -> None:
        """One changed byte anywhere, or a missing part, and it is not."""
        assert not signature_holds(secret, body, stamp, signature)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, body: bytes) -> None:
        """Bytes that are no delivery are none, without an exception."""
        assert parse(body) is None


class TestAddressOfAdmin:
    """``connect.with_query``."""

    def test_keeps_query(self) -> None:
        """The outcome joins what the address had, and replaces an earlier one."""
        old = "https://admin.shopify.com/store/x/apps/y?a=1&klaviyo=old&klaviyo_ticket=used"
        address = with_query(old, klaviyo="connected")
        assert address == "https://admin.shopify.com/store/x/apps/y?a=1&klaviyo=connected"


class TestConfig:
    """``KlaviyoConfig``."""

    def test_secret_stays_out_of_repr(self) -> None:
        """A configuration in a log tells no secret."""
        config = KlaviyoConfig(app_url="https://x", client_id="id", client_secret="hush")
        assert "hush" not in repr(config)
        assert config.offers_oauth
        assert not KlaviyoConfig(app_url="https://x").offers_oauth

    @pytest.mark.parametrize(
        ("url", "production", "expected"),
        [
            ("https://laurel.fernandfig.shop", True, True),
            ("http://laurel.fernandfig.shop", True, False),
            ("http://laurel.fernandfig.shop", False, False),
            ("http://127.0.0.1:5000", False, True),
            ("http://127.0.0.1:5000", True, False),
        ],
    )
    def test_webhooks(self, url: str, production: bool, expected: bool) -> None:
        """Klaviyo calls https addresses; loopback is for development alone."""
        assert KlaviyoConfig(app_url=url, production=production).can_receive_webhooks is expected
