"""Asks whether the app is still in a shop, when a message says that it was removed and may be an old one come late, or that the shop is
to be erased although nobody told of a removal."""

from loyalty.delivery import Delivered, Outcome
from loyalty.models import Shop
from loyalty.runtime import Runtime
from shopify_app import documents, erasure
from shopify_app.admin_api import AdminClient
from shopify_app.errors import NeedsReauthorization
from shopify_app.lifecycle import forget_access


def confirm_installed(api: AdminClient, runtime: Runtime, shop_id: int, *, erase: bool = False) -> Outcome:
    """Ask something small. If no token of ours is taken, the message was true; ``erase`` says that it asked to erase the shop. Raises
    ``ShopifyError`` otherwise."""
    try:
        api.query(documents.INSTALLATION)
    except NeedsReauthorization:
        with runtime.transaction() as session:
            shop = session.get(Shop, shop_id, with_for_update=True)
            # The merchant may have come back while we asked: then the tokens of now are not those that were refused.
            if shop is not None and shop.needs_reauthorization:
                forget_access(session, shop, now=runtime.clock())
                if erase:
                    erasure.begin(session, shop, now=runtime.clock())
    return Delivered(200)
