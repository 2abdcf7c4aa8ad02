"""Joins the pages of the admin to one blueprint."""

from flask import Blueprint

from shopify_app.admin import home, imports, member, members, messages, privacy, program, runs
from shopify_app.admin.page import Pages
from shopify_app.admin.privacy import Export


def create_blueprint(pages: Pages, export: Export) -> Blueprint:
    """All pages of the admin but Klaviyo's. ``export`` gives everything that is kept of one member."""
    blueprint = Blueprint("admin", __name__)
    # Before any view: letting somebody in may speak to Shopify, which no open transaction may wait for.
    blueprint.before_request(pages.let_in)
    for page in (home, imports, member, members, messages, program, runs):
        page.add_routes(blueprint, pages)
    privacy.add_routes(blueprint, pages, export)
    return blueprint
