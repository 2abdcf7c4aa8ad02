"""Who stands at the storefront, as Shopify signed it, and how somebody is refused there. Every door below ``/proxy`` begins here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from flask import abort, jsonify, request
from sqlmodel import Session, select

from loyalty import programs
from loyalty.core.program import Program
from loyalty.inbox import Malformed
from loyalty.models import Member, Shop
from loyalty.programs import NoProgram
from loyalty.runtime import Runtime
from shopify_app import reading
from shopify_app.config import ShopifyConfig, canonical_domain
from shopify_app.signatures import SignatureRefused, verified_proxy_query

LARGEST_BODY = 16 * 1024
_PREFIX = re.compile(r"/[A-Za-z0-9_-]{1,40}/[A-Za-z0-9_-]{1,40}")
_STATUS = {
    "not_signed_in": 403,
    "unknown_reward": 404,
    "unknown_rule": 404,
    "unknown_code": 404,
    "no_referrals": 404,
    "not_found": 404,
    "not_installed": 404,
    "wrong_tier": 403,
    "out_of_schedule": 409,
    "limit_reached": 409,
    "not_enough_points": 409,
    "not_available": 409,
    "wrong_amount": 422,
    "bad_birthday": 422,
    "bad_email": 422,
    "bad_request": 422,
    "too_many": 429,
}
_MESSAGES = {
    "bad_signature": "This address has run out. Reload the page.",
    "not_signed_in": "Log in to use your points.",
    "unknown_reward": "This reward is not offered any more.",
    "unknown_rule": "There are no points for this any more.",
    "unknown_code": "This link leads nowhere. Ask your friend for a new one.",
    "no_referrals": "There are no rewards for bringing friends here right now.",
    "not_found": "There is no such reward of yours.",
    "not_installed": "The rewards program is not running here.",
    "not_enough_points": "You do not have enough points for this reward yet.",
    "wrong_tier": "This is for members of another tier.",
    "out_of_schedule": "This is not on right now.",
    "limit_reached": "You have had this as often as you can for now.",
    "wrong_amount": "Choose a number of points that this reward can be had for.",
    "bad_birthday": "There is no such day in the year.",
    "not_available": "This cannot be had right now. Try again in a moment.",
    "bad_email": "This does not look like an e-mail address.",
    "bad_request": "The request could not be understood.",
    "too_many": "That was a lot at once. Try again tomorrow.",
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is at the storefront. ``customer_id`` is None for somebody who is not logged in, ``prefix`` where the shop has the proxy."""

    shop: Shop
    customer_id: int | None
    prefix: str | None


def visitor_of(runtime: Runtime, config: ShopifyConfig) -> Visitor:
    """The visitor of this request. Ends the request when Shopify did not sign it or the app is not at home in the shop."""
    query = request.query_string.decode("latin-1")
    try:
        signed = verified_proxy_query(query, config.secrets, now=runtime.clock())
    except SignatureRefused:
        refuse("bad_signature", status=401)
    # What no database can look for is nobody's. Names in the address are the shopper's to write.
    if any("\x00" in str(name) for name in (request.view_args or {}).values()):
        refuse("not_found")
    domain = canonical_domain(signed.get("shop"))
    with runtime.reading() as session:
        shop = session.exec(select(Shop).where(Shop.domain == domain)).first() if domain else None
    if shop is None or shop.uninstalled_at is not None:
        refuse("not_installed")
    customer = signed.get("logged_in_customer_id", "")
    is_number = customer.isascii() and customer.isdigit() and len(customer) <= 18
    prefix = signed.get("path_prefix", "")
    return Visitor(shop, int(customer) if is_number else None, prefix if _PREFIX.fullmatch(prefix) else None)


def person_of(session: Session, visitor: Visitor) -> Member | None:
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


def program_of(session: Session, visitor: Visitor) -> Program:
    """The program of the visitor's shop."""
    try:
        return programs.current(session, visitor.shop.id or 0)
    except NoProgram:
        refuse("not_installed")


def body_of_request() -> Mapping[str, Any]:
    """The JSON object that was sent; ends the request when it is none."""
    request.max_content_length = LARGEST_BODY
    # A form of another site's cannot say that it is JSON.
    if not request.is_json or (request.content_length or 0) > LARGEST_BODY:
        refuse("bad_request")
    try:
        return reading.document(request.get_data())
    except Malformed:
        refuse("bad_request")


def refuse(code: str, *, status: int | None = None, **more: Any) -> NoReturn:
    """End the request: the code for scripts, a sentence for people."""
    response = jsonify(error=code, message=_MESSAGES.get(code, _MESSAGES["not_available"]), **more)
    response.status_code = status or _STATUS.get(code, 409)
    abort(response)
