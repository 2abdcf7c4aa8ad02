"""What is known and decided of the people of one batch: awards, orders, movements of points and news. See the package."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from loyalty import outbox, programs, silent
from loyalty.book.people import People
from loyalty.book.reading import (
    read_awards_of_members,
    read_awards_of_sources,
    read_counted,
    read_credits,
    read_entries,
    read_open_issues,
    read_orders,
)
from loyalty.book.records import ALIVE, Account, OrderRecord
from loyalty.book.writing import (
    insert_entries,
    news_message,
    update_accounts,
    write_awards,
    write_orders,
)
from loyalty.core.decide import Decision, Pin, decide_debt, order_credit
from loyalty.core.facts import OrderSnapshot
from loyalty.core.ledger import Entry, Source
from loyalty.core.news import News, entry_news
from loyalty.core.outlook import outlook
from loyalty.core.program import Program
from loyalty.core.standing import Award, AwardKey, OrderCredit
from loyalty.encryption import Cipher
from loyalty.models import KlaviyoConnection, OrderStanding, Shop


class Book(People):
    """See the package. One book serves one batch in one transaction. The people in it are found and opened as ``People`` says."""

    def __init__(self, session: Session, shop: Shop, *, now: datetime, cipher: Cipher | None = None) -> None:
        """``cipher`` seals addresses that are given up; without one, Klaviyo is not told of these."""
        super().__init__(session, shop, now=now)
        self.program = programs.current(session, self.shop_id)
        self.messages: list[dict[str, Any]] = []
        self.orders: dict[int, OrderRecord] = {}
        self._programs: dict[int, Program] = {self.program.version: self.program}
        self._award_rows: dict[AwardKey, int] = {}
        self._award_changes: dict[AwardKey, tuple[Account, Award]] = {}
        self._listens: bool | None = None
        self._cipher = cipher

    def load_orders(self, order_ids: Iterable[int]) -> None:
        """Lock and read what is known of these orders, and the members that they belong to."""
        rows = read_orders(self.session, self.shop_id, order_ids)
        self.load_members({row.member_id for row in rows if row.member_id is not None})
        for row in rows:
            # What this batch has decided about an order is newer than its row.
            self.orders.setdefault(row.order_id, self._record(row))
            if row.member_id is not None and row.placed_at is not None:
                credit = OrderCredit(row.placed_at, row.counted)
                self.account(row.member_id).orders.setdefault(row.order_id, credit)

    def load_orders_of(self, account: Account) -> list[OrderRecord]:
        """Every order of a member, read as it is known."""
        if account.id is not None:
            for row in read_credits(self.session, [account.id]):
                self.orders.setdefault(row.order_id, self._record(row))
        return [record for record in self.orders.values() if record.account is account]

    def load_awards(self, sources: Iterable[Source]) -> None:
        """Read the awards of these sources, and lock and read whose they are."""
        found = list(read_awards_of_sources(self.session, self.shop_id, sources))
        self.load_members({member_id for _, member_id, _ in found})
        self._keep_awards(found)

    def load_history(self, accounts: Collection[Account]) -> None:
        """Read all that these members have done: awards, orders, and (where points end by age) every entry."""
        fresh = {
            account.id: account for account in accounts if not account.has_history and account.id is not None
        }
        if fresh:
            self._keep_awards(read_awards_of_members(self.session, fresh))
            for member_id, order_id, placed_at, counted in read_counted(self.session, fresh):
                self.account(member_id).orders.setdefault(order_id, OrderCredit(placed_at, counted))
            for row in read_credits(self.session, fresh, uncounted=True):
                self.account(row.member_id or 0).orders.setdefault(row.order_id, self._credit(row))
            if self.program.expiry and self.program.expiry.kind == "age":
                self.load_entries(fresh.values())
        for account in accounts:
            account.has_history = True

    def load_entries(self, accounts: Iterable[Account]) -> None:
        """Read every movement of points of these members, before those that this batch has decided."""
        missing = {account.id: account for account in accounts if not account.has_entries}
        earlier: dict[int | None, list[Entry]] = defaultdict(list)
        for owner, entry in read_entries(self.session, [one for one in missing if one is not None]):
            earlier[owner].append(entry)
        for account in missing.values():
            account.remember(earlier[account.id])
            account.has_entries = True

    def program_at(self, version: int | None) -> Program:
        """The program of a version; None means the one in force."""
        if version is None:
            return self.program
        if version not in self._programs:
            self._programs[version] = programs.at_version(self.session, self.shop_id, version)
        return self._programs[version]

    def apply(self, account: Account, decision: Decision) -> None:
        """Put what was decided on an account: awards, tier, entries, news. Gifts are the caller's (``loyalty.points.following``)."""
        for award in decision.awards:
            account.put(award)
            self._award_changes[award.key] = account, award
        if decision.tier is not None:
            account.tier, account.tier_since = decision.tier.tier, decision.tier.since
        self.post(account, decision.entries, decision.news)

    def post(self, account: Account, entries: Sequence[Entry], news: Sequence[News]) -> None:
        """Put decided entries and news on an account. A debt that the program forgives is written off right behind what caused it."""
        account.news.extend(news)
        account.changed = True
        for entry in entries:
            self._enter(account, entry)
            forgiven = decide_debt(account, entry, self.program)
            if forgiven is not None:
                self._enter(account, forgiven)
                account.news.append(entry_news(forgiven, balance=account.balance))

    def tell_shopify(
        self,
        kind: str,
        unique_id: str,
        payload: dict[str, Any],
        account: Account | None = None,
        *,
        delay: timedelta = timedelta(),
        channel: str = outbox.SHOPIFY,
        history: bool = False,
    ) -> None:
        """Queue a message to Shopify, to be sent after ``delay``; what is ``history`` lets everything else go before it."""
        member_id = account.id if account else None
        message = outbox.row(
            self.shop_id,
            channel,
            kind,
            unique_id,
            payload,
            member_id=member_id,
            occurred_at=self.now,
            now=self.now,
            backfill=history,
        )
        self.messages.append(message | {"due_at": self.now + delay})

    def move_awards(self, source: Account, target: Account) -> None:
        """Let the awards and orders of one account be another's from now on, as this batch knows them. The rows are the caller's."""
        for award in source.awards.values():
            target.put(award)
            if award.key in self._award_changes:
                self._award_changes[award.key] = target, award
        target.orders |= source.orders
        source.awards, source.orders, source.held = {}, {}, 0
        for order in self.orders.values():
            if order.account is source:
                order.account, order.changed = target, True

    def write(self) -> frozenset[str]:
        """Write everything that changed. Returns the outbox channels that have something to send."""
        self.ensure_ids()
        accounts = list(self._accounts.values())
        self._look_ahead([account for account in accounts if account.changed])
        for account in insert_entries(self.session, self.shop_id, accounts, self.now):
            if account.shopify_customer_id is not None:
                unique_id = f"balance:{account.id}:{account.entry_count}"
                history = bool(account.news) and all(news.history for news in account.news)
                self.tell_shopify("balance_metafield", unique_id, {}, account, history=history)
        silent.want(self.session, self.shop_id, self._tell_klaviyo(accounts), now=self.now)
        self._forget_former(accounts)
        update_accounts(self.session, self.shop_id, accounts, self.now)
        write_orders(self.session, self.shop_id, list(self.orders.values()), self.now)
        self._write_awards()
        outbox.put_many(self.session, self.messages)
        channels = frozenset(message["channel"] for message in self.messages)
        self.messages = []
        return channels

    def _look_ahead(self, changed: Sequence[Account]) -> None:
        """Reckon anew what lies ahead of the members that changed."""
        for account in changed:
            if account.state not in ALIVE:
                account.calendar_due = account.expires_at = account.tier_until = None
        alive = [account for account in changed if account.state in ALIVE]
        self.load_history([account for account in alive if account.held or self.program.looks_back])
        issues = read_open_issues(self.session, [account.id for account in alive if account.id is not None])
        for account in alive:
            account.issues = issues.get(account.id or 0, [])
            if account.calendar_due is None or account.calendar_due > self.now:
                # Nothing was due since.
                account.calendar_at = max(self.now, account.calendar_at or self.now)
            ahead = outlook(account, self.program, max(self.now, account.calendar_at or self.now))
            account.tier_until, account.expires_at = ahead.tier_until, ahead.expires_at
            account.next_tier, account.next_tier_distance = ahead.next_tier, ahead.next_tier_distance
            account.expiring_points, account.calendar_due = ahead.expiring_points, ahead.calendar_due

    def _enter(self, account: Account, entry: Entry) -> None:
        account.take(entry)
        account.unwritten.append(entry)
        account.changed = True

    def _write_awards(self) -> None:
        changed = [
            (self._award_rows.get(key), account, award)
            for key, (account, award) in self._award_changes.items()
        ]
        write_awards(self.session, self.shop_id, changed, self.now)
        self._award_changes = {}

    def _keep_awards(self, found: Iterable[tuple[int, int, Award]]) -> None:
        """Give awards that were read to their accounts. What this batch decided itself is newer than what the database has."""
        for row_id, member_id, award in found:
            key = award.key
            self._award_rows[key] = row_id
            if key not in self._award_changes:
                # The account's ``held`` is its row's and counts this award already.
                self.account(member_id).awards[key] = award

    def _record(self, row: OrderStanding) -> OrderRecord:
        return OrderRecord(
            order_id=row.order_id,
            snapshot=OrderSnapshot.from_json(row.snapshot),
            authoritative=row.authoritative,
            id=row.id,
            account=self.account(row.member_id) if row.member_id is not None else None,
            pin=Pin(row.program_version, row.tier) if row.program_version is not None else None,
            counted=row.counted,
            unreadable=row.unreadable,
            changed=False,
        )

    def _credit(self, row: OrderStanding) -> OrderCredit:
        """What an order from before orders were counted counts."""
        return order_credit(OrderSnapshot.from_json(row.snapshot), self.program_at(row.program_version))

    def _tell_klaviyo(self, accounts: Sequence[Account]) -> list[int]:
        """Queue the news. Returns whose profiles show something else now although there is no news of them."""
        changed: list[int] = []
        for account in accounts:
            assert account.id is not None
            if account.news and self._klaviyo_listens():
                self.messages.extend(
                    news_message(self.shop_id, account.id, news, self.now) for news in account.news
                )
            elif account.changed and account.shows_otherwise() and self._klaviyo_listens():
                changed.append(account.id)
            if account.news or account.changed:
                account.is_told()
        return changed

    def _forget_former(self, accounts: Sequence[Account]) -> None:
        """The Klaviyo profile of an address that somebody gave up, and nobody took over, would say for ever what was true on that day."""
        for account in accounts:
            former = account.known_as[1]
            if former is None or former == account.email or self.by_email(former) is not None:
                continue
            if self._cipher is not None and self._klaviyo_listens():
                unique_id = f"former:{account.id}:{self.now.isoformat()}"
                self.messages.append(
                    outbox.forgetting(self._cipher, self.shop_id, former, unique_id, now=self.now)
                )

    def _klaviyo_listens(self) -> bool:
        """Whether there is a link to tell news to. One that Klaviyo broke still counts: the news waits until it is mended."""
        if self._listens is None:
            link = self.session.exec(
                select(KlaviyoConnection).where(KlaviyoConnection.shop_id == self.shop_id)
            ).first()
            self._listens = link is not None and (link.state == "connected" or link.problem is not None)
        return self._listens
