"""Orders: the newest state that was seen, whose they are, and what they are worth."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from loyalty import outbox
from loyalty.book import Account, Book, OrderRecord
from loyalty.core.decide import decide_order, order_credit
from loyalty.core.facts import Identity, OrderSeen, OrderSnapshot, OrderUnreadable
from loyalty.core.orders import counted_amount, is_newer, keep_catalogue
from loyalty.core.standing import OrderCredit
from loyalty.points.climbing import climb
from loyalty.points.identities import account_for

_REPLICA_LAG = timedelta(seconds=20)


def order_seen(book: Book, fact: OrderSeen) -> None:
    """Settle an order at the newest of its states, whichever came last."""
    record = _record(book, fact)
    if record.account is None:
        record.account = account_for(book, fact.identity)
        record.changed = record.changed or record.account is not None
    if record.account is not None and record.account.state == "redacted" and record.snapshot.address_mark:
        record.snapshot, record.changed = replace(record.snapshot, address_mark=None), True
    _settle(book, record, history=fact.history)


def order_unreadable(book: Book, fact: OrderUnreadable) -> None:
    """Settle an order at what was told of it: nobody will say more. One that was never told of is nobody's."""
    record = book.orders.get(fact.order_id)
    if record is not None:
        record.unreadable = record.changed = True
        _settle(book, record, history=False)


def settle_again(book: Book, account: Account, *, history: bool, only: Collection[int] | None = None) -> None:
    """Settle what somebody bought as a guest (all of it, or these orders): from now on it is a member's."""
    if book.program.guests == "earn" and all(rule.guests for rule in book.program.order_rules):
        return
    records = [one for one in book.load_orders_of(account) if only is None or one.order_id in only]
    book.load_history((account,))
    for record in sorted(records, key=lambda record: (record.snapshot.created_at, record.order_id)):
        _settle(book, record, history=history)


def reread_order(
    book: Book, order_id: int, occasion: str, *, delay: timedelta = timedelta(), history: bool = False
) -> None:
    """Ask Shopify for an order, once per occasion."""
    payload = {"order_id": order_id, "history": history}
    book.tell_shopify(
        outbox.REREAD_ORDER, f"reread:{order_id}:{occasion}", payload, delay=delay, history=history
    )


def _settle(book: Book, record: OrderRecord, *, history: bool) -> None:
    account = record.account
    if account is None or account.state == "redacted":
        return
    program = book.program_at(record.pin.version if record.pin else None)
    newest = OrderSeen(
        record.snapshot,
        Identity(account.shopify_customer_id, account.email),
        authoritative=record.authoritative,
        history=history,
        unreadable=record.unreadable,
    )
    counted = counted_amount(record.snapshot, program.basis)
    decision = decide_order(account, newest, program, at=book.now, pin=record.pin, counted=counted)
    if decision.reread:
        reread_order(book, record.order_id, record.snapshot.updated_at.isoformat(), history=history)
        return
    if decision.pin is not None and decision.pin != record.pin:
        record.pin, record.changed = decision.pin, True
    book.apply(account, decision)
    before = record.counted
    _credit(record, account, order_credit(record.snapshot, program, counted=counted))
    climb(book, account, history=history, counts_less=record.counted < before)


def _credit(record: OrderRecord, account: Account, credit: OrderCredit) -> None:
    """Count the order for tiers and goals."""
    account.orders[record.order_id] = credit
    if record.counted != credit.amount:
        record.counted, record.changed = credit.amount, True
    if account.last_order_at is None or credit.placed_at > account.last_order_at:
        account.last_order_at, account.changed = credit.placed_at, True


def _record(book: Book, fact: OrderSeen) -> OrderRecord:
    """The order's record with the newest snapshot of those seen (``is_newer``). Two webhooks of one second that differ do not tell which is
    the later, so the order is read."""
    record = book.orders.get(fact.order.order_id)
    if record is None:
        record = OrderRecord(fact.order.order_id, fact.order, fact.authoritative)
        book.orders[record.order_id] = record
        return record
    order = keep_catalogue(fact.order, record.snapshot)
    if record.snapshot.address_mark is None and order.address_mark is not None:
        # Not everything that Shopify says tells where an order went; what does is believed, however old it is.
        record.snapshot, record.changed = replace(record.snapshot, address_mark=order.address_mark), True
    seen, known = order.updated_at, record.snapshot.updated_at
    if seen == known and not fact.authoritative and not _same_state(order, record.snapshot):
        reread_order(book, record.order_id, f"{seen.isoformat()}:{_digest(order)}")
    if is_newer(replace(fact, order=order), record.snapshot, read=record.authoritative):
        record.snapshot, record.authoritative, record.changed = order, fact.authoritative, True
        record.unreadable = False
    elif seen < known and fact.authoritative and not record.authoritative:
        # A reading that is older than what a webhook told came from a replica that lags: ask again, a little later.
        occasion = f"{known.isoformat()}:{book.now.isoformat()}"
        reread_order(book, record.order_id, occasion, delay=_REPLICA_LAG)
    return record


def _same_state(one: OrderSnapshot, other: OrderSnapshot) -> bool:
    """Whether two snapshots say the same, as far as both say it: only a reading tells the money received."""
    if one.received is None or other.received is None:
        one, other = replace(one, received=None), replace(other, received=None)
    return one == other


def _digest(order: OrderSnapshot) -> str:
    return hashlib.sha256(json.dumps(order.to_json(), sort_keys=True).encode()).hexdigest()[:16]
