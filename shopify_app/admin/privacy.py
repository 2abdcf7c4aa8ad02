"""What customers asked for by way of Shopify, the data to answer them with, and the messages that were put aside."""

import json
from collections.abc import Mapping
from typing import Any

import structlog
from flask import Blueprint, abort
from flask.wrappers import Response
from sqlmodel import col, select

from loyalty.models import Member
from loyalty.statement import messages, privacy
from shopify_app.admin.page import Pages
from shopify_app.person_export import answer_request, member_export

log = structlog.get_logger(__name__)


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /privacy``, and the data of a person: to look at, or as the answer to a request."""

    @blueprint.get("/privacy")
    def show_privacy() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            assert shop.id is not None
            return pages.render(
                "admin/privacy.html",
                shop,
                requests=privacy.requests(session, shop.id),
                parked=messages.parked(session, shop.domain),
            )

    @blueprint.get("/members/<int:member_id>/export.json")
    def export_member(member_id: int) -> Response:
        merchant = pages.merchant()
        with pages.runtime.reading() as session:
            mine = select(Member).where(col(Member.id) == member_id, col(Member.shop_id) == merchant.shop_id)
            member = session.exec(mine).first()
            kept = member_export(session, member) if member else None
        return _file(pages, f"member-{member_id}.json", kept)

    @blueprint.post("/privacy/requests/<int:request_id>/export.json")
    def answer_data_request(request_id: int) -> Response:
        merchant = pages.merchant()
        with pages.runtime.transaction() as session:
            kept = answer_request(session, merchant.shop_id, request_id, now=pages.runtime.clock())
        return _file(pages, f"data-request-{request_id}.json", kept)


def _file(pages: Pages, name: str, kept: Mapping[str, Any] | None) -> Response:
    if kept is None:
        abort(404)
    merchant = pages.merchant()
    # Who looked at personal data is written down; what they saw is not.
    log.info("person_exported", shop=merchant.domain, staff=merchant.user_id, file=name)
    response = Response(
        json.dumps(kept, ensure_ascii=False, indent=2, default=str), mimetype="application/json"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
