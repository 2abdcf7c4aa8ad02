"""What every resolver is given: the world, the shop and the rights of the calling app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from graphql import GraphQLError

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

    def demand(self, scope: str | None, what: str) -> None:
        """Refuse a write for which the app holds no right."""
        if scope is not None and not self.grants(scope):
            message = f"Access denied for {what} field. Required access: `{scope}` access scope."
            raise GraphQLError(message, extensions={"code": "ACCESS_DENIED", "requiredAccess": scope})
