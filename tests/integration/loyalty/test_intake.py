"""A delivery is kept by one statement, whatever became of the connections since the last one."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlmodel import select

from loyalty.database import make_engine
from loyalty.intake import Intake, NotKept
from loyalty.models import InboxMessage
from loyalty.runtime import Runtime

AT = datetime(2026, 11, 1, 12, 30, 15, 250_000, tzinfo=UTC)
POISON = "t:poison"
BODY = '{"note":"naïve ☕ %s \\\\"}'.encode()


@pytest.fixture(name="intake")
def _intake(engine: Engine) -> Iterator[Intake]:
    intake = Intake(engine)
    yield intake
    intake.close()


def deliver(intake: Intake, delivery_id: str = "orders/paid:w1", *, body: bytes = BODY) -> None:
    intake.receive(
        shop_domain="fern-and-fig.myshopify.com",
        source="shopify",
        delivery_id=delivery_id,
        topic="orders/paid",
        body=body,
        now=AT,
    )


def kept(runtime: Runtime) -> list[InboxMessage]:
    with runtime.reading() as session:
        return list(session.exec(select(InboxMessage).order_by(InboxMessage.id)).all())


def crowd(intake: Intake, runtime: Runtime, ids: list[str]) -> list[str]:
    """Deliver side by side, while the table is held so that they pile up; gives what each was told."""
    first, *rest = ids
    with ThreadPoolExecutor(len(ids)) as threads, runtime.engine.begin() as holder:
        if holder.dialect.name == "postgresql":
            holder.execute(text("LOCK TABLE inbox IN EXCLUSIVE MODE"))
        told = [threads.submit(answer, intake, first)]
        wait_until(lambda: intake._busy and not intake._waiting)
        told += [threads.submit(answer, intake, delivery_id) for delivery_id in rest]
        wait_until(lambda: len(intake._waiting) == len(rest))
        holder.commit()
        return [future.result(timeout=120) for future in told]


def answer(intake: Intake, delivery_id: str) -> str:
    # A missing body is what both databases refuse.
    try:
        deliver(intake, delivery_id, body=None if delivery_id == POISON else BODY)
    except NotKept as problem:
        return problem.kind
    return "kept"


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestReceive:
    def test_whole(self, intake: Intake, runtime: Runtime) -> None:
        """Body and times are kept as they were given, and the message is due at once."""
        deliver(intake)

        (message,) = kept(runtime)
        assert (BODY, AT, AT) == (message.body, message.received_at, message.due_at)
        assert ("due", 0, "orders/paid") == (message.state, message.attempts, message.topic)

    def test_repeat(self, intake: Intake, runtime: Runtime) -> None:
        """A repeat is kept once."""
        for number in (1, 1, 2):
            deliver(intake, f"t:{number}")

        assert ["t:1", "t:2"] == [message.delivery_id for message in kept(runtime)]

    def test_own_transaction(self, intake: Intake, engine: Engine) -> None:
        """The delivery is committed when it is answered for: another connection sees it at once."""
        deliver(intake)

        other = make_engine(engine.url.render_as_string(hide_password=False))
        with other.connect() as connection:
            assert 1 == connection.execute(text("SELECT count(*) FROM inbox")).scalar_one()
        other.dispose()


class TestCrowd:
    def test_together(self, intake: Intake, runtime: Runtime) -> None:
        """Deliveries that arrive while one is being written are all kept, repeats once, and everybody is answered."""
        answers = crowd(intake, runtime, [f"t:{number % 60}" for number in range(80)])

        assert ["kept"] * 80 == answers
        assert {f"t:{number}" for number in range(60)} == {message.delivery_id for message in kept(runtime)}

    def test_poison(self, intake: Intake, runtime: Runtime) -> None:
        """One that the database refuses does not take its neighbours with it."""
        answers = crowd(intake, runtime, ["t:1", "t:2", POISON, "t:3"])

        assert ["kept", "kept", "kept"] == [answer for answer in answers if answer == "kept"]
        assert 1 == sum(answer in {"IntegrityError", "NotNullViolation"} for answer in answers)
        assert ["t:1", "t:2", "t:3"] == sorted(message.delivery_id for message in kept(runtime))

    def test_next(self, intake: Intake, runtime: Runtime) -> None:
        """After a crowd the next delivery is written at once."""
        crowd(intake, runtime, ["t:1", "t:2"])

        deliver(intake, "t:3")

        assert 3 == len(kept(runtime))


class TestTrouble:
    @pytest.mark.postgres
    def test_dead_connection(self, postgres_engine: Engine) -> None:
        """Connections that died since the last delivery cost nothing: the next delivery is kept on a new one."""
        intake = Intake(postgres_engine)
        deliver(intake, "t:1")
        with postgres_engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

        deliver(intake, "t:2")

        with postgres_engine.connect() as connection:
            assert 2 == connection.execute(text("SELECT count(*) FROM inbox")).scalar_one()
        intake.close()

    def test_no_table(self, intake: Intake, engine: Engine) -> None:
        """A database that does not take it is told by the kind of its error, without the delivery that the error quotes."""
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE inbox"))

        with pytest.raises(NotKept) as raised:
            deliver(intake)

        assert raised.value.kind in {"OperationalError", "UndefinedTable"}
        assert raised.value.kind == str(raised.value)
        assert raised.value.__cause__ is None

    @pytest.mark.postgres
    def test_no_server(self, postgres_engine: Engine) -> None:
        """A server that is not there is told as well."""
        nowhere = make_engine("postgresql+psycopg://laurel@/laurel?host=/nowhere")
        intake = Intake(nowhere)

        with pytest.raises(NotKept, match="OperationalError"):
            deliver(intake)


class TestUnexpected:
    def test_nobody_is_told_kept(
        self, runtime: Runtime, intake: Intake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When writing fails in a way that nobody thought of, no delivery of the batch counts as kept."""

        def broken(_batch: object) -> None:
            raise RuntimeError("not a database error")

        monkeypatch.setattr(intake, "_write", broken)
        with pytest.raises(RuntimeError):
            deliver(intake, "a")
        assert kept(runtime) == []

        monkeypatch.undo()
        deliver(intake, "a")
        assert [message.delivery_id for message in kept(runtime)] == ["a"]
