"""The list of members: search, order, and pages that stay fast at any depth."""

from typing import cast

from flask import Blueprint, request
from flask.wrappers import Response

from loyalty.statement import members as statement
from loyalty.statement.keyset import parse_cursor
from shopify_app.admin.page import Pages

_LONGEST_SEARCH = 200


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /members``."""

    @blueprint.get("/members")
    def show_members() -> Response:
        asked = request.args
        search = asked.get("q", "").replace("\x00", "").strip()[:_LONGEST_SEARCH]
        sort = cast(
            "statement.Sort", asked.get("sort") if asked.get("sort") in statement.KEY_SIZES else "newest"
        )
        state = asked.get("state", "") if asked.get("state") in statement.STATES else ""
        cursor = parse_cursor(asked.get("at"), size=statement.KEY_SIZES[sort])
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            assert shop.id is not None
            found = statement.members_page(
                session, shop.id, search=search, state=state, sort=sort, cursor=cursor
            )
            return pages.render(
                "admin/members.html",
                shop,
                list=found,
                q=search,
                sort=sort,
                state=state,
                states=statement.STATES,
                at=cursor,
            )
