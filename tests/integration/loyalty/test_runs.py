"""Long jobs go step by step, and a kill costs at most the step under way."""

from collections.abc import Callable

import pytest
from sqlmodel import Session, select

from loyalty import runs
from loyalty.models import Run, RunItem, Shop
from loyalty.runs import RunView, Step
from loyalty.runtime import Runtime
from loyalty.statement.formats import Formats
from loyalty.statement.runs import describe, view
from tests.integration.loyalty.conftest import Hands


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs."""


def counting(upto: int, *, die_at: int | None = None) -> Callable[[Runtime, RunView], Step]:
    """A step that counts to ``upto``, one a step; it can die after its transaction."""

    def step(runtime: Runtime, view: RunView) -> Step:
        at = view.cursor.get("at", 0)
        with runtime.transaction() as session:
            runs.save(session, view.id, cursor={"at": at + 1}, total=upto, done=1)
            runs.note(session, view.id, [(f"s{at}", None, "skipped", "no_email")])
        if die_at == at:
            raise Killed
        return Step(finished=at + 1 == upto)

    return step


@pytest.fixture(name="run_id")
def _run_id(runtime: Runtime, shop: Shop) -> int:
    with runtime.transaction() as session:
        run = runs.start(session, shop.id or 0, "count", {}, now=runtime.clock())
        assert run.id is not None
        return run.id


def read(runtime: Runtime, run_id: int) -> Run:
    with Session(runtime.engine) as session:
        return session.get_one(Run, run_id)


class TestStart:
    def test_one_open_run(self, runtime: Runtime, shop: Shop, run_id: int) -> None:
        """A second start gives the run that is open; after its end a new one begins."""
        with runtime.transaction() as session:
            assert runs.start(session, shop.id or 0, "count", {}, now=runtime.clock()).id == run_id
        runs.advance(runtime, run_id, counting(1))
        with runtime.transaction() as session:
            assert runs.start(session, shop.id or 0, "count", {}, now=runtime.clock()).id != run_id

    def test_stopping(self, runtime: Runtime, shop: Shop, run_id: int) -> None:
        """A start while the last run of the kind is being stopped begins a new one, and a step of the old one is undone."""
        begun: list[int | None] = []

        def begun_anew(runtime: Runtime, view: RunView) -> Step:
            with runtime.transaction() as session:
                runs.cancel(session, view.shop_id, view.id, now=runtime.clock())
                begun.append(runs.start(session, view.shop_id, "count", {}, now=runtime.clock()).id)
            return counting(9)(runtime, view)

        while runs.advance(runtime, run_id, begun_anew) is not None:
            pass
        old = read(runtime, run_id)
        assert (old.state, old.done, old.finished_at) == ("cancelled", 0, runtime.clock())
        (new_id,) = begun
        assert new_id is not None
        assert new_id != run_id
        assert runs.advance(runtime, new_id, counting(2)) is None
        assert (read(runtime, new_id).state, read(runtime, new_id).done) == ("done", 2)


class TestAdvance:
    def test_to_the_end(self, runtime: Runtime, run_id: int) -> None:
        """Steps are taken until the run is done, and its counts are true."""
        assert runs.advance(runtime, run_id, counting(3)) is None
        run = read(runtime, run_id)
        assert (run.state, run.done, run.total) == ("done", 3, 3)
        with Session(runtime.engine) as session:
            assert len(session.exec(select(RunItem)).all()) == 3

    def test_resumes(self, runtime: Runtime, run_id: int, hands: Hands) -> None:
        """A killed run goes on at its cursor and counts nothing twice."""
        with pytest.raises(Killed):
            runs.advance(runtime, run_id, counting(4, die_at=1))
        hands.later(runtime.lease_seconds + 1)
        runs.advance(runtime, run_id, counting(4))
        assert (read(runtime, run_id).state, read(runtime, run_id).done) == ("done", 4)

    def test_cancel(self, runtime: Runtime, run_id: int, shop: Shop) -> None:
        """A cancelled run stops before its next step, and a step under way is undone."""

        def cancelled_meanwhile(runtime: Runtime, view: RunView) -> Step:
            with runtime.transaction() as session:
                assert runs.cancel(session, view.shop_id, view.id, now=runtime.clock())
            return counting(9)(runtime, view)

        assert runs.advance(runtime, run_id, cancelled_meanwhile) is not None
        assert runs.advance(runtime, run_id, counting(9)) is None
        assert (read(runtime, run_id).state, read(runtime, run_id).done) == ("cancelled", 0)

    def test_other_shop(self, runtime: Runtime, run_id: int) -> None:
        """Nobody cancels another shop's run."""
        with runtime.transaction() as session:
            assert not runs.cancel(session, 999_999, run_id, now=runtime.clock())

    def test_stumbles(self, runtime: Runtime, run_id: int, hands: Hands) -> None:
        """A step that fails is tried again later; the page can tell that it stumbled."""

        def broken(_runtime: Runtime, _view: RunView) -> Step:
            raise ConnectionError("a text that may hold an address")

        assert runs.advance(runtime, run_id, broken) == runs.RETRY_SECONDS
        assert (read(runtime, run_id).state, read(runtime, run_id).error) == ("running", "ConnectionError")
        assert runs.advance(runtime, run_id, counting(1)) is None
        assert read(runtime, run_id).error is None

    def test_fails(self, runtime: Runtime, run_id: int) -> None:
        """A run that cannot go on ends as failed with its reason."""
        assert runs.advance(runtime, run_id, lambda _r, _v: Step(error="not_connected")) is None
        assert (read(runtime, run_id).state, read(runtime, run_id).error) == ("failed", "not_connected")


class TestProgress:
    def test_time_left(self, runtime: Runtime, run_id: int, hands: Hands) -> None:
        """Rate and time left follow from what was done so far."""
        with runtime.transaction() as session:
            run = session.get_one(Run, run_id)
            run.state, run.started_at, run.total, run.done = "running", hands.now, 100, 20
        hands.later(10)
        shown = runs.progress(read(runtime, run_id), now=hands.now)
        assert (shown.rate, shown.seconds_left) == (2.0, 40.0)

    def test_more_than_counted(self, runtime: Runtime, run_id: int, hands: Hands) -> None:
        """Whoever joins while a run is under way is one more of all, so no run has done more than there was to do."""
        with runtime.transaction() as session:
            run = session.get_one(Run, run_id)
            run.state, run.started_at, run.total, run.done, run.skipped = "running", hands.now, 100, 100, 3
        hands.later(10)
        shown = runs.progress(read(runtime, run_id), now=hands.now)
        assert (shown.total, shown.seconds_left) == (103, 0.0)
        said = describe(view(read(runtime, run_id), now=hands.now), Formats())
        assert said.text.startswith("103 of 103, 3 skipped")
