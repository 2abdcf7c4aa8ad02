"""How fast one worker process turns stored order webhooks into ledger entries and news, and whether a big shop is slower.

The work of ``drain_inbox`` alone: the webhooks are in the inbox beforehand, their customers are members, and PostgreSQL is durable.
"""

import time
from dataclasses import dataclass

from sqlalchemy import func, insert
from sqlmodel import select

from bench.children import cpu_seconds
from bench.crowd import add_members, connect_klaviyo
from bench.ground import Ground, open_shop, settle
from bench.orders import SHOP, TOPIC, order_body
from bench.report import Budget, Report
from bench.scale import Scale
from loyalty import inbox
from loyalty.models import InboxMessage, LedgerEntry, OutboxMessage
from loyalty.receiving import Reception, drain_inbox
from loyalty.runtime import Runtime
from shopify_app.translate import translate

_STRIDE = 7919  # a prime: neighbouring orders are of members far apart


@dataclass(frozen=True, slots=True)
class Round:
    """One draining: webhooks a second, and processor time for each."""

    per_second: float
    ours_ms: float
    database_ms: float


def measure(ground: Ground, scale: Scale) -> Report:
    """The same webhooks with few and with many members, in turns on the same database."""
    report = Report("inbox_drain", "Order webhooks settled in a second by one process (PostgreSQL)")
    with ground.runtime() as runtime:
        shop_id = open_shop(runtime)
        connect_klaviyo(runtime, shop_id)
        pid = ground.server.process.pid
        few = _rounds(runtime, shop_id, scale, pid, present=0, wanted=scale.members_few)
        many = _rounds(runtime, shop_id, scale, pid, present=scale.members_few, wanted=scale.members_many)
    small, large = f"{scale.members_few:,} members", f"{scale.members_many:,} members"
    rate = report.add(f"with {small}", "/s", *(each.per_second for each in few))
    big = report.add(f"with {large}", "/s", *(each.per_second for each in many))
    for label, rounds in ((small, few), (large, many)):
        report.add(f"processor time of ours, {label}", "ms each", *(each.ours_ms for each in rounds))
        report.add(
            f"processor time of the database, {label}", "ms each", *(each.database_ms for each in rounds)
        )
    report.budgets.append(Budget.at_least("at least 1,000/s in one process", rate.middle, 1000, "/s"))
    growth = rate.middle / big.middle
    report.budgets.append(Budget.at_most(f"no more than 1.2 x the time at {large}", growth, 1.2, "x"))
    report.notes.append(
        f"{scale.webhooks:,} webhooks a round; each leaves an entry and messages to Klaviyo and Shopify"
    )
    return report


def _rounds(
    runtime: Runtime, shop_id: int, scale: Scale, server_pid: int, *, present: int, wanted: int
) -> list[Round]:
    add_members(runtime, shop_id, present + 1, wanted)
    settle(runtime.engine)
    found = []
    # The first round only warms up: right after a checkpoint PostgreSQL writes every page that it touches in full.
    for number in range(scale.rounds + 1):
        _deliver(runtime, (present + number) * 1_000_000, scale.webhooks, wanted)
        found.append(_drain(runtime, scale.webhooks, server_pid))
    return found[1:]


def _deliver(runtime: Runtime, first: int, count: int, members: int) -> None:
    now = runtime.clock()
    rows = [
        {
            "shop_domain": SHOP,
            "source": inbox.SHOPIFY,
            "delivery_id": f"{TOPIC}:{first + number}",
            "topic": TOPIC,
            "body": order_body(first + number, (first // 100 + number) * _STRIDE % members + 1).encode(),
            "state": "due",
            "attempts": 0,
            "received_at": now,
            "due_at": now,
        }
        for number in range(count)
    ]
    with runtime.transaction() as session:
        session.execute(insert(InboxMessage), rows)


def _drain(runtime: Runtime, count: int, server_pid: int) -> Round:
    reception = Reception({inbox.SHOPIFY: translate}, {})
    before = _counts(runtime)
    wall, ours, database = time.perf_counter(), time.process_time(), cpu_seconds(server_pid)
    handled, more = 0, True
    while more:
        drained = drain_inbox(runtime, reception, SHOP)
        handled, more = handled + drained.messages, drained.more
    wall, ours = time.perf_counter() - wall, time.process_time() - ours
    database = cpu_seconds(server_pid) - database
    entries, messages = (after - start for after, start in zip(_counts(runtime), before, strict=True))
    if handled != count or entries != count or messages < count:
        raise RuntimeError(f"{count} webhooks made {entries} entries and {messages} messages")
    return Round(count / wall, ours / count * 1000, database / count * 1000)


def _counts(runtime: Runtime) -> tuple[int, int]:
    with runtime.reading() as session:
        entries = session.exec(select(func.count()).select_from(LedgerEntry)).one()
        messages = session.exec(select(func.count()).select_from(OutboxMessage)).one()
    return entries, messages
