"""The part ``tiers`` of a document."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from loyalty.core.document.fields import Field, Table
from loyalty.core.document.kinds import KEY, Amount, Choice, Text, Whole
from loyalty.core.document.lists import LINES, Many
from loyalty.core.document.mistakes import Notes, join
from loyalty.core.document.parts import GIFT
from loyalty.core.program import Gift, Tier, Tiers

MOST_TIERS = 20
_METRICS = Choice((("points", "Points earned"), ("spent", "Amount spent"), ("orders", "Number of orders")))
_WINDOWS = Choice(
    (
        ("lifetime", "The whole time"),
        ("calendar_year", "A calendar year, kept through the next one"),
        ("rolling", "The last months"),
    )
)


def _check_tiers(values: Mapping[str, Any], path: str, notes: Notes) -> None:
    ladder = values.get("ladder", ())
    for place, (lower, tier) in enumerate(pairwise(ladder), 1):
        if tier.threshold <= lower.threshold:
            where = join(f"{path}.ladder[{place}]", "threshold")
            notes.mistake(where, f"{tier.threshold:f}", f"more than the tier before it ({lower.threshold:f})")
    for place, tier in enumerate(ladder):
        if values.get("metric") in ("points", "orders") and tier.threshold % 1:
            where = join(f"{path}.ladder[{place}]", "threshold")
            notes.mistake(where, f"{tier.threshold:f}", f"a whole number of {values['metric']}")


TIER = Table(
    (
        Field("key", KEY, "Key"),
        Field("title", Text(), "Title"),
        Field("threshold", Amount(Decimal(1_000_000_000), zero=True, is_money=False), "Reached with"),
        Field("multiplier", Amount(Decimal(100), is_money=False), "Multiplier for orders", "", Decimal(1)),
        Field("perks", LINES, "Perks", "What customers read, one a line", ()),
        Field("entry", GIFT, "On entering", "Given once", Gift()),
    ),
    Tier,
)

TIERS_TABLE = Table(
    (
        Field("metric", _METRICS, "Reached by", "", "spent"),
        Field("window", _WINDOWS, "Counted over", "", "lifetime"),
        Field("months", Whole(most=120, unit="months"), "Months", "For the last months", 12),
        Field("grace_days", Whole(0, 366, "days"), "Kept for", "Days after it is no longer reached", 0),
        Field("ladder", Many(TIER, "tiers", build=tuple, most=MOST_TIERS, least=1), "Tiers"),
    ),
    Tiers,
    _check_tiers,
)
