"""Whom a batch is about: accounts that were read and locked, or opened by it, found by id, by customer id and by address.

A member that was merged is found as the one that it was merged into. It writes nobody but those who are new.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import or_
from sqlmodel import Session

from loyalty.book.reading import read_accounts
from loyalty.book.records import Account
from loyalty.book.writing import free_emails, insert_accounts
from loyalty.bulk import among
from loyalty.models import Member, Shop


class People:
    """See the module."""

    def __init__(self, session: Session, shop: Shop, *, now: datetime) -> None:
        assert shop.id is not None
        self.session = session
        self.shop = shop
        self.shop_id = shop.id
        self.now = now
        self._accounts: dict[int, Account] = {}
        self._new: list[Account] = []
        self._by_customer: dict[int, Account] = {}
        self._by_email: dict[str, Account] = {}

    def load_people(self, customer_ids: Iterable[int], emails: Iterable[str]) -> None:
        """Lock and read the members that any of these names, and those that they were merged into."""
        asked = ((set(customer_ids), Member.shopify_customer_id), (set(emails), Member.email))
        named = [among(self.session, column, values) for values, column in asked if values]
        if named:
            # In one statement, and so in the order of their ids: two batches that share people do not wait for each other in a ring.
            self._take(or_(*named))
        self._load_kept()

    def load_members(self, member_ids: Iterable[int]) -> None:
        """Lock and read members by id."""
        missing = set(member_ids) - self._accounts.keys()
        if missing:
            self._take(among(self.session, Member.id, missing))
        self._load_kept()

    def account(self, member_id: int) -> Account:
        """The account of a member that was loaded, or of the member that it was merged into."""
        account = self._accounts[member_id]
        while account.merged_into is not None:
            account = self._accounts[account.merged_into]
        return account

    def accounts(self) -> list[Account]:
        """Every account that was loaded or opened."""
        return [*self._accounts.values(), *self._new]

    def by_customer(self, customer_id: int | None) -> Account | None:
        """The account of a Shopify customer id, or None."""
        account = self._by_customer.get(customer_id) if customer_id is not None else None
        return self.account(account.id) if account and account.id is not None else account

    def by_email(self, email: str | None) -> Account | None:
        """The account of a normalised e-mail, or None."""
        return self._by_email.get(email) if email else None

    def open_account(self, customer_id: int | None, email: str | None) -> Account:
        """A new account; it gets its id when the book is written."""
        account = Account(shopify_customer_id=customer_id, email=email, created_at=self.now, changed=True)
        self._new.append(account)
        self._index(account)
        return account

    def rename(self, account: Account, *, customer_id: int | None, email: str | None) -> None:
        """Give an account other identities. An e-mail that somebody else had moves to this account."""
        holder = self.by_email(email)
        if holder is not None and holder is not account:
            holder.email, holder.changed = None, True
        if account.email and account.email != email:
            self._by_email.pop(account.email, None)
        account.shopify_customer_id, account.email, account.changed = customer_id, email, True
        self._index(account)

    def ensure_ids(self) -> None:
        """Insert the new accounts now, for a caller whose rows point at them."""
        free_emails(self.session, self._accounts.values(), {account.email for account in self._new})
        insert_accounts(self.session, self.shop_id, self._new, self.now)
        for account in self._new:
            if account.id is not None:
                self._accounts[account.id] = account
            account.has_history = account.has_entries = True  # there is none
        self._new = []

    def _take(self, condition: Any) -> None:
        for account in read_accounts(self.session, self.shop_id, condition):
            if account.id is not None and account.id not in self._accounts:
                self._accounts[account.id] = account
                self._index(account)

    def _load_kept(self) -> None:
        while True:
            kept = {a.merged_into for a in self._accounts.values() if a.merged_into is not None}
            missing = kept - self._accounts.keys()
            if not missing:
                return
            self._take(among(self.session, Member.id, missing))

    def _index(self, account: Account) -> None:
        if account.shopify_customer_id is not None:
            self._by_customer[account.shopify_customer_id] = account
        if account.email:
            self._by_email[account.email] = account
