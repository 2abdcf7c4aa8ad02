"""How much is measured: enough for numbers that hold, or just enough to see that a benchmark works."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Scale:
    """Counts and times of every benchmark; ``growth`` are the sizes at which one that shall not grow faster than they is measured."""

    rounds: int
    seconds: float
    webhooks: int
    members_few: int
    members_many: int
    growth: tuple[int, ...]
    sync_members: tuple[int, ...]
    events: int
    real_limits_events: int
    orders_a_second: int
    order_seconds: float

    @staticmethod
    def usual() -> "Scale":
        """What ``make bench`` does."""
        return Scale(
            rounds=5,
            seconds=5.0,
            webhooks=10_000,
            members_few=10_000,
            members_many=1_000_000,
            growth=(10_000, 100_000, 1_000_000),
            sync_members=(10_000, 100_000, 1_000_000),
            events=100_000,
            real_limits_events=284_000,
            orders_a_second=50,
            order_seconds=30.0,
        )

    @staticmethod
    def full() -> "Scale":
        """With a million events under Klaviyo's real limits: seven minutes for that alone."""
        return replace(Scale.usual(), events=1_000_000, real_limits_events=1_000_000, order_seconds=120.0)

    @staticmethod
    def quick() -> "Scale":
        """A minute or two."""
        return Scale(
            rounds=2,
            seconds=2.0,
            webhooks=2_000,
            members_few=2_000,
            members_many=20_000,
            growth=(2_000, 20_000),
            sync_members=(2_000, 20_000),
            events=5_000,
            real_limits_events=12_000,
            orders_a_second=20,
            order_seconds=5.0,
        )
