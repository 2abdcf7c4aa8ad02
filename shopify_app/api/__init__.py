"""The door for a shop's own programs: they tell of actions that rules reward, and ask what became of them. See ``docs/api.md``."""

from shopify_app.api.door import create_blueprint
from shopify_app.api.told_action import translate

__all__ = ["create_blueprint", "translate"]
