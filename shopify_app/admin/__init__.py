"""The merchant's pages inside Shopify's admin, one module per page. A view reads, renders and answers; it decides nothing."""

from shopify_app.admin.blueprint import create_blueprint
from shopify_app.admin.page import Pages

__all__ = ["Pages", "create_blueprint"]
