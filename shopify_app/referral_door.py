"""The app proxy's doors for referrals: a member's own link and friends, and the offer that friends take up. See ``docs/storefront.md``."""

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, jsonify
from sqlmodel import Session

from loyalty import referrals
from loyalty.core.email import normal_email
from loyalty.core.moments import day_of
from loyalty.core.program import Program, Referrals
from loyalty.database import retry_on_conflict
from loyalty.models import Member, Shop
from loyalty.runtime import Runtime
from loyalty.statement.referrals import own_referrals
from shopify_app.config import ShopifyConfig
from shopify_app.origins import device_of
from shopify_app.referral_claims import claim_answer, claim_of, minimum_of, open_offer_of, take_claim
from shopify_app.visitors import Visitor, body_of_request, person_of, program_of, refuse, visitor_of


def create_blueprint(runtime: Runtime, config: ShopifyConfig) -> Blueprint:
    """The routes below ``/proxy/referral``."""
    blueprint = Blueprint("referrals", __name__, url_prefix="/proxy/referral")

    @blueprint.after_request
    def never_stored(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    _add_member_routes(blueprint, runtime, config)
    _add_friend_routes(blueprint, runtime, config)
    return blueprint


def _add_member_routes(blueprint: Blueprint, runtime: Runtime, config: ShopifyConfig) -> None:
    @blueprint.get("")
    def own() -> Response:
        visitor = visitor_of(runtime, config)
        with runtime.reading() as session:
            person = _member(session, visitor)
            _refuse_closed(session, visitor, person, now=runtime.clock())
            code = referrals.code_in_use(session, person)
        if code is None:
            with runtime.transaction() as session:
                code = referrals.take_other_code(session, _member(session, visitor))
        with runtime.reading() as session:
            program = program_of(session, visitor)
            return jsonify(_own_answer(session, visitor, person, program, code))

    @blueprint.post("/device")
    @retry_on_conflict
    def device() -> tuple[str, int]:
        visitor = visitor_of(runtime, config)
        said = body_of_request().get("device")
        with runtime.transaction() as session:
            person = _member(session, visitor)
            hashed = device_of(runtime.cipher, session.get_one(Shop, visitor.shop.id), said)
            if hashed is None:
                refuse("bad_request")
            referrals.note_device(session, person.shop_id, person.id or 0, hashed, now=runtime.clock())
        return "", 204

    @blueprint.post("/share")
    @retry_on_conflict
    def share() -> tuple[Response, int]:
        visitor = visitor_of(runtime, config)
        emails = _addresses(body_of_request().get("emails"))
        with runtime.transaction() as session:
            person = _member(session, visitor)
            shop = session.get_one(Shop, visitor.shop.id)
            try:
                channels = referrals.share(
                    session, shop, person, emails, new_key=lambda: uuid.uuid4().hex, now=runtime.clock()
                )
            except referrals.ReferralRefused as refused:
                refuse(refused.code)
        for channel in sorted(channels):
            runtime.nudge("drain_outbox", visitor.shop.id or 0, channel)
        return jsonify(sent=len(emails)), 202


def _add_friend_routes(blueprint: Blueprint, runtime: Runtime, config: ShopifyConfig) -> None:
    @blueprint.get("/codes/<code>")
    def offer(code: str) -> Response:
        visitor = visitor_of(runtime, config)
        with runtime.reading() as session:
            offered = open_offer_of(session, visitor, code, now=runtime.clock())
            terms = offered.terms
            return jsonify(
                offer={
                    "code": code,
                    "title": terms.title,
                    "friend": {"title": offered.friend_title},
                    "minimum": str(terms.minimum) if terms.minimum else None,
                    "currency": visitor.shop.currency,
                    "amount": minimum_of(visitor, offered.program),
                }
            )

    @blueprint.post("/claim")
    def claim() -> tuple[Response, int]:
        visitor = visitor_of(runtime, config)
        body = body_of_request()
        claimed = take_claim(
            runtime, visitor, code=body.get("code"), email=body.get("email"), device=body.get("device")
        )
        with runtime.reading() as session:
            return jsonify(claim_answer(session, claimed)), 202

    @blueprint.get("/claims/<key>")
    def claimed(key: str) -> Response:
        visitor = visitor_of(runtime, config)
        with runtime.reading() as session:
            found = claim_of(session, visitor, key)
            if found is None:
                refuse("not_found")
            return jsonify(claim_answer(session, found))


def _member(session: Session, visitor: Visitor) -> Member:
    if visitor.customer_id is None:
        refuse("not_signed_in")
    if program_of(session, visitor).referrals is None:
        refuse("no_referrals")
    person = person_of(session, visitor)
    if person is None or person.state != "member":
        refuse("not_available")  # their record is on its way to us
    return person


def _refuse_closed(session: Session, visitor: Visitor, person: Member, *, now: datetime) -> None:
    """Nobody shares a link that nobody can take up."""
    program = program_of(session, visitor)
    assert program.referrals is not None
    closed = program.referrals.closed(day_of(now, program.timezone), person.tier)
    if closed is not None:
        refuse(closed)


def _addresses(emails: object) -> list[str]:
    if not isinstance(emails, list) or not 0 < len(emails) <= referrals.MOST_AT_ONCE:
        refuse("bad_request")
    read = [(email, normal_email(email) if isinstance(email, str) else None) for email in emails]
    if wrong := [email for email, address in read if address is None]:
        refuse("bad_email", emails=wrong)
    return [address for _, address in read if address is not None]


def _own_answer(
    session: Session, visitor: Visitor, person: Member, program: Program, code: str
) -> dict[str, Any]:
    assert program.referrals is not None
    mine = own_referrals(session, person.id or 0)
    return {
        "referral": _terms(program, program.referrals, visitor)
        | {
            "code": code,
            "link": referrals.link_of(visitor.shop.domain, code),
            "page": f"https://{visitor.shop.domain}{visitor.prefix or '/apps/laurel'}/r/{quote(code, safe='')}",
        },
        "counts": {**mine.counts, "points": mine.points, "pending": mine.pending},
        "friends": [
            {
                "friend": row.friend,
                "state": row.state,
                "points": row.points,
                "at": row.at.isoformat(),
                "due": row.due.isoformat() if row.due else None,
            }
            for row in mine.friends
        ],
    }


def _terms(program: Program, terms: Referrals, visitor: Visitor) -> dict[str, Any]:
    friend = program.reward(terms.friend)
    gift = program.reward(terms.advocate.reward) if terms.advocate.reward else None
    return {
        "title": terms.title,
        "friend": {"title": friend.title if friend else terms.title},
        "advocate": {"points": terms.advocate.points, "title": gift.title if gift else None},
        "minimum": str(terms.minimum) if terms.minimum else None,
        "currency": visitor.shop.currency,
        "amount": minimum_of(visitor, program),
    }
