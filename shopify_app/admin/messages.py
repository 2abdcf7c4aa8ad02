"""Trying a message again that was put aside."""

from flask import Blueprint
from flask.wrappers import Response

from loyalty import inbox
from shopify_app.admin.answers import done, refused
from shopify_app.admin.page import Pages


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``POST /messages/<id>/retry``."""

    @blueprint.post("/messages/<int:message_id>/retry")
    def retry_message(message_id: int) -> Response | tuple[Response, int]:
        merchant = pages.merchant()
        with pages.runtime.transaction() as session:
            due = inbox.retry(session, merchant.domain, message_id, now=pages.runtime.clock())
        if not due:
            return refused("This message is no longer put aside.", status=404)
        pages.runtime.nudge("drain_inbox", merchant.domain)
        return done("The message is being tried again", redirect=pages.link("/privacy"))
