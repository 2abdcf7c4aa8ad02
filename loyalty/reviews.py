"""Reviews and their points: pending, awarded, reversed or ineligible, each with the reason that a merchant can read."""

from collections.abc import Collection, Mapping

from sqlmodel import col, select

from loyalty.book import Account, Book
from loyalty.core.decide import decide_review, review_problem, review_source
from loyalty.core.facts import ReviewSeen
from loyalty.core.program import REVIEW_WAYS
from loyalty.models import Review

WAITING = "waiting_for_member"
NO_EMAIL = "no_email"
RULE_OFF = "rule_off"
OUT_OF_BOUNDS = "out_of_bounds"
REDACTED = "redacted"


def authors(book: Book, review_ids: Collection[str]) -> set[int]:
    """The members who are known to have written these reviews. By now their address may be another one, or somebody else's."""
    if not review_ids:
        return set()
    known = select(Review.member_id).where(
        Review.shop_id == book.shop_id,
        col(Review.review_id).in_(review_ids),
        col(Review.member_id).is_not(None),
    )
    return {member_id for member_id in book.session.exec(known) if member_id is not None}


def review_seen(book: Book, fact: ReviewSeen) -> Account | None:
    """Take note of a review and settle it if its author is a member, who is returned; otherwise it waits for the person."""
    row = _row(book, fact)
    if row.reason == REDACTED:
        return None  # whoever wrote it is forgotten, and Klaviyo tells of them again and again
    account = book.account(row.member_id) if row.member_id is not None else book.by_email(fact.email)
    if account is None or account.joined_at is None:
        row.state, row.reason = "pending", WAITING if fact.email else NO_EMAIL
        row.email = fact.email
        return None
    _settle(book, row, account, as_fact(row))  # the newest of what was seen, not what came last
    return account


def settle_waiting(book: Book, met: Mapping[str, Account]) -> list[Account]:
    """Settle the reviews that waited for these people, by address. Returns those for whom there were some."""
    members = {
        email: account if account.merged_into is None else book.account(account.merged_into)
        for email, account in met.items()
        if account.joined_at is not None
    }
    if not members:
        return []
    waiting = book.session.exec(
        select(Review)
        .where(Review.shop_id == book.shop_id, col(Review.email).in_(members), col(Review.state) == "pending")
        .order_by(col(Review.id))
    ).all()
    book.load_awards([review_source(row.review_id) for row in waiting])
    settled: list[Account] = []
    for row in waiting:
        account = members[row.email or ""]
        _settle(book, row, account, as_fact(row))
        settled.append(account)
    return settled


def _settle(book: Book, row: Review, account: Account, fact: ReviewSeen) -> None:
    if book.program.looks_back:
        book.load_history((account,))
    given_before = any(account.of_source(review_source(fact.review_id)))
    book.apply(account, decide_review(account, fact, book.program, at=book.now))
    problem = review_problem(fact)
    if any(award.worth for award in account.of_source(review_source(fact.review_id))):
        row.state, row.reason = "awarded", ""
    elif problem is not None:
        row.state, row.reason = ("reversed" if given_before else "ineligible"), problem
    else:
        row.state, row.reason = "ineligible", OUT_OF_BOUNDS if book.program.rules(*REVIEW_WAYS) else RULE_OFF
    if account.id is None:
        book.ensure_ids()
    row.member_id, row.email = account.id, None


def _row(book: Book, fact: ReviewSeen) -> Review:
    """The review's row with the newest of what was seen."""
    row = book.session.exec(
        select(Review)
        .where(Review.shop_id == book.shop_id, Review.review_id == fact.review_id)
        .with_for_update()
    ).first()
    if row is None:
        row = Review(
            shop_id=book.shop_id,
            review_id=fact.review_id,
            kind=fact.kind,
            submitted_at=fact.submitted_at,
            updated_at=fact.seen_at,
        )
        book.session.add(row)
    if row.status == "" or fact.seen_at >= row.updated_at:
        row.kind, row.rating, row.verified = fact.kind, fact.rating, fact.verified
        row.has_media, row.has_video = fact.has_media, fact.has_video
        row.status, row.updated_at = fact.status, fact.seen_at
    return row


def as_fact(row: Review) -> ReviewSeen:
    """The review as it was last seen."""
    return ReviewSeen(
        review_id=row.review_id,
        email=row.email,
        kind=row.kind,
        rating=row.rating,
        verified=row.verified,
        has_media=row.has_media,
        has_video=row.has_video,
        status=row.status,
        submitted_at=row.submitted_at,
        seen_at=row.updated_at,
    )
