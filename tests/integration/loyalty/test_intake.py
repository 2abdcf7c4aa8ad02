"""A delivery is kept by one statement, whatever became of the connections since the last one."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlmodel import select

from loyalty.database import make_engine
from loyalty.intake import Intake, NotKept
from loyalty.models import InboxMessage
from loyalty.runtime import Runtime

AT = datetime(2026, 11, 1, 12, 30, 15, 250_000, tzinfo=UTC)
BODY = '{"note":"naïve ☕ %s \\\\"}'.encode()


@pytest.fixture(name="intake")
def _intake(engine: Engine) -> Iterator[Intake]:
    intake = Intake(engine)
    yield intake
    intake.close()


def deliver(intake: Intake, delivery_id: str = "orders/paid:w1") -> bool:
    return intake.receive(
        shop_domain="fern-and-fig.myshopify.com",
        source="shopify",
        delivery_id=delivery_id,
        topic="orders/paid",
        body=BODY,
        now=AT,
    )


def kept(runtime: Runtime) -> list[InboxMessage]:
    with runtime.reading() as session:
        return list(session.exec(select(InboxMessage).order_by(InboxMessage.id)).all())  # type: ignore[arg-type]


class TestReceive:
    def test_whole(self, intake: Intake, runtime: Runtime) -> None:
        """Body and times are kept as they were given, and the message is due at once."""
        assert deliver(intake)

        (message,) = kept(runtime)
        assert (BODY, AT, AT) == (message.body, message.received_at, message.due_at)
        assert ("due", 0, "orders/paid") == (message.state, message.attempts, message.topic)

    def test_repeat(self, intake: Intake, runtime: Runtime) -> None:
        """A repeat is told apart and kept once."""
        assert [True, False, True] == [deliver(intake, f"t:{number}") for number in (1, 1, 2)]
        assert ["t:1", "t:2"] == [message.delivery_id for message in kept(runtime)]

    def test_own_transaction(self, intake: Intake, engine: Engine) -> None:
        """The delivery is committed when it is answered for: another connection sees it at once."""
        deliver(intake)

        other = make_engine(engine.url.render_as_string(hide_password=False))
        with other.connect() as connection:
            assert 1 == connection.execute(text("SELECT count(*) FROM inbox")).scalar_one()
        other.dispose()


class TestTrouble:
    @pytest.mark.postgres
    def test_dead_connection(self, postgres_engine: Engine) -> None:
        """Connections that died since the last delivery cost nothing: the next delivery is kept on a new one."""
        intake = Intake(postgres_engine)
        assert deliver(intake, "t:1")
        with postgres_engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

        assert deliver(intake, "t:2")
        assert not deliver(intake, "t:1")
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
