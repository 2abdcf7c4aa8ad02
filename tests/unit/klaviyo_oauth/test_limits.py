"""The shared limiter on a real queue server: exact, atomic, and the same for every process."""

import threading
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from klaviyo_oauth import limits
from klaviyo_oauth.limits import EVERYWHERE, Limiter, budget
from klaviyo_oauth.outage import LONGEST, Outage

BULK = "POST event-bulk-create-jobs"


@pytest.fixture
def away() -> Iterator[Redis]:
    """A client whose server is not there."""
    with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2) as client:
        yield client


def accounts() -> Iterator[str]:
    """Accounts of which nothing is known yet, to begin anew with where the machine paused in the middle."""
    return (f"account-{number}" for number in range(20))


def within_a_second(began: tuple[int, int], ended: tuple[int, int]) -> bool:
    """Whether less than a second has gone by between two times of the queue server's."""
    return (ended[0] - began[0]) * 1_000_000 + ended[1] - began[1] < 1_000_000


class TestBudget:
    """``budget``."""

    @pytest.mark.parametrize("endpoint", sorted(limits.QUOTAS))
    def test_within_published(self, endpoint: str) -> None:
        """We allow ourselves at least one call and never more than Klaviyo's numbers."""
        burst, steady = budget(endpoint)
        quota = limits.QUOTAS[endpoint]
        assert 1 <= burst <= quota.burst
        assert 1 <= steady < quota.steady

    def test_bulk_pace(self) -> None:
        """A backlog may drain at nine tenths of Klaviyo's bulk limit."""
        assert budget(BULK)[1] >= 0.9 * limits.QUOTAS[BULK].steady

    def test_unknown(self) -> None:
        """An endpoint without a quota is a mistake of ours."""
        with pytest.raises(KeyError):
            budget("GET somewhere")


class TestAcquire:
    """``Limiter.acquire``."""

    def test_burst(self, queue: Redis) -> None:
        """A second's worth is granted at once; the next call is told to wait less than a second."""
        limiter, (burst, _) = Limiter(queue), budget(BULK)
        for account in accounts():
            began = queue.time()
            told = [limiter.acquire(account, BULK) for _ in range(burst + 1)]
            if within_a_second(began, queue.time()):
                break
        assert told[:-1] == [0.0] * burst
        assert 0 < told[-1] <= 1

    def test_wait_is_exact(self, queue: Redis) -> None:
        """After the wait that was told the call is granted."""
        limiter, (burst, _) = Limiter(queue), budget(BULK)
        limiter.acquire("A", BULK, burst)
        # A little longer: the queue server's clock and ours need not go alike to the microsecond.
        time.sleep(limiter.acquire("A", BULK) + 0.01)
        assert limiter.acquire("A", BULK) == 0.0

    def test_minute(self, queue: Redis) -> None:
        """A minute's worth is counted over the last minute, whatever the second says."""
        limiter, (_, steady) = Limiter(queue), budget(BULK)
        seconds, micros = queue.time()
        long_ago = (seconds - 30) * 1_000_000 + micros
        queue.rpush(limits._key("A", BULK, "calls"), *[long_ago] * steady)
        assert limiter.acquire("A", BULK) == pytest.approx(30, abs=10)

    def test_old_calls_do_not_count(self, queue: Redis) -> None:
        """Calls of more than a minute ago are forgotten."""
        limiter, (_, steady) = Limiter(queue), budget(BULK)
        seconds, _ = queue.time()
        queue.rpush(limits._key("A", BULK, "calls"), *[(seconds - 61) * 1_000_000] * steady)
        assert limiter.acquire("A", BULK) == 0.0
        assert queue.llen(limits._key("A", BULK, "calls")) == 1

    def test_several_at_once(self, queue: Redis) -> None:
        """Several calls are granted together or not at all."""
        limiter, (burst, _) = Limiter(queue), budget(BULK)
        for account in accounts():
            began = queue.time()
            told = [limiter.acquire(account, BULK, n) for n in (burst - 1, 2, 1)]
            if within_a_second(began, queue.time()):
                break
        assert [wait > 0 for wait in told] == [False, True, False]

    @pytest.mark.parametrize("n", [0, 1_000_000])
    def test_impossible(self, queue: Redis, n: int) -> None:
        """More than a second's worth could never be granted."""
        with pytest.raises(ValueError, match="second"):
            Limiter(queue).acquire("A", BULK, n)

    def test_separate(self, queue: Redis) -> None:
        """Accounts and endpoints do not share their windows."""
        limiter, (burst, _) = Limiter(queue), budget(BULK)
        limiter.acquire("A", BULK, burst)
        assert limiter.acquire("B", BULK) == 0.0
        assert limiter.acquire("A", "GET reviews") == 0.0

    def test_many_callers(self, queue: Redis, queue_url: str) -> None:
        """However many ask at once, exactly a second's worth is granted within a second."""
        granted: list[int] = []
        start = threading.Barrier(6)

        def ask() -> None:
            with Redis.from_url(queue_url) as client:
                limiter = Limiter(client)
                start.wait()
                granted.extend(1 for _ in range(20) if limiter.acquire("A", "POST events", 10) == 0.0)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        instants = [int(value) for value in queue.lrange(limits._key("A", "POST events", "calls"), 0, -1)]
        burst, _ = budget("POST events")
        assert len(instants) == 10 * sum(granted)
        # By the server's own clock no second holds more than a burst.
        for index in range(len(instants) - burst):
            assert instants[index + burst] - instants[index] >= 1_000_000
        assert len(instants) >= burst - burst % 10

    def test_server_away(self, away: Redis) -> None:
        """Without the queue server nobody calls blindly."""
        assert Limiter(away).acquire("A", BULK) == limits.WHEN_REDIS_IS_AWAY


