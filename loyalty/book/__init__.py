"""The book of one batch: the accounts and orders that its facts touch, read in a few statements and written back in a few.

Decisions are made in memory between loading and ``Book.write``; the rows are locked from the one to the other, so two
workers never decide on the same standing. It decides nothing itself.
"""

from loyalty.book.book import Book
from loyalty.book.merge_record import was_taken_back
from loyalty.book.merging import merge
from loyalty.book.records import Account, OrderRecord

__all__ = ["Account", "Book", "OrderRecord", "merge", "was_taken_back"]
