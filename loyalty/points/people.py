"""What becomes of accounts: customers that appear, change, merge and go."""

from dataclasses import replace

from loyalty import referrals
from loyalty.book import Account, Book, merge, was_taken_back
from loyalty.core.decide import decide_customer, decide_subscription
from loyalty.core.facts import CustomerDeleted, CustomerSeen, CustomersMerged, CustomerVisited
from loyalty.points.climbing import climb
from loyalty.points.identities import account_for
from loyalty.points.orders import settle_again
from loyalty.points.settling import settle_accounts

GONE = ("redacted", "deleted")


def customer_seen(book: Book, fact: CustomerSeen) -> None:
    """A customer exists: with an account the person is a member, and earns for the account if it is new; without one a guest."""
    account = account_for(book, fact.identity)
    if account is None or account.state in GONE:
        return
    if not book.shop.classic_accounts:
        # Customers log in with a code: whoever has a record can, whatever it says.
        fact = replace(fact, has_account=True)
    is_own_record = account.shopify_customer_id == fact.identity.customer_id
    known_at = account.customer_updated_at
    if is_own_record and (known_at is None or fact.updated_at >= known_at):
        _take_details(book, account, fact)
    if known_at is not None and account.joined_at is None:
        # The record was a guest's: the account is younger than it.
        fact = replace(fact, created_at=max(fact.created_at, fact.updated_at))
    _greet(book, account, fact)


def customer_visited(book: Book, fact: CustomerVisited) -> None:
    """Whoever is logged in has an account. Somebody who is not known yet is met when Shopify tells of them."""
    account = book.by_customer(fact.identity.customer_id)
    if account is None or account.state in GONE or account.joined_at is not None:
        return
    updated_at = account.customer_updated_at or fact.at
    names = (account.first_name, account.last_name, account.locale)
    _greet(book, account, CustomerSeen(fact.identity, *names, created_at=fact.at, updated_at=updated_at))


def _greet(book: Book, account: Account, fact: CustomerSeen) -> None:
    """Let somebody join whom this shows to have an account, and give what an account and agreeing to e-mail earn."""
    since, program = book.shop.first_installed_at, book.program
    decision = decide_customer(account, fact, program, earning_since=since, at=book.now)
    if decision.joins:
        account.joined_at, account.state, account.is_guest, account.changed = (
            fact.created_at,
            "member",
            False,
            True,
        )
        # A guest who agreed to e-mail earns for it with the account.
        fact = replace(fact, subscribed_at=fact.subscribed_at or account.subscribed_at)
    book.apply(account, decision)
    if program.actions("newsletter") and fact.subscribed_at is not None:
        book.ensure_ids()
        book.load_history((account,))
        book.apply(account, decide_subscription(account, fact, program, earning_since=since, at=book.now))
    if decision.joins:
        settle_again(book, account, history=fact.history)
    climb(book, account)


def customer_deleted(book: Book, fact: CustomerDeleted) -> None:
    """The customer record is gone. One that was merged away is found as the kept one, who is not deleted by that."""
    account = book.by_customer(fact.customer_id)
    if (
        account is not None
        and account.shopify_customer_id == fact.customer_id
        and account.state != "redacted"
    ):
        account.state, account.changed = "deleted", True
        account.gone_at = account.gone_at or book.now


def customers_merged(book: Book, fact: CustomersMerged) -> None:
    """Move everything of the deleted customer to the kept one, once: a merged account is found through the kept one ever after."""
    kept = book.by_customer(fact.kept_customer_id) or book.open_account(fact.kept_customer_id, None)
    deleted = book.by_customer(fact.deleted_customer_id)
    if deleted is None:
        # Nothing is known of the deleted customer yet: leave a signpost, so that its late orders find the kept account.
        deleted = book.open_account(fact.deleted_customer_id, None)
    if deleted is not kept and not was_taken_back(book, deleted, kept, merged_at=fact.merged_at):
        _join(book, deleted, kept, history=False)
        climb(book, kept)


def _join(book: Book, source: Account, kept: Account, *, history: bool) -> None:
    """Make one of two. What the one had bought as a guest is a member's if the other is one."""
    was_guest, kept_was_guest = source.is_guest and not kept.is_guest, kept.is_guest
    bought = {record.order_id for record in book.load_orders_of(source)} if was_guest else set()
    merge(book, source, kept)
    if kept_was_guest and not kept.is_guest:
        settle_again(book, kept, history=history)
    elif bought:
        settle_again(book, kept, history=history, only=bought)
    referrals.settle_members(book, (kept,), settle_accounts)


def _take_email(book: Book, account: Account, fact: CustomerSeen) -> None:
    """Let the customer have the address that they have at Shopify, unless somebody else has it there since, or a guest bought under it and
    nobody knows yet that they are the same."""
    email = fact.identity.email
    holder = book.by_email(email)
    if not email or holder is account:
        return
    if holder is not None and holder.shopify_customer_id is None:
        if not fact.identity.verified:
            return
        _join(book, holder, account, history=fact.history)
    elif holder is not None and holder.customer_updated_at and holder.customer_updated_at > fact.updated_at:
        return
    book.rename(account, customer_id=account.shopify_customer_id, email=email)


def _take_details(book: Book, account: Account, fact: CustomerSeen) -> None:
    _take_email(book, account, fact)
    # Webhooks about customers tell neither the language nor the consent; what a reading told stays.
    details = (
        fact.first_name,
        fact.last_name,
        fact.locale or account.locale,
        fact.subscribed_at or account.subscribed_at,
        fact.updated_at,
    )
    known = (
        account.first_name,
        account.last_name,
        account.locale,
        account.subscribed_at,
        account.customer_updated_at,
    )
    if details != known:
        account.first_name, account.last_name, account.locale = details[:3]
        account.subscribed_at, account.customer_updated_at = details[3:]
        account.changed = True
