"""Learns that a customer agreed to marketing e-mail.

The message of it names the customer and little else, and whether an account that is new carries a ticked box no message says for
certain: so the customer is read. Nobody is read while the program gives nothing for it.
"""

from datetime import datetime

from sqlmodel import Session

from loyalty import outbox, programs
from loyalty.core.facts import ShopMessage
from loyalty.delivery import Delivered, Dropped, Outcome, Refused
from loyalty.inbox import Malformed
from loyalty.models import Shop
from shopify_app import documents
from shopify_app.admin_api import AdminClient
from shopify_app.customer_node import customer_of_node
from shopify_app.errors import Unreachable
from shopify_app.gids import gid

CONSENT_TOPIC = "customers_email_marketing_consent/update"
REREAD_CUSTOMER = "reread_customer"


def consent_changed(session: Session, shop: Shop, message: ShopMessage, now: datetime) -> None:
    """Queue the reading of a customer who may have agreed, once per occasion."""
    assert shop.id is not None
    try:
        program = programs.current(session, shop.id)
    except programs.NoProgram:
        return
    if not program.actions("newsletter"):
        return
    customer_id, occasion = message.payload["customer_id"], message.payload["occasion"]
    outbox.put(
        session,
        shop.id,
        outbox.SHOPIFY,
        REREAD_CUSTOMER,
        f"customer:{customer_id}:{occasion}",
        {"customer_id": customer_id},
        occurred_at=now,
        now=now,
    )


def reread_customer(api: AdminClient, customer_id: int) -> Outcome:
    """The customer as a fact. Raises ``ShopifyError``."""
    answer = api.query(documents.CUSTOMER, {"id": gid("Customer", customer_id)})
    person = answer.data.get("customer")
    if person is None and answer.errors:
        raise Unreachable(",".join(answer.errors), status=200)
    if person is None:
        return Dropped("customer_is_gone")
    try:
        return Delivered(200, (customer_of_node(person),))
    except Malformed as error:
        return Refused(f"unreadable: {error}", 200)
