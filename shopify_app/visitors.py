"""Who stands at the storefront, as Shopify signed it, and how somebody is refused there. Every door below ``/proxy`` begins here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from flask import abort, jsonify, request
from sqlmodel import Session, select

from loyalty import programs
from loyalty.core.facts import CustomerVisited, Identity
from loyalty.core.program import Program
from loyalty.database import retry_on_conflict
from loyalty.inbox import Malformed
from loyalty.models import Member, Shop
from loyalty.points import absorb
from loyalty.programs import NoProgram
from loyalty.runtime import Runtime
from shopify_app import reading
from shopify_app.config import ShopifyConfig, canonical_domain
from shopify_app.phrases import ENGLISH, LANGUAGES, Language, spoken
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
    customer = signed.get("logged_in_customer_id", "")
    is_number = customer.isascii() and customer.isdigit() and len(customer) <= 18
    prefix = signed.get("path_prefix", "")
    with runtime.reading() as session:
        shop = session.exec(select(Shop).where(Shop.domain == domain)).first() if domain else None
        if shop is None or shop.uninstalled_at is not None:
            refuse("not_installed")
        visitor = Visitor(
            shop, int(customer) if is_number else None, prefix if _PREFIX.fullmatch(prefix) else None
        )
        person = person_of(session, visitor)
        is_guest = person is not None and person.state == "guest"
    if is_guest:
        _welcome(runtime, visitor)
    return visitor


@retry_on_conflict
def _welcome(runtime: Runtime, visitor: Visitor) -> None:
    """Whoever Shopify says is logged in has an account, also where the customer's record does not tell: a guest is a member from now on."""
    now = runtime.clock()
    visited = CustomerVisited(Identity(visitor.customer_id, None), now)
    with runtime.transaction() as session:
        channels = absorb(session, session.get_one(Shop, visitor.shop.id), (visited,), now=now)
    for channel in sorted(channels):
        runtime.nudge("drain_outbox", visitor.shop.id or 0, channel)


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


def language_of_request() -> Language:
    """The visitor's language: the one that is asked for by name, else what the browser prefers, else English."""
    named = request.args.get("language")
    if named is not None:
        return LANGUAGES.get(named, ENGLISH)
    return spoken(tag for tag, quality in request.accept_languages if quality > 0)


def refuse(code: str, *, status: int | None = None, **more: Any) -> NoReturn:
    """End the request: the code for scripts, a sentence for people in their language."""
    language = language_of_request()
    phrase = f"refused_{code}" if f"refused_{code}" in language.phrases else "refused_not_available"
    response = jsonify(error=code, message=language.say(phrase), **more)
    response.status_code = status or _STATUS.get(code, 409)
    abort(response)
