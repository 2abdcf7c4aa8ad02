"""What every resolver is given: the world, the shop and the rights of the calling app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sandbox.shopify.shop import Installation, Shop
from sandbox.shopify.world import World


@dataclass(frozen=True)
class Context:
    """One request's surroundings."""

    world: World
    shop: Shop
    installation: Installation
    # Bulk operations read connections in whole; ordinary queries must page.
    bulk: bool = False

    @property
    def now(self) -> datetime:
        """The sandbox's present."""
        return self.world.now()

    def grants(self, scope: str) -> bool:
        """Whether the app holds a scope."""
        return self.installation.grants(scope)
