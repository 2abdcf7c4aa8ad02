"""The rows behind a reward, locked in the one order that all share: first its member, then the reward."""

from sqlmodel import Session, select

from loyalty import outbox
from loyalty.book import Account, Book
from loyalty.core import ledger
from loyalty.core.decide import reward_source
from loyalty.core.ledger import Entry
from loyalty.ledger.reading import as_entry
from loyalty.models import LedgerEntry, RewardIssue

ISSUE_REWARD = "issue_reward"
DEACTIVATE_CODE = "deactivate_code"
# How the messages about a reward begin to be named: its id follows, and then the occasion if there is another one.
NAMES = {ISSUE_REWARD: "issue:", DEACTIVATE_CODE: "deactivate:"}


def locked(book: Book, issue_id: str) -> RewardIssue | None:
    """A reward of the shop as it is now, nobody else's to change until the transaction ends."""
    mine = (RewardIssue.id == issue_id, RewardIssue.shop_id == book.shop_id)
    member_id = book.session.exec(select(RewardIssue.member_id).where(*mine)).first()
    if member_id is None:
        return None
    book.load_members([member_id])
    return book.session.exec(
        select(RewardIssue).where(*mine).with_for_update().execution_options(populate_existing=True)
    ).first()


def owner(book: Book, issue: RewardIssue) -> Account:
    """The account of whoever has the reward."""
    book.load_members([issue.member_id])
    return book.account(issue.member_id)


def redeemed_entry(session: Session, issue: RewardIssue) -> Entry | None:
    """The entry that took the points; None for a gift, which cost nothing."""
    if not issue.points:
        return None
    source = reward_source(issue.id)
    row = session.exec(
        select(LedgerEntry).where(
            LedgerEntry.shop_id == issue.shop_id,
            LedgerEntry.source_kind == source.kind,
            LedgerEntry.source_ref == source.ref,
            LedgerEntry.kind == ledger.REDEEM,
            LedgerEntry.sequence == 0,
        )
    ).one()
    return as_entry(row)


def tell_to_make(book: Book, issue: RewardIssue, *, again: str = "") -> None:
    """Queue the making of a reward at Shopify; ``again`` names a further occasion to do so."""
    _tell(book, issue, ISSUE_REWARD, again)


def tell_to_end(book: Book, issue: RewardIssue, *, again: str = "") -> None:
    """Queue that a reward's code becomes unusable at Shopify."""
    _tell(book, issue, DEACTIVATE_CODE, again)


def _tell(book: Book, issue: RewardIssue, kind: str, again: str) -> None:
    unique_id = f"{NAMES[kind]}{issue.id}{again and ':' + again}"
    payload = {"issue_id": issue.id}
    book.tell_shopify(kind, unique_id, payload, owner(book, issue), channel=outbox.REWARDS)
