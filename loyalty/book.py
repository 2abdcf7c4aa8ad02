"""The book of one batch: the accounts and orders that its facts touch, read in a few statements and written back in a few.

Decisions are made in memory between ``open_book`` and ``Book.write``; the rows are locked from the one to the other, so two
workers never decide on the same standing. It decides nothing itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, update
from sqlmodel import Session, col, select

from loyalty import outbox, programs
from loyalty.core import ledger
from loyalty.core.decide import News, decide_transfer
from loyalty.core.facts import OrderSnapshot
from loyalty.core.ledger import Entry, Source, chain_hash, entry_id
from loyalty.core.program import Program
from loyalty.models import KlaviyoConnection, LedgerEntry, Member, OrderStanding, Review, RewardIssue, Shop

_MEMBER_FIELDS = (
    "id",
    "shopify_customer_id",
    "email",
    "first_name",
    "last_name",
    "locale",
    "state",
    "joined_at",
    "customer_updated_at",
    "merged_into",
    "balance",
    "lifetime_earned",
    "lifetime_spent",
    "entry_count",
    "chain_head",
    "created_at",
)


@dataclass(eq=False, slots=True)
class Account:
    """A member's row while its batch is decided. ``pending`` are entries that are decided and not yet written."""

    id: int | None = None
    shopify_customer_id: int | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    state: str = "guest"
    joined_at: datetime | None = None
    customer_updated_at: datetime | None = None
    merged_into: int | None = None
    balance: int = 0
    lifetime_earned: int = 0
    lifetime_spent: int = 0
    entry_count: int = 0
    chain_head: str = ""
    created_at: datetime | None = None
    changed: bool = False
    pending: list[Entry] = field(default_factory=list)
    news: list[News] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class OrderRecord:
    """An order's row while its batch is decided."""

    order_id: int
    snapshot: OrderSnapshot
    authoritative: bool
    id: int | None = None
    account: Account | None = None
    program_version: int | None = None
    posted: int = 0
    postings: int = 0
    changed: bool = True


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

    # Reading

    def load_people(self, customer_ids: Iterable[int], emails: Iterable[str]) -> None:
        """Lock and read the members that any of these names, and those that they were merged into."""
        asked_ids, asked_emails = set(customer_ids), set(emails)
        for asked, column in ((asked_ids, Member.shopify_customer_id), (asked_emails, Member.email)):
            if asked:
                self._read_members(col(column).in_(asked))
        self._load_kept()

    def load_orders(self, order_ids: Iterable[int]) -> None:
        """Lock and read what is known of these orders, and the members that they belong to."""
        rows = self.session.exec(
            select(OrderStanding)
            .where(OrderStanding.shop_id == self.shop_id, col(OrderStanding.order_id).in_(set(order_ids)))
            .order_by(col(OrderStanding.id))
            .with_for_update()
        ).all()
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

    def load_members(self, member_ids: Iterable[int]) -> None:
        """Lock and read members by id."""
        missing = set(member_ids) - self._accounts.keys()
        if missing:
            self._read_members(col(Member.id).in_(missing))
        self._load_kept()

    def load_posted(self, sources: Iterable[Source]) -> None:
        """Read the sum and the number of the entries that these sources already have."""
        refs: dict[str, set[str]] = defaultdict(set)
        for source in sources:
            refs[source.kind].add(source.ref)
        for kind, wanted in refs.items():
            rows = self.session.execute(
                select(LedgerEntry.source_ref, func.sum(LedgerEntry.points), func.count())
                .where(
                    LedgerEntry.shop_id == self.shop_id,
                    LedgerEntry.source_kind == kind,
                    col(LedgerEntry.source_ref).in_(wanted),
                )
                .group_by(LedgerEntry.source_ref)
            )
            for ref, points, count in rows:
                self._posted[kind, ref] = (int(points), int(count))

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

    # Changing

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
            if entry.kind in (ledger.EARN, ledger.REVERSE):
                account.lifetime_earned += entry.points
            elif entry.kind in (ledger.REDEEM, ledger.RETURN):
                account.lifetime_spent -= entry.points
            total, count = self.posted(entry.source)
            self._posted[entry.source.kind, entry.source.ref] = (total + entry.points, count + 1)
            account.pending.append(entry)
            account.changed = True
        account.news.extend(news)

    def tell_shopify(
        self, kind: str, unique_id: str, payload: dict[str, Any], account: Account | None = None
    ) -> None:
        """Queue a message to Shopify."""
        self.messages.append(
            outbox.row(
                self.shop_id,
                outbox.SHOPIFY,
                kind,
                unique_id,
                payload,
                member_id=account.id if account else None,
                occurred_at=self.now,
                now=self.now,
            )
        )

    def ensure_ids(self) -> None:
        """Insert the new accounts now, for a caller whose rows point at them."""
        self._insert_accounts()

    def merge(self, source: Account, target: Account) -> None:
        """Make ``source`` a part of ``target``: its entries stay where they are, two new ones move its balance.

        What belonged to it (orders, rewards, reviews) belongs to ``target`` from now on, so later corrections meet the kept account.
        """
        self._insert_accounts()
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

    # Writing

    def write(self) -> frozenset[str]:
        """Write everything that changed. Returns the outbox channels that have something to send."""
        self._insert_accounts()
        entries: list[dict[str, Any]] = []
        for account in self._everyone():
            if account.pending or account.news:
                entries.extend(self._settle(account))
        if entries:
            self.session.execute(insert(LedgerEntry), entries)
        self._update_accounts()
        self._write_orders()
        outbox.put_many(self.session, self.messages)
        channels = frozenset(message["channel"] for message in self.messages)
        self.messages = []
        return channels

    def _everyone(self) -> list[Account]:
        return list(self._accounts.values())

    def _insert_accounts(self) -> None:
        if not self._new:
            return
        rows = [self._values(account) for account in self._new]
        statement = insert(Member).returning(col(Member.id), sort_by_parameter_order=True)
        ids: list[int] = [row[0] for row in self.session.execute(statement, rows)]
        for account, member_id in zip(self._new, ids, strict=True):
            account.id = member_id
            self._accounts[member_id] = account
        self._new = []

    def _settle(self, account: Account) -> list[dict[str, Any]]:
        assert account.id is not None
        rows = []
        for entry in account.pending:
            rows.append(self._chain(account, entry))
        for news in account.news:
            self._tell_klaviyo(account.id, news)
        if account.pending and account.shopify_customer_id is not None:
            unique_id = f"balance:{account.id}:{account.entry_count}"
            self.tell_shopify("balance_metafield", unique_id, {}, account)
        account.pending, account.news = [], []
        return rows

    def _chain(self, account: Account, entry: Entry) -> dict[str, Any]:
        assert account.id is not None
        position = account.entry_count + 1
        digest = chain_hash(account.chain_head, account.id, position, entry)
        values = {
            "id": entry_id(self.shop_id, entry),
            "shop_id": self.shop_id,
            "member_id": account.id,
            "position": position,
            "points": entry.points,
            "kind": entry.kind,
            "source_kind": entry.source.kind,
            "source_ref": entry.source.ref,
            "rule": entry.rule,
            "sequence": entry.sequence,
            "program_version": entry.program_version,
            "reason": entry.reason,
            "why": dict(entry.why),
            "occurred_at": entry.occurred_at,
            "recorded_at": self.now,
            "previous_hash": account.chain_head,
            "hash": digest,
        }
        account.entry_count, account.chain_head = position, digest
        return values

    def _tell_klaviyo(self, member_id: int, news: News) -> None:
        if not self._klaviyo_listens():
            return
        subject = entry_id(self.shop_id, news.entry) if news.entry else f"{news.kind}:{member_id}"
        self.messages.append(
            outbox.row(
                self.shop_id,
                outbox.KLAVIYO,
                news.kind,
                f"laurel:{self.shop_id}:{subject}",
                news.properties,
                member_id=member_id,
                occurred_at=news.occurred_at,
                now=self.now,
                backfill=news.history,
            )
        )

    def _klaviyo_listens(self) -> bool:
        """Whether there is a link to tell news to. One that Klaviyo broke still counts: the news waits until it is mended."""
        if self._listens is None:
            link = self.session.exec(
                select(KlaviyoConnection).where(KlaviyoConnection.shop_id == self.shop_id)
            ).first()
            self._listens = link is not None and (link.state == "connected" or link.problem is not None)
        return self._listens

    def _update_accounts(self) -> None:
        changed = [account for account in self._everyone() if account.changed]
        if not changed:
            return
        # Whoever gives an e-mail up comes before whoever takes it over: the address is unique at every moment.
        changed.sort(key=lambda account: (account.email is not None, account.id))
        self.session.execute(
            update(Member), [{"id": account.id} | self._values(account) for account in changed]
        )
        for account in changed:
            account.changed = False

    def _values(self, account: Account) -> dict[str, Any]:
        values = {name: getattr(account, name) for name in _MEMBER_FIELDS if name != "id"}
        return values | {"shop_id": self.shop_id, "updated_at": self.now}

    def _write_orders(self) -> None:
        changed = [order for order in self.orders.values() if order.changed]
        known = [self._order_values(order) | {"id": order.id} for order in changed if order.id is not None]
        new = [self._order_values(order) for order in changed if order.id is None]
        if known:
            self.session.execute(update(OrderStanding), known)
        if new:
            self.session.execute(insert(OrderStanding), new)
        for order in changed:
            order.changed = False

    def _order_values(self, order: OrderRecord) -> dict[str, Any]:
        return {
            "shop_id": self.shop_id,
            "order_id": order.order_id,
            "member_id": order.account.id if order.account else None,
            "name": order.snapshot.name,
            "snapshot": order.snapshot.to_json(),
            "snapshot_at": order.snapshot.updated_at,
            "authoritative": order.authoritative,
            "program_version": order.program_version,
            "posted": order.posted,
            "postings": order.postings,
            "updated_at": self.now,
        }

    def _read_members(self, condition: Any) -> None:
        columns = [getattr(Member, name) for name in _MEMBER_FIELDS]
        statement = select(*columns).where(Member.shop_id == self.shop_id, condition)
        rows = self.session.execute(statement.order_by(col(Member.id)).with_for_update())
        for row in rows:
            self._take(row)

    def _take(self, row: Row[Any]) -> None:
        if row.id in self._accounts:
            return
        account = Account(**dict(zip(_MEMBER_FIELDS, row, strict=True)))
        self._accounts[row.id] = account
        self._index(account)

    def _load_kept(self) -> None:
        while True:
            kept = {a.merged_into for a in self._accounts.values() if a.merged_into is not None}
            missing = kept - self._accounts.keys()
            if not missing:
                return
            self._read_members(col(Member.id).in_(missing))

    def _index(self, account: Account) -> None:
        if account.shopify_customer_id is not None:
            self._by_customer[account.shopify_customer_id] = account
        if account.email:
            self._by_email[account.email] = account
