"""The book of one batch. See the package."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from loyalty import outbox, programs
from loyalty.book.reading import read_accounts, read_orders, read_posted
from loyalty.book.records import Account, OrderRecord
from loyalty.book.writing import insert_accounts, insert_entries, news_message, update_accounts, write_orders
from loyalty.core import ledger
from loyalty.core.decide import News, decide_transfer
from loyalty.core.facts import OrderSnapshot
from loyalty.core.ledger import Entry, Source
from loyalty.core.program import Program
from loyalty.models import KlaviyoConnection, Member, OrderStanding, Review, RewardIssue, Shop


class Book:
    """See the module. One book serves one batch in one transaction."""

    def __init__(self, session: Session, shop: Shop, *, now: datetime) -> None:
        assert shop.id is not None
        self.session = session
        self.shop = shop
        self.shop_id = shop.id
        self.now = now
        self.program = programs.current(session, shop.id)
        self.messages: list[dict[str, Any]] = []
        self.orders: dict[int, OrderRecord] = {}
        self._programs: dict[int, Program] = {self.program.version: self.program}
        self._accounts: dict[int, Account] = {}
        self._new: list[Account] = []
        self._by_customer: dict[int, Account] = {}
        self._by_email: dict[str, Account] = {}
        self._posted: dict[tuple[str, str], tuple[int, int]] = {}
        self._listens: bool | None = None

    def load_people(self, customer_ids: Iterable[int], emails: Iterable[str]) -> None:
        """Lock and read the members that any of these names, and those that they were merged into."""
        asked_ids, asked_emails = set(customer_ids), set(emails)
        for asked, column in ((asked_ids, Member.shopify_customer_id), (asked_emails, Member.email)):
            if asked:
                self._take(col(column).in_(asked))
        self._load_kept()

    def load_members(self, member_ids: Iterable[int]) -> None:
        """Lock and read members by id."""
        missing = set(member_ids) - self._accounts.keys()
        if missing:
            self._take(col(Member.id).in_(missing))
        self._load_kept()

    def load_orders(self, order_ids: Iterable[int]) -> None:
        """Lock and read what is known of these orders, and the members that they belong to."""
        rows = read_orders(self.session, self.shop_id, order_ids)
        self.load_members({row.member_id for row in rows if row.member_id is not None})
        for row in rows:
            self.orders[row.order_id] = OrderRecord(
                order_id=row.order_id,
                snapshot=OrderSnapshot.from_json(row.snapshot),
                authoritative=row.authoritative,
                id=row.id,
                account=self.account(row.member_id) if row.member_id is not None else None,
                program_version=row.program_version,
                posted=row.posted,
                postings=row.postings,
                changed=False,
            )

    def load_posted(self, sources: Iterable[Source]) -> None:
        """Read the sum and the number of the entries that these sources already have."""
        found = read_posted(self.session, self.shop_id, sources)
        self._posted = found | self._posted  # what this batch posted itself is not in the database yet

    def account(self, member_id: int) -> Account:
        """The account of a member that was loaded, or of the member that it was merged into."""
        account = self._accounts[member_id]
        while account.merged_into is not None:
            account = self._accounts[account.merged_into]
        return account

    def by_customer(self, customer_id: int | None) -> Account | None:
        """The account of a Shopify customer id, or None."""
        account = self._by_customer.get(customer_id) if customer_id is not None else None
        return self.account(account.id) if account and account.id is not None else account

    def by_email(self, email: str | None) -> Account | None:
        """The account of a normalised e-mail, or None."""
        return self._by_email.get(email) if email else None

    def posted(self, source: Source) -> tuple[int, int]:
        """Sum and number of the entries of a source, those of this batch included."""
        return self._posted.get((source.kind, source.ref), (0, 0))

    def program_at(self, version: int | None) -> Program:
        """The program of a version; None means the one in force."""
        if version is None:
            return self.program
        if version not in self._programs:
            self._programs[version] = programs.at_version(self.session, self.shop_id, version)
        return self._programs[version]

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

    def post(self, account: Account, entries: Sequence[Entry], news: Sequence[News]) -> None:
        """Put decided entries and news on an account."""
        for entry in entries:
            account.balance += entry.points
            earned, spent = ledger.lifetime(entry.kind, entry.points)
            account.lifetime_earned += earned
            account.lifetime_spent += spent
            total, count = self.posted(entry.source)
            self._posted[entry.source.kind, entry.source.ref] = (total + entry.points, count + 1)
            account.pending.append(entry)
            account.changed = True
        account.news.extend(news)

    def tell_shopify(
        self,
        kind: str,
        unique_id: str,
        payload: dict[str, Any],
        account: Account | None = None,
        *,
        delay: timedelta = timedelta(),
    ) -> None:
        """Queue a message to Shopify, to be sent after ``delay``."""
        member_id = account.id if account else None
        message = outbox.row(
            self.shop_id,
            outbox.SHOPIFY,
            kind,
            unique_id,
            payload,
            member_id=member_id,
            occurred_at=self.now,
            now=self.now,
        )
        self.messages.append(message | {"due_at": self.now + delay})

    def ensure_ids(self) -> None:
        """Insert the new accounts now, for a caller whose rows point at them."""
        insert_accounts(self.session, self.shop_id, self._new, self.now)
        for account in self._new:
            if account.id is not None:
                self._accounts[account.id] = account
        self._new = []

    def merge(self, source: Account, target: Account) -> None:
        """Make ``source`` a part of ``target``: its entries stay where they are, two new ones move its balance.

        What belonged to it (orders, rewards, reviews) belongs to ``target`` from now on, so later corrections meet the kept account.
        """
        self.ensure_ids()
        assert source.id is not None
        assert target.id is not None
        if source.balance:
            out, into = decide_transfer(
                source.balance,
                from_member=source.id,
                to_member=target.id,
                at=self.now,
                program_version=self.program.version,
            )
            self.post(source, (out,), ())
            self.post(target, (into,), ())
        for table in (OrderStanding, RewardIssue, Review):
            moved = update(table).where(col(table.member_id) == source.id).values(member_id=target.id)
            self.session.execute(moved, execution_options={"synchronize_session": False})
        email = source.email
        self.rename(source, customer_id=source.shopify_customer_id, email=None)
        source.state, source.merged_into = "merged", target.id
        if target.email is None and email:
            self.rename(target, customer_id=target.shopify_customer_id, email=email)
        for order in self.orders.values():
            if order.account is source:
                order.account, order.changed = target, True

    def write(self) -> frozenset[str]:
        """Write everything that changed. Returns the outbox channels that have something to send."""
        self.ensure_ids()
        accounts = list(self._accounts.values())
        for account in insert_entries(self.session, self.shop_id, accounts, self.now):
            if account.shopify_customer_id is not None:
                unique_id = f"balance:{account.id}:{account.entry_count}"
                self.tell_shopify("balance_metafield", unique_id, {}, account)
        for account in accounts:
            self._tell_klaviyo(account)
        update_accounts(self.session, self.shop_id, accounts, self.now)
        write_orders(self.session, self.shop_id, list(self.orders.values()), self.now)
        outbox.put_many(self.session, self.messages)
        channels = frozenset(message["channel"] for message in self.messages)
        self.messages = []
        return channels

    def _tell_klaviyo(self, account: Account) -> None:
        if account.news and account.id is not None and self._klaviyo_listens():
            self.messages.extend(
                news_message(self.shop_id, account.id, news, self.now) for news in account.news
            )
        account.news = []

    def _klaviyo_listens(self) -> bool:
        """Whether there is a link to tell news to. One that Klaviyo broke still counts: the news waits until it is mended."""
        if self._listens is None:
            link = self.session.exec(
                select(KlaviyoConnection).where(KlaviyoConnection.shop_id == self.shop_id)
            ).first()
            self._listens = link is not None and (link.state == "connected" or link.problem is not None)
        return self._listens

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
            self._take(col(Member.id).in_(missing))

    def _index(self, account: Account) -> None:
        if account.shopify_customer_id is not None:
            self._by_customer[account.shopify_customer_id] = account
        if account.email:
            self._by_email[account.email] = account
