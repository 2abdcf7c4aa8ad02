"""The routes below ``/proxy`` that are about points; those about friends are in ``referral_door``."""

from typing import Any

from flask import Blueprint, Response, jsonify

from loyalty import outbox
from loyalty.models import RewardIssue
from loyalty.runtime import Runtime
from shopify_app.config import ShopifyConfig
from shopify_app.storefront.issues import issue_answer
from shopify_app.storefront.member import member_answer
from shopify_app.storefront.redeeming import redeem
from shopify_app.storefront.telling import tell_action, tell_birthday
from shopify_app.visitors import Visitor, body_of_request, language_of_request, person_of, refuse, visitor_of


def create_blueprint(runtime: Runtime, config: ShopifyConfig) -> Blueprint:
    """``/proxy/member``, ``redeem``, ``rewards``, ``actions`` and ``birthday``."""
    blueprint = Blueprint("storefront", __name__, url_prefix="/proxy")

    @blueprint.after_request
    def never_stored(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get("/member")
    def member() -> Response:
        visitor = visitor_of(runtime, config)
        language = language_of_request()
        with runtime.reading() as session:
            return jsonify(member_answer(session, visitor, language=language, now=runtime.clock()))

    @blueprint.post("/redeem")
    def redeem_reward() -> tuple[Response, int]:
        visitor = visitor_of(runtime, config)
        answer = redeem(runtime, visitor, body_of_request())
        for channel in (outbox.REWARDS, outbox.SHOPIFY):
            runtime.nudge("drain_outbox", visitor.shop.id or 0, channel)
        return jsonify(answer), 202

    @blueprint.get("/rewards/<issue_id>")
    def reward(issue_id: str) -> Response:
        return jsonify(_reward(runtime, visitor_of(runtime, config), issue_id))

    @blueprint.post("/actions")
    def do_action() -> Response:
        return told(tell_action)

    @blueprint.post("/birthday")
    def set_birthday() -> Response:
        return told(tell_birthday)

    def told(tell: Any) -> Response:
        visitor = visitor_of(runtime, config)
        answer, channels = tell(runtime, visitor, body_of_request())
        for channel in sorted(channels):
            runtime.nudge("drain_outbox", visitor.shop.id or 0, channel)
        return jsonify(answer)

    return blueprint


def _reward(runtime: Runtime, visitor: Visitor, issue_id: str) -> dict[str, Any]:
    """How a reward of the visitor's own is getting on."""
    if visitor.customer_id is None:
        refuse("not_signed_in")
    with runtime.reading() as session:
        person = person_of(session, visitor)
        issue = session.get(RewardIssue, issue_id)
        if person is None or issue is None or issue.member_id != person.id:
            refuse("not_found")
        return {"issue": issue_answer(issue, now=runtime.clock()), "balance": person.balance}
