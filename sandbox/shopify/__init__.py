"""A local Shopify: APIs, webhooks, admin and storefront of shops that live in memory.

`start()` runs it in this process. It is strict where Shopify is strict, and never checks the app's work.
"""

from sandbox.shopify.server import DEMO_SHOP, ShopifySandbox, start

__all__ = ["DEMO_SHOP", "ShopifySandbox", "start"]