class TestPause:
    """``Limiter.pause``."""

    def test_for_everybody(self, queue: Redis) -> None:
        """A refusal that one met is known to all; another endpoint goes on."""
        Limiter(queue).pause("A", BULK, 60)
        assert 30 < Limiter(queue).acquire("A", BULK) <= 60
        assert Limiter(queue).acquire("A", "GET reviews") == 0.0

    def test_everywhere(self, queue: Redis) -> None:
        """An outage stops every endpoint of the account, until it is resumed."""
        limiter = Limiter(queue)
        limiter.pause("A", EVERYWHERE, 60)
        assert limiter.acquire("A", BULK) > 30
        assert limiter.acquire("B", BULK) == 0.0
        limiter.resume("A")
        assert limiter.acquire("A", BULK) == 0.0

    def test_longer_stays(self, queue: Redis) -> None:
        """A shorter pause does not cut a longer one."""
        limiter = Limiter(queue)
        limiter.pause("A", BULK, 60)
        limiter.pause("A", BULK, 1)
        assert limiter.acquire("A", BULK) > 30

    def test_server_away(self, away: Redis) -> None:
        """Without the queue server a pause is not remembered, and nothing breaks."""
        Limiter(away).pause("A", BULK, 3)
        Limiter(away).resume("A")


class TestOutage:
    """``Outage``."""

    def test_grows(self, queue: Redis) -> None:
        """Each failure doubles the wait, up to five minutes, and an answer starts over."""
        outage = Outage(queue, lambda: 0.0)
        assert [outage.worse("A") for _ in range(4)] == [1, 2, 4, 8]
        assert max(outage.worse("A") for _ in range(20)) == LONGEST
        outage.over("A")
        assert outage.worse("A") == 1

    def test_jitter(self, queue: Redis) -> None:
        """Waits are spread over the quarter below, so that accounts do not return together."""
        assert Outage(queue, lambda: 1.0).worse("A") == 0.75

    def test_server_away(self, away: Redis) -> None:
        """Without the queue server the wait is a moderate one."""
        assert Outage(away, lambda: 0.0).worse("A") == 8
        Outage(away, lambda: 0.0).over("A")
