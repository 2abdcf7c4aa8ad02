"""What time brings about in a shop, a bounded batch of members at a time; and bringing everybody up to date when the program has changed.

A batch is one transaction. It takes the members for whom something is due, whoever has waited longest first; doing it twice, or in two
processes at once, does nothing twice. A member with whom something is wrong is tried alone and holds up nobody else.
"""

from loyalty.calendar.batches import BATCH, count_behind, shops_with_due
from loyalty.calendar.refreshing import (
    REFRESH,
    needs_refresh,
    program_applied,
    refresh_step,
    resume,
    start_refresh,
)
from loyalty.calendar.running import Ran, run

__all__ = [
    "BATCH",
    "REFRESH",
    "Ran",
    "count_behind",
    "needs_refresh",
    "program_applied",
    "refresh_step",
    "resume",
    "run",
    "shops_with_due",
    "start_refresh",
]
