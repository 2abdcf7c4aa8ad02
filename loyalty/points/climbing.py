"""What follows for a member when something of theirs has changed: goals and tiers that are reached, or no longer are."""

from loyalty.book import Account, Book
from loyalty.core.decide import decide_goals, decide_tier
from loyalty.points.following import follow


def climb(book: Book, account: Account, *, history: bool = False, counts_less: bool = False) -> None:
    """Bring the member's goals and tier to what is known now. ``counts_less``: an order does, which can undo what was given by rules that
    the program no longer has."""
    program = book.program
    if not (counts_less or program.goals or program.tiers or account.tier):
        return
    book.ensure_ids()
    book.load_history((account,))
    if counts_less or program.goals:
        follow(book, account, decide_goals(account, program, at=book.now, history=history))
    follow(book, account, decide_tier(account, program, book.now, history=history))
