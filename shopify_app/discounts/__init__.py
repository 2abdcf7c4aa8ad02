"""Rewards that are discount codes at Shopify: what each kind is made of, how one is made once, and how it ends."""

from shopify_app.discounts.ending import deactivate
from shopify_app.discounts.inputs import CannotBeMade, Creation, creation
from shopify_app.discounts.making import issue

__all__ = ["CannotBeMade", "Creation", "creation", "deactivate", "issue"]
