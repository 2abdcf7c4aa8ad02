"""Time passes in a shop as the product lets it pass, without a process for it."""

from datetime import datetime

from cryptography.fernet import Fernet
from sqlalchemy import Engine

from loyalty import calendar
from loyalty.calendar.running import complete_referrals
from loyalty.encryption import Cipher
from loyalty.models import Shop
from loyalty.runtime import Runtime

_CIPHER = Cipher([Fernet.generate_key().decode()])


def pass_time(engine: Engine, shop: Shop, at: datetime, *, seconds: float | None = None) -> calendar.Ran:
    """Settle everybody for whom something is due at an instant, which is also what the clock shows. Nobody may be in trouble."""
    ran = calendar.run(_at(engine, at), shop.id or 0, at=at, seconds=seconds)
    assert ran.troubled == ()
    return ran


def end_holds(engine: Engine, shop: Shop, at: datetime, *, now: datetime | None = None) -> None:
    """Complete the referrals whose hold is over at an instant, and nothing else."""
    complete_referrals(_at(engine, now or at), shop.id or 0, at=at)


def _at(engine: Engine, now: datetime) -> Runtime:
    return Runtime(engine, _CIPHER, lambda *_, **__: None, lambda: now)
