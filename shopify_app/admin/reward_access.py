"""Which rights the offered rewards need that the merchant has not given yet. Shopify asks the merchant; we only say for what."""

from loyalty.core.program import Program
from loyalty.models import Shop
from shopify_app.config import REWARD_SCOPES


def missing_scopes(shop: Shop, program: Program | None) -> tuple[str, ...]:
    """The scopes that rewards of the program need and the shop has not granted."""
    granted = set(shop.scopes.split(","))
    kinds = {reward.kind for reward in program.rewards} if program else set()
    needed = [scope for kind, scopes in REWARD_SCOPES.items() if kind in kinds for scope in scopes]
    return tuple(scope for scope in needed if scope not in granted)
