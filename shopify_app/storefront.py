"""The app proxy: what a shopper's browser may ask and do. Shopify signs every request and says who is logged in.

A signed address can be replayed for a minute and a half, so nothing changes on GET; a POST names its own key, so a repeat is the
same redemption. The customer is only ever the signed ``logged_in_customer_id``.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from flask import Blueprint, Response, abort, jsonify, request
from sqlmodel import Session, col, select

from loyalty import outbox, programs
from loyalty.core.decide import RewardRefused
from loyalty.core.facts import RewardRequested
from loyalty.core.program import Program
from loyalty.models import Member, RewardIssue, Shop
from loyalty.programs import NoProgram
from loyalty.redemption import request_reward
from loyalty.runtime import Runtime
from shopify_app.config import ShopifyConfig, canonical_domain
from shopify_app.program_view import program_view
from shopify_app.signatures import SignatureRefused, verified_proxy_query

LARGEST_BODY = 16 * 1024
MOST_ISSUES = 20
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_PREFIX = re.compile(r"/[A-Za-z0-9_-]{1,40}/[A-Za-z0-9_-]{1,40}")
_SHOWN_CODES = frozenset({"issued", "used", "expired"})
_STATUS = {
    "not_signed_in": 403,
    "unknown_reward": 404,
    "not_found": 404,
    "not_installed": 404,
    "not_enough_points": 409,
    "not_available": 409,
    "bad_request": 422,
}
_MESSAGES = {
    "bad_signature": "This address has run out. Reload the page.",
    "not_signed_in": "Log in to use your points.",
    "unknown_reward": "This reward is not offered any more.",
    "not_found": "There is no such reward of yours.",
    "not_installed": "The rewards program is not running here.",
    "not_enough_points": "You do not have enough points for this reward yet.",
    "not_available": "This reward cannot be had right now.",
    "bad_request": "The request could not be understood.",
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is at the storefront, as Shopify signed it. ``customer_id`` is None for somebody who is not logged in."""

    shop: Shop
    customer_id: int | None
    prefix: str | None


