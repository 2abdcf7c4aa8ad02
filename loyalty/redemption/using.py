"""Orders tell which codes were used. The order decides, whatever we believed of the reward before."""

from collections.abc import Sequence

from sqlmodel import col, select

from loyalty.book import Book
from loyalty.core.decide import decide_reward_retake, reward_news
from loyalty.core.facts import Fact, OrderSeen
from loyalty.core.news import REWARD_USED
from loyalty.models import RewardIssue
from loyalty.redemption.records import locked, owner, redeemed_entry
from loyalty.redemption.saying import said_of

# Its points had come back: whoever has used the code after all has both.
_GIVEN_BACK = ("cancelled", "failed")


def mark_used(book: Book, facts: Sequence[Fact]) -> None:
    """An order that carries a reward's code has used it, also when it was cancelled or refunded: Shopify takes a code only once."""
    used_in: dict[str, OrderSeen] = {}
    for fact in facts:
        if isinstance(fact, OrderSeen):
            for code in fact.order.discount_codes:
                first = used_in.setdefault(code.upper(), fact)
                if fact.order.created_at < first.order.created_at:
                    used_in[code.upper()] = fact
    if not used_in:
        return
    issues = book.session.exec(
        select(RewardIssue.id, RewardIssue.code).where(
            RewardIssue.shop_id == book.shop_id,
            col(RewardIssue.code).in_(used_in),
            col(RewardIssue.used_order_id).is_(None),
        )
    ).all()
    for issue_id, used_code in sorted(issues):
        _mark(book, issue_id, used_in[used_code or ""])


def _mark(book: Book, issue_id: str, fact: OrderSeen) -> None:
    issue = locked(book, issue_id)
    if issue is None or issue.used_order_id is not None:
        return
    account, order = owner(book, issue), fact.order
    redeemed = redeemed_entry(book.session, issue) if issue.state in _GIVEN_BACK else None
    if redeemed is not None:
        book.post(account, (decide_reward_retake(redeemed, at=order.created_at),), ())
    issue.state, issue.used_at, issue.used_order_id = "used", order.created_at, order.order_id
    said = said_of(issue) | {"order_name": order.name}
    news = reward_news(
        REWARD_USED,
        issue.id,
        balance=account.balance,
        at=order.created_at,
        reward=said,
        history=fact.history,
    )
    book.post(account, (), (news,))
