"""The app proxy: what a shopper's browser may ask and do. Shopify signs every request and says who is logged in.

A signed address can be replayed for a minute and a half, so nothing changes on GET, but that a guest who is logged in is a member from
then on; a POST that is repeated is the same redemption, action or birthday. The customer is only ever the signed ``logged_in_customer_id``.
"""

from shopify_app.storefront.door import create_blueprint

__all__ = ["create_blueprint"]