def create_blueprint(runtime: Runtime, config: ShopifyConfig) -> Blueprint:
    """The routes below ``/proxy``."""
    blueprint = Blueprint("storefront", __name__, url_prefix="/proxy")

    @blueprint.after_request
    def never_stored(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get("/member")
    def member() -> Response:
        visitor = _visitor(runtime, config)
        with runtime.reading() as session:
            person = _person(session, visitor)
            return jsonify(_member_answer(session, visitor, person, now=runtime.clock()))

    @blueprint.post("/redeem")
    def redeem() -> tuple[Response, int]:
        visitor = _visitor(runtime, config)
        reward, key = _asked_for()
        answer = _redeem(runtime, visitor, reward, key)
        runtime.nudge("drain_outbox", visitor.shop.id or 0, outbox.SHOPIFY)
        return jsonify(answer), 202

    @blueprint.get("/rewards/<issue_id>")
    def reward(issue_id: str) -> Response:
        visitor = _visitor(runtime, config)
        if visitor.customer_id is None:
            _refuse("not_signed_in")
        with runtime.reading() as session:
            person = _person(session, visitor)
            issue = session.get(RewardIssue, issue_id)
            if person is None or issue is None or issue.member_id != person.id:
                _refuse("not_found")
            return jsonify(issue=_issue(issue, now=runtime.clock()), balance=person.balance)

    return blueprint


def _visitor(runtime: Runtime, config: ShopifyConfig) -> Visitor:
    query = request.query_string.decode("latin-1")
    try:
        signed = verified_proxy_query(query, config.secrets, now=runtime.clock())
    except SignatureRefused:
        _refuse("bad_signature", status=401)
    domain = canonical_domain(signed.get("shop"))
    with runtime.reading() as session:
        shop = session.exec(select(Shop).where(Shop.domain == domain)).first() if domain else None
    if shop is None or shop.uninstalled_at is not None:
        _refuse("not_installed")
    customer = signed.get("logged_in_customer_id", "")
    is_number = customer.isascii() and customer.isdigit() and len(customer) <= 18
    prefix = signed.get("path_prefix", "")
    return Visitor(shop, int(customer) if is_number else None, prefix if _PREFIX.fullmatch(prefix) else None)


def _person(session: Session, visitor: Visitor) -> Member | None:
    """The member, or the one that theirs was merged into; None for somebody that we have not met."""
    if visitor.customer_id is None:
        return None
    person = session.exec(
        select(Member).where(
            Member.shop_id == visitor.shop.id, Member.shopify_customer_id == visitor.customer_id
        )
    ).first()
    while person is not None and person.merged_into is not None:
        person = session.get(Member, person.merged_into)
    return person


def _member_answer(
    session: Session, visitor: Visitor, person: Member | None, *, now: datetime
) -> dict[str, Any]:
    program = _program(session, visitor)
    view = program_view(program, currency=visitor.shop.currency)
    if visitor.prefix is not None:
        view["proxy"] = visitor.prefix  # merchants may move the proxy
    balance = person.balance if person is not None else 0
    state = person.state if person is not None else "member"
    issues = _issues(session, person) if person is not None else []
    return {
        "program": view,
        "member": None if visitor.customer_id is None else {"balance": balance, "pending": 0, "state": state},
        "rewards": [
            {
                "key": reward.key,
                "title": reward.title,
                "points": reward.points,
                "affordable": visitor.customer_id is not None and balance >= reward.points,
                "missing": max(reward.points - balance, 0),
            }
            for reward in program.rewards
        ],
        "issues": [_issue(issue, now=now) for issue in issues],
    }


def _redeem(runtime: Runtime, visitor: Visitor, reward: str, key: str) -> dict[str, Any]:
    now = runtime.clock()
    if visitor.customer_id is None:
        _refuse("not_signed_in")
    with runtime.transaction() as session:
        person = _person(session, visitor)
        if person is None:
            _refuse_stranger(_program(session, visitor), reward)
        shop = session.get_one(Shop, visitor.shop.id)
        asked = RewardRequested(reward, key, uuid.uuid4().hex, now)
        try:
            issue = request_reward(session, shop, person, asked, now=now)
        except RewardRefused as refused:
            missing = {"missing": refused.missing} if refused.missing else {}
            _refuse(refused.code, **missing)
        session.refresh(person)
        return {"issue": _issue(issue, now=now), "balance": person.balance}


def _refuse_stranger(program: Program, reward: str) -> NoReturn:
    """Somebody who is logged in and whom we have not met has no points yet; their record is on its way to us."""
    wanted = program.reward(reward)
    if wanted is None:
        _refuse("unknown_reward")
    _refuse("not_enough_points", missing=wanted.points)


def _asked_for() -> tuple[str, str]:
    request.max_content_length = LARGEST_BODY
    body = request.get_json(silent=True) if (request.content_length or 0) <= LARGEST_BODY else None
    if not isinstance(body, dict):
        _refuse("bad_request")
    reward, key = body.get("reward"), body.get("key")
    if not isinstance(reward, str) or not isinstance(key, str) or len(reward) > 50 or not _KEY.fullmatch(key):
        _refuse("bad_request")
    return reward, key


def _program(session: Session, visitor: Visitor) -> Program:
    try:
        return programs.current(session, visitor.shop.id or 0)
    except NoProgram:
        _refuse("not_installed")


def _issues(session: Session, person: Member) -> list[RewardIssue]:
    return list(
        session.exec(
            select(RewardIssue)
            .where(RewardIssue.member_id == person.id)
            .order_by(col(RewardIssue.created_at).desc(), col(RewardIssue.id).desc())
            .limit(MOST_ISSUES)
        ).all()
    )


def _issue(issue: RewardIssue, *, now: datetime) -> dict[str, Any]:
    is_over = issue.state == "issued" and issue.expires_at is not None and issue.expires_at <= now
    state = "expired" if is_over else issue.state
    return {
        "id": issue.id,
        "title": issue.title,
        "points": issue.points,
        "state": state,
        # Until Shopify has the discount the code would only disappoint.
        "code": issue.code if state in _SHOWN_CODES else None,
        "expires_at": issue.expires_at.isoformat() if issue.expires_at else None,
    }


def _refuse(code: str, *, status: int | None = None, **more: Any) -> NoReturn:
    response = jsonify(error=code, message=_MESSAGES.get(code, _MESSAGES["not_available"]), **more)
    response.status_code = status or _STATUS.get(code, 409)
    abort(response)
