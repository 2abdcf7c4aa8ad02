"""The bell of the webhook door: nobody at the door waits for the queue server, and a crowd rings once."""

import threading

from queues import Doorbell


class SlowBell:
    """Notes who rang. Every ring waits until ``gate`` is open; ``called`` grows by one as each begins."""

    def __init__(self) -> None:
        self.rung: list[tuple[object, ...]] = []
        self.gate = threading.Event()
        self.called = threading.Semaphore(0)

    def __call__(self, job: str, *args: int | str, delay: float = 0) -> None:
        self.called.release()
        assert self.gate.wait(60)
        self.rung.append((job, *args, delay) if delay else (job, *args))


class TestDoorbell:
    def test_crowd(self) -> None:
        """Rings that come while the bell is busy become one per job and arguments, and none of them is lost."""
        bell = SlowBell()
        doorbell = Doorbell(bell, quiet=0)
        doorbell("drain_inbox", "fern")
        assert bell.called.acquire(timeout=30)

        for _ in range(50):
            doorbell("drain_inbox", "fern")
            doorbell("drain_inbox", "moss")
        bell.gate.set()
        assert bell.called.acquire(timeout=30)
        assert bell.called.acquire(timeout=30)

        # One more ring is heard after all that came before it.
        doorbell("last")
        assert bell.called.acquire(timeout=30)
        assert [("drain_inbox", "fern"), ("drain_inbox", "fern"), ("drain_inbox", "moss")] == sorted(
            bell.rung[:3]
        )

    def test_no_waiting(self) -> None:
        """Whoever rings goes on at once, even when the queue server does not answer."""
        bell = SlowBell()
        doorbell = Doorbell(bell, quiet=0)

        for number in range(3):
            doorbell("drain_inbox", number)

        assert bell.rung == []
        bell.gate.set()

    def test_delay(self) -> None:
        """A ring for later is the bell's own affair."""
        bell = SlowBell()
        bell.gate.set()

        Doorbell(bell)("advance_run", 7, delay=30.0)

        assert [("advance_run", 7, 30.0)] == bell.rung
