"""The inbox is drained in batches, and poison neither blocks nor vanishes."""

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from loyalty import inbox, receiving
from loyalty.core.facts import CustomerSeen, Fact, Identity, ShopMessage
from loyalty.encryption import Cipher
from loyalty.inbox import Malformed
from loyalty.models import InboxMessage, LedgerEntry, Member, Shop
from loyalty.receiving import Reception, drain_inbox
from loyalty.runtime import Runtime
from tests.integration.loyalty.conftest import Hands

DOMAIN = "fern-and-fig.myshopify.com"
SEEN = datetime(2026, 11, 1, 11, tzinfo=UTC)


def translate(message: InboxMessage) -> Sequence[Fact]:
    """A language for tests: a customer's number, a word about the shop, or nonsense."""
    try:
        value = json.loads(message.body)
    except ValueError:
        raise Malformed("not JSON") from None
    if message.topic == "nobody/asked":
        return ()
    if message.topic == "shop/word":
        return (ShopMessage("shop/word", {}),)
    if value == "poison":
        raise RuntimeError("a text that may quote a person")
    return (CustomerSeen(Identity(value, f"c{value}@fernandfig.shop"), None, None, None, SEEN, SEEN),)


HEARD: list[str] = []
RECEPTION = Reception(
    {"shopify": translate}, {"shop/word": lambda _s, _shop, word, _now: HEARD.append(word.topic)}
)


def deliver(
    runtime: Runtime, delivery: str, body: object, topic: str = "customers/create", domain: str = DOMAIN
) -> bool:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with runtime.engine.begin() as connection:
        return inbox.receive(
            connection,
            shop_domain=domain,
            source="shopify",
            delivery_id=delivery,
            topic=topic,
            body=raw,
            now=runtime.clock(),
        )


def states(runtime: Runtime) -> dict[str, str]:
    with Session(runtime.engine) as session:
        rows = session.exec(select(InboxMessage).order_by(col(InboxMessage.id)))
        return {row.delivery_id: row.state for row in rows}


def entries(runtime: Runtime) -> int:
    with Session(runtime.engine) as session:
        return len(session.exec(select(LedgerEntry)).all())


class TestReceive:
    def test_repeat(self, runtime: Runtime) -> None:
        """The same delivery is kept once; another shop's delivery of the same id is another."""
        assert deliver(runtime, "d1", 1)
        assert not deliver(runtime, "d1", 1)
        assert deliver(runtime, "d1", 1, domain="other-shop.myshopify.com")


