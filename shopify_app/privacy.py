"""Answers what the law asks for about one person: forget them, or hand over everything that is held.

The ledger stays whole: its entries name no person, so a member without name, address and customer id keeps the arithmetic true.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, update
from sqlmodel import Session, col, select

from loyalty import outbox, reviews
from loyalty.core.facts import ShopMessage
from loyalty.encryption import Cipher
from loyalty.models import InboxMessage, KlaviyoConnection, Member, PrivacyRequest, Review, Shop
from shopify_app.forgetting import forget_files, forget_merges, forget_traces

DATA_REQUEST = "data_request"
CUSTOMER_REDACT = "customer_redact"
REDACTED = "redacted"
_AT_ONCE = 200


def data_requested(session: Session, shop: Shop, message: ShopMessage, now: datetime) -> None:
    """Note that the store owner owes a customer their data; the page of requests hands it out. Nothing held, nothing owed."""
    assert shop.id is not None
    people = _people(session, shop.id, message)
    values = {
        "shop_id": shop.id,
        "kind": DATA_REQUEST,
        "request_ref": message.payload["request"],
        "member_id": people[0].id if people else None,
        "shopify_customer_id": message.payload["customer_id"],
        "received_at": now,
        "completed_at": None if people else now,
    }
    session.execute(outbox.insert_or_ignore(session, PrivacyRequest).values(values))


def customer_redacted(
    cipher: Cipher, session: Session, shop: Shop, message: ShopMessage, now: datetime
) -> None:
    """Forget a person: here, in what waits to be read, and (what we wrote) at Klaviyo."""
    assert shop.id is not None
    people = _people(session, shop.id, message)
    emails = _addresses(session, shop.id, people, message)
    _queue_forgetting(session, cipher, shop.id, sorted(emails), message, now=now)
    _forget_reviews(session, shop.id, emails)
    _forget_deliveries(session, shop.domain, message, emails, now=now)
    forget_files(session, shop.id, message.payload["customer_id"], emails)
    forget_merges(session, shop.id, emails)
    for person in people:
        _forget_requests(session, person)
        forget_traces(session, person)
        _redact(person, now=now)
        session.add(person)
    session.flush()
    values = {
        "shop_id": shop.id,
        "kind": CUSTOMER_REDACT,
        "request_ref": f"inbox:{message.payload['inbox_id']}",
        "member_id": people[0].id if people else None,
        "received_at": now,
        "completed_at": now,
    }
    session.execute(outbox.insert_or_ignore(session, PrivacyRequest).values(values))


def _people(session: Session, shop_id: int, message: ShopMessage) -> list[Member]:
    """The rows of the person: their own first, then those that were merged into it.

    Who has the person's address and a customer record of their own is another customer: Shopify asks weeks later, and whoever came back
    meanwhile has a new account under the old address.
    """
    customer_id, email = message.payload["customer_id"], message.payload["email"]
    named: list[Any] = [Member.shopify_customer_id == customer_id] if customer_id else []
    if email:
        named.append(and_(Member.email == email, col(Member.shopify_customer_id).is_(None)))
    if not named:
        return []
    found = list(
        session.exec(
            select(Member)
            .where(Member.shop_id == shop_id, or_(*named))
            .order_by(col(Member.id))
            .with_for_update()
        ).all()
    )
    found.sort(key=lambda person: person.shopify_customer_id is None)
    known = {person.id for person in found}
    layer = known
    while layer:
        absorbed = session.exec(
            select(Member)
            .where(Member.shop_id == shop_id, col(Member.merged_into).in_(layer))
            .order_by(col(Member.id))
            .with_for_update()
        ).all()
        fresh = [person for person in absorbed if person.id not in known]
        layer = {person.id for person in fresh}
        known |= layer
        found.extend(fresh)
    return found


def _addresses(session: Session, shop_id: int, people: Sequence[Member], message: ShopMessage) -> set[str]:
    """The addresses of the person. One that somebody else has by now says nothing of the person any more."""
    found = {person.email for person in people} | {message.payload["email"]}
    others = select(Member.email).where(
        Member.shop_id == shop_id,
        col(Member.email).in_(found),
        col(Member.id).not_in([person.id for person in people]),
    )
    taken = set(session.exec(others).all())
    return {email for email in found if email and email not in taken}


def _redact(person: Member, *, now: datetime) -> None:
    person.email = person.first_name = person.last_name = person.locale = None
    person.shopify_customer_id = None
    person.birthday_month = person.birthday_day = person.birthday_told_at = None
    person.referral_code = person.subscribed_at = None
    person.updated_at = now
    person.gone_at = person.gone_at or now
    if person.state != "merged":
        person.state = REDACTED


def _queue_forgetting(
    session: Session,
    cipher: Cipher,
    shop_id: int,
    emails: Sequence[str],
    message: ShopMessage,
    *,
    now: datetime,
) -> None:
    """Ask the Klaviyo edge to take our properties off."""
    linked = select(KlaviyoConnection.id).where(KlaviyoConnection.shop_id == shop_id)
    if session.exec(linked).first() is None:
        return
    request = message.payload["inbox_id"]
    rows = [
        outbox.forgetting(cipher, shop_id, email, f"forget:{request}:{place}", now=now)
        for place, email in enumerate(emails)
    ]
    outbox.put_many(session, rows)


def _forget_reviews(session: Session, shop_id: int, emails: set[str]) -> None:
    session.execute(
        update(Review)
        .where(col(Review.shop_id) == shop_id, col(Review.email).in_(emails))
        .values(email=None, state="ineligible", reason=reviews.REDACTED)
    )


def _forget_requests(session: Session, person: Member) -> None:
    session.execute(
        update(PrivacyRequest)
        .where(col(PrivacyRequest.member_id) == person.id)
        .values(shopify_customer_id=None)
    )


def _forget_deliveries(
    session: Session, domain: str, message: ShopMessage, emails: set[str], *, now: datetime
) -> None:
    """Empty the deliveries that were not settled and name the person: settled later, they would bring the person back."""
    words = [re.escape(email.encode()) for email in emails]
    if message.payload["customer_id"]:
        words.append(rb"(?<!\d)%d(?!\d)" % message.payload["customer_id"])
    if not words:
        return
    names_person = re.compile(b"|".join(words), re.IGNORECASE)
    last = 0
    while True:
        rows = session.execute(
            select(InboxMessage.id, InboxMessage.body)
            .where(
                InboxMessage.shop_domain == domain,
                col(InboxMessage.id) > last,
                InboxMessage.id != message.payload["inbox_id"],
                col(InboxMessage.state).in_(("due", "parked")),
            )
            .order_by(col(InboxMessage.id))
            .limit(_AT_ONCE)
        ).all()
        if not rows:
            return
        last = rows[-1][0]
        found = [row_id for row_id, body in rows if names_person.search(body)]
        session.execute(
            update(InboxMessage)
            .where(col(InboxMessage.id).in_(found))
            .values(state="ignored", body=b"", error=REDACTED, finished_at=now)
        )
