"""What Shopify made of a reward: it is there, or it cannot be."""

from loyalty.book import Book
from loyalty.core.decide import decide_reward_return, given_news, redeemed_news
from loyalty.core.facts import RewardFailed, RewardIssued
from loyalty.redemption.records import locked, owner, redeemed_entry, tell_to_end
from loyalty.redemption.saying import said_of

NOT_IN_TIME = "not_made_in_time"
GIVEN_UP = "given_up"
BY_STAFF = "given_back_by_staff"
# Nobody knows whether the last attempt reached Shopify.
_NOT_SURE = frozenset((NOT_IN_TIME, GIVEN_UP, BY_STAFF))


def reward_issued(book: Book, fact: RewardIssued) -> None:
    """Shopify has the reward: the member may use it, and now it is told."""
    issue = locked(book, fact.issue_id)
    if issue is None or issue.state not in ("issuing", "failed"):
        return
    issue.discount_id = fact.discount_id
    if issue.state == "failed":
        # The points went back and the code exists after all: it must not be usable.
        tell_to_end(book, issue, again=fact.issued_at.isoformat())
        return
    issue.issued_at, issue.failure = fact.issued_at, None
    if issue.expires_at is not None and issue.expires_at <= fact.issued_at:
        issue.state = "expired"  # given by a calendar that was behind: there is nothing left to tell
        return
    issue.state = "issued"
    account, redeemed = owner(book, issue), redeemed_entry(book.session, issue)
    account.changed = True  # the end of the reward is ahead of the member now
    said, at = said_of(issue), fact.issued_at
    if redeemed is None:
        news = given_news(issue.id, balance=account.balance, at=at, reward=said)
    else:
        news = redeemed_news(redeemed, balance=account.balance, at=at, reward=said)
    book.post(account, (), (news,))


def reward_failed(book: Book, fact: RewardFailed) -> None:
    """The reward cannot be made: its points come back by a new entry, once."""
    issue = locked(book, fact.issue_id)
    if issue is None or issue.state != "issuing":
        return
    issue.state, issue.failure = "failed", fact.reason
    account, redeemed = owner(book, issue), redeemed_entry(book.session, issue)
    if redeemed is not None:
        decision = decide_reward_return(
            redeemed,
            because=fact.reason,
            reason="Reward could not be made",
            at=fact.failed_at,
            balance=account.balance,
        )
        book.apply(account, decision)
    if fact.reason in _NOT_SURE and issue.kind != "store_credit":
        # If the last attempt did reach Shopify, the code must not be usable.
        tell_to_end(book, issue)