class TestDrain:
    def test_batch(self, runtime: Runtime, shop: Shop) -> None:
        """Due deliveries are settled and lose their bodies, which hold personal data."""
        for number in range(5):
            deliver(runtime, f"d{number}", 100 + number)
        drained = drain_inbox(runtime, RECEPTION, DOMAIN)

        assert (drained.messages, drained.more, drained.channels) == (5, False, {"klaviyo", "shopify"})
        assert entries(runtime) == 5
        with Session(runtime.engine) as session:
            assert {row.body for row in session.exec(select(InboxMessage))} == {b""}

    def test_turn(self, runtime: Runtime, shop: Shop, hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
        """A backlog is not settled in one go: after a moment the others have their turn, and it is said that more is left."""
        monkeypatch.setattr(receiving, "BATCH", 2)

        def slowly(message: InboxMessage) -> Sequence[Fact]:
            hands.later(0.5)
            return translate(message)

        for number in range(1, 8):
            deliver(runtime, f"d-{number}", number)
        slow = Reception({"shopify": slowly}, {})
        drained = drain_inbox(runtime, slow, DOMAIN)
        assert (drained.messages, drained.more) == (4, True)
        drained = drain_inbox(runtime, slow, DOMAIN)
        assert (drained.messages, drained.more) == (3, False)
        assert set(states(runtime).values()) == {"done"}

    def test_unknown_shop(self, runtime: Runtime, shop: Shop) -> None:
        """Deliveries of a shop that has not come yet wait for it."""
        deliver(runtime, "early", 1, domain="not-yet.myshopify.com")
        assert drain_inbox(runtime, RECEPTION, "not-yet.myshopify.com").messages == 0
        assert states(runtime) == {"early": "due"}

    def test_malformed(self, runtime: Runtime, shop: Shop) -> None:
        """A delivery that cannot be understood is parked with its body and reason; its neighbours are settled."""
        deliver(runtime, "good", 1)
        deliver(runtime, "bad", b"{not json")
        deliver(runtime, "ignored", 2, topic="nobody/asked")
        drain_inbox(runtime, RECEPTION, DOMAIN)

        assert states(runtime) == {"good": "done", "bad": "parked", "ignored": "ignored"}
        with Session(runtime.engine) as session:
            bad = session.exec(select(InboxMessage).where(InboxMessage.delivery_id == "bad")).one()
            assert (bad.error, bad.body) == ("not JSON", b"{not json")

    def test_poison(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """A delivery that always fails is tried again with growing waits, then parked; its text never reaches the row."""
        deliver(runtime, "p", "poison")
        deliver(runtime, "good", 1)
        for _ in range(inbox.MOST_ATTEMPTS):
            drain_inbox(runtime, RECEPTION, DOMAIN)
            hands.later(4000)

        assert states(runtime) == {"p": "parked", "good": "done"}
        with Session(runtime.engine) as session:
            poison = session.exec(select(InboxMessage).where(InboxMessage.delivery_id == "p")).one()
            assert (poison.error, poison.attempts) == ("RuntimeError", inbox.MOST_ATTEMPTS)
            assert poison.id is not None
            assert inbox.retry(session, DOMAIN, poison.id, now=hands.now)
            assert not inbox.retry(session, "other-shop.myshopify.com", poison.id, now=hands.now)

    def test_shop_message(self, runtime: Runtime, shop: Shop) -> None:
        """Words about the shop itself go to their handler, in order with the rest."""
        HEARD.clear()
        deliver(runtime, "a", 1)
        deliver(runtime, "b", {}, topic="shop/word")
        drain_inbox(runtime, RECEPTION, DOMAIN)

        assert (["shop/word"], 1) == (HEARD, entries(runtime))

    def test_two_workers(self, runtime: Runtime, shop: Shop) -> None:
        """Workers on the same shop settle everything exactly once."""
        for number in range(300):
            deliver(runtime, f"d{number}", 100 + number % 50)
        failures: list[Exception] = []

        def work() -> None:
            try:
                while drain_inbox(runtime, RECEPTION, DOMAIN).messages:
                    pass
            except Exception as error:  # noqa: BLE001  # a thread has no other way to tell
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(200)

        assert failures == []
        hands_free = drain_inbox(runtime, RECEPTION, DOMAIN)
        assert hands_free.messages == 0
        with Session(runtime.engine) as session:
            due = session.exec(select(InboxMessage).where(InboxMessage.state != "done")).all()
            assert [message.error for message in due] == []
            assert len(session.exec(select(Member)).all()) == 50
        assert entries(runtime) == 50


@pytest.mark.postgres
class TestMeanwhile:
    def test_shop(self, postgres_engine: Engine, hands: Hands) -> None:
        """A word about the shop is heard by the shop as it is then, not as it was before another process changed it."""
        runtime = Runtime(postgres_engine, Cipher([Fernet.generate_key().decode()]), hands.nudge, hands.clock)
        with runtime.transaction() as session:
            session.add(Shop(domain=DOMAIN, first_installed_at=SEEN, installed_at=SEEN, uninstalled_at=SEEN))
        heard: list[datetime | None] = []

        def come_back(message: InboxMessage) -> Sequence[Fact]:
            with runtime.transaction() as session:
                session.exec(select(Shop)).one().uninstalled_at = None
            return translate(message)

        word = {"shop/word": lambda _s, shop, _word, _now: heard.append(shop.uninstalled_at)}
        deliver(runtime, "a", {}, topic="shop/word")
        drain_inbox(runtime, Reception({"shopify": come_back}, word), DOMAIN)

        assert heard == [None]


@pytest.mark.postgres
class TestDoubleDelivery:
    def test_concurrent_repeat(self, postgres_engine: Engine) -> None:
        """Two processes that keep the same delivery at once end with one row."""
        kept = []

        def keep() -> None:
            with postgres_engine.begin() as connection:
                kept.append(
                    inbox.receive(
                        connection,
                        shop_domain=DOMAIN,
                        source="shopify",
                        delivery_id="same",
                        topic="t",
                        body=b"",
                        now=SEEN,
                    )
                )

        threads = [threading.Thread(target=keep) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(kept) == [False] * 7 + [True]
