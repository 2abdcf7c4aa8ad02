"""What members do and tell: actions that rules reward, and birthdays."""

import structlog

from loyalty import api_actions
from loyalty.book import Account, Book
from loyalty.core.decide import ActionRefused, decide_action, decide_birthday_told
from loyalty.core.facts import ActionDone, BirthdayTold
from loyalty.core.standing import Birthday
from loyalty.points.climbing import climb
from loyalty.points.identities import account_for
from loyalty.points.people import GONE

log = structlog.get_logger(__name__)


def action_done(book: Book, fact: ActionDone) -> None:
    """Give what the rule gives. One that gives nothing is no mistake of the message."""
    account = _actor(book, fact)
    if account is None:
        _refuse(book, fact, _why_nobody(book, fact))
        return
    book.ensure_ids()
    book.load_history((account,))
    try:
        decision = decide_action(account, fact, book.program, at=book.now)
    except ActionRefused as refused:
        _refuse(book, fact, refused.reason)
    else:
        book.apply(account, decision)
    climb(book, account)


def birthday_told(book: Book, fact: BirthdayTold) -> None:
    """Keep a member's birthday. Telling the same day again changes nothing, not even since when it is known."""
    account = book.by_customer(fact.identity.customer_id) or book.by_email(fact.identity.email)
    if account is None or account.state in GONE:
        return
    decision = decide_birthday_told(account, fact)
    if decision is not None:
        account.birthday = Birthday(fact.month, fact.day, fact.told_at)
        book.apply(account, decision)


def _refuse(book: Book, fact: ActionDone, reason: str) -> None:
    """Whoever told of it can ask why it earned nothing."""
    log.info("action_earns_nothing", shop_id=book.shop_id, rule=fact.rule, reason=reason)
    api_actions.refuse(book.session, book.shop_id, key=fact.key, rule=fact.rule, reason=reason)


def _why_nobody(book: Book, fact: ActionDone) -> str:
    return "unknown_rule" if book.program.rule(fact.rule) is None else "not_a_member"


def _actor(book: Book, fact: ActionDone) -> Account | None:
    """Whoever did it. A stranger becomes a guest only where guests may earn by the rule."""
    known = book.by_customer(fact.identity.customer_id) or book.by_email(fact.identity.email)
    if known is not None:
        return None if known.state in GONE else known
    rule = book.program.rule(fact.rule)
    if rule is None or not rule.guests or book.program.guests != "earn":
        return None
    return account_for(book, fact.identity)
