"""Carries out a whole decision: what the book writes, and the rewards that are given or end because of it."""

from loyalty.book import Account, Book
from loyalty.core.decide import Decision
from loyalty.core.program import Program
from loyalty.redemption import give


def follow(book: Book, account: Account, decision: Decision, program: Program | None = None) -> None:
    """Put a decision on an account. ``program`` is the version that it was decided by, when that is not the one in force."""
    book.apply(account, decision)
    for gift in decision.gifts:
        give(
            book,
            account,
            gift.reward,
            given_for=gift.given_for,
            slot=gift.slot,
            occurred_at=gift.occurred_at,
            program=program,
        )
