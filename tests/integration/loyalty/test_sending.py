"""The outbox is drained, and every outcome leaves the message where it belongs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, select

from loyalty import leases, outbox
from loyalty.core.facts import CustomerSeen, Identity
from loyalty.delivery import Delivered, Dropped, Later, Message, Outcome, Refused
from loyalty.models import Member, OutboxMessage, Shop
from loyalty.runtime import Runtime
from loyalty.sending import drain_outbox
from tests.integration.loyalty.conftest import NOW, Hands


@dataclass
class Remote:
    """A remote whose answers the test writes, by message kind."""

    answers: dict[str, Outcome] = field(default_factory=dict)
    got: list[Message] = field(default_factory=list)
    channel: str = "klaviyo"
    batch_size: int = 10

    def send(self, shop_id: int, messages: Sequence[Message]) -> Mapping[int, Outcome]:
        self.got.extend(messages)
        return {m.id: self.answers.get(m.kind, Delivered(202)) for m in messages if m.kind != "lost"}


def put(
    runtime: Runtime,
    shop: Shop,
    *kinds: str,
    member_id: int | None = None,
    backfill: bool = False,
    at: datetime = NOW,
) -> None:
    assert shop.id is not None
    with runtime.transaction() as session:
        for kind in kinds:
            outbox.put(
                session,
                shop.id,
                "klaviyo",
                kind,
                f"u-{kind}",
                {"n": 1},
                member_id=member_id,
                occurred_at=at,
                now=at,
                backfill=backfill,
            )


def rows(runtime: Runtime) -> dict[str, OutboxMessage]:
    with Session(runtime.engine) as session:
        return {row.kind: row for row in session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id)))}


class TestDrain:
    def test_outcomes(self, runtime: Runtime, shop: Shop) -> None:
        """Delivered, refused and dropped messages are finished with their reasons."""
        remote = Remote({"bad": Refused("invalid_email", 400), "nobody": Dropped("no_email")})
        put(runtime, shop, "good", "bad", "nobody")
        sent = drain_outbox(runtime, remote, shop.id or 0)

        assert (sent.messages, sent.again_in) == (3, None)
        found = {kind: (row.state, row.error, row.status_code) for kind, row in rows(runtime).items()}
        assert found == {
            "good": ("delivered", None, 202),
            "bad": ("refused", "invalid_email", 400),
            "nobody": ("dropped", "no_email", None),
        }

    def test_poison(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """A message that makes the sender fail holds up nobody else; it is tried again with growing pauses, and parked in the end."""

        class Stumbling(Remote):
            def send(self, shop_id: int, messages: Sequence[Message]) -> Mapping[int, Outcome]:
                if any(message.kind == "poison" for message in messages):
                    raise KeyError("what a row said")
                return super().send(shop_id, messages)

        put(runtime, shop, "one", "poison", "two")
        sent = drain_outbox(runtime, Stumbling(), shop.id or 0)
        found = rows(runtime)
        assert {kind: row.state for kind, row in found.items()} == {
            "one": "delivered",
            "poison": "due",
            "two": "delivered",
        }
        assert (found["poison"].error, found["poison"].attempts) == ("KeyError", 1)
        for _ in range(outbox.MOST_ATTEMPTS):
            hands.later((sent.again_in or 0) + 1)
            sent = drain_outbox(runtime, Stumbling(), shop.id or 0)
        assert (rows(runtime)["poison"].state, sent.again_in) == ("parked", None)

    def test_deadly(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """A message whose every attempt ended with its process is parked, and the others go on."""
        put(runtime, shop, "deadly", "other")
        with runtime.transaction() as session:
            row = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "deadly")).one()
            row.state, row.lease_until, row.attempts = "sending", NOW, outbox.MOST_ATTEMPTS
        remote = Remote()
        drain_outbox(runtime, remote, shop.id or 0)
        assert [message.kind for message in remote.got] == ["other"]
        deadly = rows(runtime)["deadly"]
        assert (deadly.state, deadly.error, deadly.lease_until) == ("parked", outbox.NEVER_ENDED, None)

    def test_turn(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """A long line is not sent in one go: after a moment the others have their turn, and the rest is rung for at once."""

        class Slow(Remote):
            def send(self, shop_id: int, messages: Sequence[Message]) -> Mapping[int, Outcome]:
                hands.later(1)
                return super().send(shop_id, messages)

        put(runtime, shop, *(f"message {number}" for number in range(50)))
        remote = Slow()
        sent = drain_outbox(runtime, remote, shop.id or 0)
        assert (sent.messages, len(remote.got), sent.again_in) == (20, 20, 0.0)
        while sent.again_in is not None:
            sent = drain_outbox(runtime, remote, shop.id or 0)
        assert {row.state for row in rows(runtime).values()} == {"delivered"}
        assert len(remote.got) == 50

    def test_history_last(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """What happens now is told before what an import has brought of the past, however much of that waits."""
        put(runtime, shop, *(f"past {number}" for number in range(12)), backfill=True)
        hands.later(1)
        put(runtime, shop, "now 1", "now 2", at=hands.now)
        remote = Remote()
        drain_outbox(runtime, remote, shop.id or 0)
        assert [message.kind for message in remote.got] == [
            "now 1",
            "now 2",
            *(f"past {number}" for number in range(12)),
        ]

    def test_tell_balances(self, runtime: Runtime, shop: Shop) -> None:
        """Every balance that Shopify should know is queued once per occasion, and nobody else's."""
        assert shop.id is not None
        with runtime.transaction() as session:
            for customer_id, balance in ((1, 5), (2, 0), (None, 7), (3, -2)):
                session.add(
                    Member(
                        shop_id=shop.id,
                        shopify_customer_id=customer_id,
                        balance=balance,
                        created_at=NOW,
                        updated_at=NOW,
                    )
                )
        for _ in range(2):
            with runtime.transaction() as session:
                outbox.tell_balances(session, shop.id, occasion="again", now=NOW)
        remote = Remote(channel="shopify")
        drain_outbox(runtime, remote, shop.id)
        assert [message.recipient.balance for message in remote.got if message.recipient] == [5, -2]
        assert {message.kind for message in remote.got} == {"balance_metafield"}

    def test_put_twice(self, runtime: Runtime, shop: Shop) -> None:
        """The same unique id is one message."""
        put(runtime, shop, "good")
        put(runtime, shop, "good")
        assert len(rows(runtime)) == 1

    def test_later(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """A postponed message comes back when its wait is over, and an attempt that was not its fault is not counted."""
        remote = Remote({"slow": Later(30, "rate_limit", counts=False)})
        put(runtime, shop, "slow")
        assert drain_outbox(runtime, remote, shop.id or 0).again_in == 30
        assert (rows(runtime)["slow"].state, rows(runtime)["slow"].attempts) == ("due", 0)

        assert drain_outbox(runtime, remote, shop.id or 0).messages == 0
        hands.later(31)
        remote.answers = {}
        assert drain_outbox(runtime, remote, shop.id or 0).messages == 1

    def test_gives_up(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """A message that fails for two days is parked and can be sent again with its old unique id."""
        remote = Remote({"cursed": Later(3600, "server_error", 500)})
        put(runtime, shop, "cursed")
        while rows(runtime)["cursed"].state == "due":
            drain_outbox(runtime, remote, shop.id or 0)
            hands.later(3601)
        assert rows(runtime)["cursed"].state == "parked"
        assert (hands.now - NOW).total_seconds() > 2 * 24 * 3600

        with runtime.transaction() as session:
            assert outbox.retry(session, shop.id or 0, [rows(runtime)["cursed"].id or 0], now=hands.now) == 1
        remote.answers = {}
        drain_outbox(runtime, remote, shop.id or 0)
        assert {message.unique_id for message in remote.got} == {"u-cursed"}
        assert rows(runtime)["cursed"].state == "delivered"

    def test_killed_sender(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """A message whose sender died without an answer is sent again when its lease runs out."""
        remote = Remote()
        put(runtime, shop, "lost")
        again_in = drain_outbox(runtime, remote, shop.id or 0).again_in
        assert again_in is not None
        assert 0 < again_in <= runtime.lease_seconds
        hands.later(runtime.lease_seconds + 1)
        drain_outbox(runtime, remote, shop.id or 0)
        assert [message.attempts for message in remote.got] == [1, 2]

    def test_one_at_a_time(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """While another process drains the channel, this one leaves it alone."""
        put(runtime, shop, "good")
        with runtime.transaction() as session:
            assert leases.acquire(
                session, f"outbox:klaviyo:{shop.id}", holder="other", seconds=60, now=hands.now
            )
        assert drain_outbox(runtime, Remote(), shop.id or 0).messages == 0
        hands.later(61)
        assert drain_outbox(runtime, Remote(), shop.id or 0).messages == 1

    def test_uninstalled(self, runtime: Runtime, shop: Shop) -> None:
        """Nothing leaves for a shop that has removed the app."""
        put(runtime, shop, "good")
        with runtime.transaction() as session:
            stored = session.get_one(Shop, shop.id)
            stored.uninstalled_at = NOW
        remote = Remote()
        drain_outbox(runtime, remote, shop.id or 0)
        assert (remote.got, rows(runtime)["good"].state) == ([], "due")

    def test_recipient(self, runtime: Runtime, shop: Shop, hands: Hands) -> None:
        """The person is read at the moment of sending, so a late retry carries the newest balance."""
        with runtime.transaction() as session:
            member = Member(
                shop_id=shop.id or 0, email="ada@fernandfig.shop", balance=1, created_at=NOW, updated_at=NOW
            )
            session.add(member)
            session.flush()
        put(runtime, shop, "news", member_id=member.id)
        with runtime.transaction() as session:
            session.get_one(Member, member.id).balance = 77
        remote = Remote()
        drain_outbox(runtime, remote, shop.id or 0)
        (message,) = remote.got
        assert message.recipient is not None
        assert (message.recipient.balance, message.recipient.email) == (77, "ada@fernandfig.shop")
        assert "ada@" not in repr(message)

    def test_facts(self, runtime: Runtime, shop: Shop) -> None:
        """What a delivery teaches is settled in the transaction that records it."""
        fact = CustomerSeen(Identity(5, "eve@fernandfig.shop"), None, None, None, NOW, NOW)
        put(runtime, shop, "asks")
        sent = drain_outbox(runtime, Remote({"asks": Delivered(200, (fact,))}), shop.id or 0)

        with Session(runtime.engine) as session:
            assert session.exec(select(Member.balance)).one() == 100
        assert sent.channels == {"klaviyo", "shopify"}
