"""Joins the pages of the admin to one blueprint."""

from flask import Blueprint

from shopify_app.admin import (
    api,
    home,
    imports,
    liability,
    member,
    member_imports,
    member_merges,
    member_rewards,
    member_tier,
    members,
    messages,
    preview,
    privacy,
    program,
    referrals,
    runs,
)
from shopify_app.admin.page import Pages


def create_blueprint(pages: Pages) -> Blueprint:
    """All pages of the admin but Klaviyo's."""
    blueprint = Blueprint("admin", __name__)
    # Before any view: letting somebody in may speak to Shopify, which no open transaction may wait for.
    blueprint.before_request(pages.let_in)
    blueprint.before_app_request(pages.show_no_such_page)
    for page in (
        api,
        home,
        imports,
        liability,
        member,
        member_imports,
        member_merges,
        member_rewards,
        member_tier,
        members,
        messages,
        preview,
        privacy,
        program,
        referrals,
        runs,
    ):
        page.add_routes(blueprint, pages)
    return blueprint
