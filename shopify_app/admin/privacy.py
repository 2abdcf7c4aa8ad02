"""What customers asked for by way of Shopify, the data to answer them with, and the messages that were put aside."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from flask import Blueprint, abort
from flask.wrappers import Response
from sqlmodel import Session

from loyalty.models import Shop
from loyalty.statement import messages, privacy
from shopify_app.admin.page import Pages

log = structlog.get_logger(__name__)


class Export(Protocol):
    """Gives everything that is kept of one member of the shop, or None when there is no such member."""

    def __call__(self, session: Session, shop: Shop, member_id: int, /) -> Mapping[str, Any] | None: ...


def add_routes(blueprint: Blueprint, pages: Pages, export: Export) -> None:
    """``GET /privacy`` and ``GET /members/<id>/export.json``."""

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
            kept = export(session, pages.shop(session), member_id)
        if kept is None:
            abort(404)
        # Who looked at personal data is written down; what they saw is not.
        log.info("member_exported", shop=merchant.domain, staff=merchant.user_id, member=member_id)
        body = json.dumps(kept, ensure_ascii=False, indent=2, sort_keys=True, default=str)
        response = Response(body, mimetype="application/json")
        response.headers["Content-Disposition"] = f'attachment; filename="member-{member_id}.json"'
        response.headers["Cache-Control"] = "no-store"
        return response
