"""Settles facts: who is meant, what follows, written once.

``absorb`` may be given any facts in any order, any number of times: it ends at the same ledger. It opens no transaction.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, select

from loyalty import reviews
from loyalty.book import Account, Book, OrderRecord
from loyalty.core.decide import Standing, decide_customer, decide_order
from loyalty.core.facts import (
    CustomerDeleted,
    CustomerSeen,
    CustomersMerged,
    Fact,
    Identity,
    OrderChanged,
    OrderSeen,
    OrderSnapshot,
    ReviewSeen,
    RewardFailed,
    RewardIssued,
)
from loyalty.core.ledger import Source
from loyalty.models import RewardIssue, Shop
from loyalty.redemption import reward_failed, reward_issued

_REPLICA_LAG = timedelta(seconds=20)


def absorb(session: Session, shop: Shop, facts: Sequence[Fact], *, now: datetime) -> frozenset[str]:
    """Settle facts in the order given. Returns the outbox channels that have something to send now."""
    if not facts:
        return frozenset()
    book = Book(session, shop, now=now)
    _load(book, facts)
    for fact in facts:
        _settle(book, fact)
    reviews.settle_waiting(book, _customers(book, facts))
    _mark_used_rewards(book, facts)
    return book.write()


def _load(book: Book, facts: Sequence[Fact]) -> None:
    customer_ids: set[int] = set()
    emails: set[str] = set()
    sources: set[Source] = set()
    for fact in facts:
        match fact:
            case CustomerSeen(identity=identity):
                sources.add(_signup(identity))
                _name(identity, customer_ids, emails)
            case OrderSeen(identity=identity):
                _name(identity, customer_ids, emails)
            case CustomerDeleted(customer_id=customer_id):
                customer_ids.add(customer_id)
            case CustomersMerged(kept_customer_id=kept, deleted_customer_id=deleted):
                customer_ids.update((kept, deleted))
            case ReviewSeen(review_id=review_id, email=email):
                sources.add(reviews.source(review_id))
                _name(Identity(None, email), customer_ids, emails)
    book.load_people(customer_ids, emails)
    book.load_orders([fact.order.order_id for fact in facts if isinstance(fact, OrderSeen)])
    book.load_posted(sources)


def _customers(book: Book, facts: Sequence[Fact]) -> Iterator[Account]:
    """The accounts of the customers that were seen, and are still there."""
    for fact in facts:
        if isinstance(fact, CustomerSeen):
            account = book.by_customer(fact.identity.customer_id)
            if account is not None and account.state not in ("redacted", "deleted"):
                yield account


def _name(identity: Identity, customer_ids: set[int], emails: set[str]) -> None:
    if identity.customer_id is not None:
        customer_ids.add(identity.customer_id)
    if identity.email:
        emails.add(identity.email)


def _settle(book: Book, fact: Fact) -> None:
    match fact:
        case CustomerSeen():
            _customer_seen(book, fact)
        case CustomerDeleted():
            account = book.by_customer(fact.customer_id)
            # A customer that was merged away is found as the kept one, who is not deleted by that.
            if (
                account is not None
                and account.shopify_customer_id == fact.customer_id
                and account.state != "redacted"
            ):
                account.state, account.changed = "deleted", True
        case CustomersMerged():
            _customers_merged(book, fact)
        case OrderSeen():
            _order_seen(book, fact)
        case OrderChanged():
            unique_id = f"reread:{fact.order_id}:{fact.signal}"
            book.tell_shopify("reread_order", unique_id, {"order_id": fact.order_id})
        case ReviewSeen():
            reviews.review_seen(book, fact)
        case RewardIssued():
            reward_issued(book, fact)
        case RewardFailed():
            reward_failed(book, fact)
        case _:
            raise TypeError(f"{type(fact).__name__} is not a fact about points")


def _customer_seen(book: Book, fact: CustomerSeen) -> None:
    account = _account_of_customer(book, fact)
    if account.state in ("redacted", "deleted"):
        return
    is_own_record = account.shopify_customer_id == fact.identity.customer_id
    known_at = account.customer_updated_at
    if is_own_record and (known_at is None or fact.updated_at >= known_at):
        _take_details(book, account, fact)
    total, count = book.posted(_signup(fact.identity))
    standing = Standing(account.balance, joined=account.joined_at is not None, posted=total, postings=count)
    decision = decide_customer(standing, fact, book.program, earning_since=book.shop.first_installed_at)
    if decision.joins:
        account.joined_at, account.state, account.changed = fact.created_at, "member", True
    book.post(account, decision.entries, decision.news)


def _account_of_customer(book: Book, fact: CustomerSeen) -> Account:
    """The customer's account; a guest who turns up with a customer record under the same e-mail is that customer."""
    account = book.by_customer(fact.identity.customer_id)
    if account is not None:
        return account
    guest = book.by_email(fact.identity.email)
    if guest is not None and guest.shopify_customer_id is None:
        book.rename(guest, customer_id=fact.identity.customer_id, email=guest.email)
        return guest
    return book.open_account(fact.identity.customer_id, None if guest is not None else fact.identity.email)


