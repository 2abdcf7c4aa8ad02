"""What follows for a member when something of theirs has changed: goals that are reached or no longer are."""

from loyalty.book import Account, Book
from loyalty.core.decide import decide_goals


def climb(book: Book, account: Account, *, history: bool = False) -> None:
    """Bring the member's goals to what the present orders say."""
    if not book.program.goals:
        return
    book.ensure_ids()
    book.load_history((account,))
    book.apply(account, decide_goals(account, book.program, at=book.now, history=history))
