"""What lies ahead of a member: recomputed from what is known whenever something has changed. It changes nothing but what the standing
keeps in mind of the next end of points (``expiry.foresee``)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from loyalty.core.calendar import next_occasion
from loyalty.core.expiry import foresee
from loyalty.core.program import Program
from loyalty.core.standing import Standing
from loyalty.core.tiers import Climb


@dataclass(frozen=True, slots=True)
class Outlook:
    """See ``loyalty.models.Member`` for the meaning of each."""

    tier: str | None
    tier_until: datetime | None
    next_tier: str | None
    next_tier_distance: Decimal | None
    expires_at: datetime | None
    expiring_points: int
    pending: int
    calendar_due: datetime | None


def outlook(standing: Standing, program: Program, at: datetime) -> Outlook:
    """What lies ahead at ``at``. What time has to bring about is counted from where the calendar was settled up to, also when that is
    earlier. A program without tiers and expiry costs next to nothing."""
    ending = foresee(standing, program, at)
    climb = Climb(standing, program)
    tier, until, following = climb.tier(at), climb.falls(at), climb.ahead(at)
    return Outlook(
        tier=tier.key if tier else None,
        tier_until=until,
        next_tier=following.tier.key if following else None,
        next_tier_distance=following.missing if following else None,
        expires_at=ending.at if ending else None,
        expiring_points=ending.points if ending else 0,
        pending=standing.held,
        calendar_due=next_occasion(standing, program, standing.calendar_at or at, climb=climb),
    )