def _take_details(book: Book, account: Account, fact: CustomerSeen) -> None:
    email = fact.identity.email
    if email and email != account.email:
        guest = book.by_email(email)
        if guest is not None and guest is not account and guest.shopify_customer_id is None:
            book.merge(guest, account)
        book.rename(account, customer_id=account.shopify_customer_id, email=email)
    # Webhooks about customers do not tell the language; what an import told stays.
    details = (fact.first_name, fact.last_name, fact.locale or account.locale, fact.updated_at)
    known = (account.first_name, account.last_name, account.locale, account.customer_updated_at)
    if details != known:
        account.first_name, account.last_name, account.locale, account.customer_updated_at = details
        account.changed = True


def _customers_merged(book: Book, fact: CustomersMerged) -> None:
    """Move everything of the deleted customer to the kept one, once: a merged account is found through the kept one ever after."""
    kept = book.by_customer(fact.kept_customer_id) or book.open_account(fact.kept_customer_id, None)
    deleted = book.by_customer(fact.deleted_customer_id)
    if deleted is None:
        # Nothing is known of the deleted customer yet: leave a signpost, so that its late orders find the kept account.
        deleted = book.open_account(fact.deleted_customer_id, None)
    if deleted is not kept:
        book.merge(deleted, kept)


def _order_seen(book: Book, fact: OrderSeen) -> None:
    record = _record(book, fact)
    if record.account is None:
        record.account = _buyer(book, fact.identity)
        record.changed = record.changed or record.account is not None
    if record.account is None or record.account.state == "redacted":
        return
    program = book.program_at(record.program_version)
    newest = OrderSeen(
        record.snapshot, fact.identity, authoritative=record.authoritative, history=fact.history
    )
    standing = Standing(record.account.balance, joined=True, posted=record.posted, postings=record.postings)
    decision = decide_order(standing, newest, program)
    if decision.reread:
        _reread(book, record, record.snapshot.updated_at.isoformat(), history=fact.history)
    if decision.entries:
        record.posted += sum(entry.points for entry in decision.entries)
        record.postings += len(decision.entries)
        record.program_version = program.version
        record.changed = True
        book.post(record.account, decision.entries, decision.news)


def _record(book: Book, fact: OrderSeen) -> OrderRecord:
    """The order's record with the newest snapshot of those seen; of two of the same second, the one that we asked for.

    Shopify's times are whole seconds. Two webhooks of one second that differ do not tell which is the later, so the order is read.
    """
    record = book.orders.get(fact.order.order_id)
    if record is None:
        record = OrderRecord(fact.order.order_id, fact.order, fact.authoritative)
        book.orders[record.order_id] = record
        return record
    seen, known = fact.order.updated_at, record.snapshot.updated_at
    if seen > known or (seen == known and fact.authoritative):
        record.snapshot, record.authoritative, record.changed = fact.order, fact.authoritative, True
    elif seen == known and not _same_state(fact.order, record.snapshot):
        _reread(book, record, f"{seen.isoformat()}:{_digest(fact.order)}")
    elif seen < known and fact.authoritative and not record.authoritative:
        # A reading that is older than what a webhook told came from a replica that lags: ask again, a little later.
        _reread(book, record, f"{known.isoformat()}:{book.now.isoformat()}", delay=_REPLICA_LAG)
    return record


def _same_state(one: OrderSnapshot, other: OrderSnapshot) -> bool:
    """Whether both tell of the same state: a webhook does not tell what was received, so only what both tell is compared."""
    if one.received is None or other.received is None:
        one, other = replace(one, received=None), replace(other, received=None)
    return one == other


def _reread(
    book: Book, record: OrderRecord, occasion: str, *, delay: timedelta = timedelta(), history: bool = False
) -> None:
    unique_id = f"reread:{record.order_id}:{occasion}"
    payload = {"order_id": record.order_id, "history": history}
    book.tell_shopify("reread_order", unique_id, payload, delay=delay)


def _digest(order: OrderSnapshot) -> str:
    return hashlib.sha256(json.dumps(order.to_json(), sort_keys=True).encode()).hexdigest()[:16]


def _buyer(book: Book, identity: Identity) -> Account | None:
    if identity.is_nobody():
        return None
    account = book.by_customer(identity.customer_id)
    if account is not None:
        return account
    guest = book.by_email(identity.email)
    if identity.customer_id is None:
        return guest or book.open_account(None, identity.email)
    if guest is not None and guest.shopify_customer_id is None:
        book.rename(guest, customer_id=identity.customer_id, email=guest.email)
        return guest
    return book.open_account(identity.customer_id, None if guest is not None else identity.email)


def _mark_used_rewards(book: Book, facts: Sequence[Fact]) -> None:
    """An order that carries a reward's code has used it."""
    used_by: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, OrderSeen) and not fact.order.cancelled:
            used_by |= {code.upper(): fact.order.order_id for code in fact.order.discount_codes}
    if not used_by:
        return
    issues = book.session.exec(
        select(RewardIssue).where(
            RewardIssue.shop_id == book.shop_id,
            col(RewardIssue.code).in_(used_by),
            col(RewardIssue.state).in_(("issuing", "issued", "expired")),
        )
    ).all()
    for issue in issues:
        book.session.execute(
            update(RewardIssue)
            .where(col(RewardIssue.id) == issue.id)
            .values(state="used", used_at=book.now, used_order_id=used_by[issue.code or ""])
        )


def _signup(identity: Identity) -> Source:
    return Source("signup", str(identity.customer_id))
