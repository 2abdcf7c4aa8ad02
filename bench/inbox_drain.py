"""How fast one worker process turns stored order webhooks into ledger entries and news, and whether a big shop is slower.

The work of ``drain_inbox`` alone: the webhooks are in the inbox beforehand, their customers are members, and PostgreSQL is durable.
"""

import time

from sqlalchemy import func, insert
from sqlmodel import select

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


def measure(ground: Ground, scale: Scale) -> Report:
    """The same webhooks with few and with many members, in turns on the same database."""
    report = Report("inbox_drain", "Order webhooks settled in a second by one process (PostgreSQL)")
    with ground.runtime() as runtime:
        shop_id = open_shop(runtime)
        connect_klaviyo(runtime, shop_id)
        few = _rounds(runtime, shop_id, scale, present=0, wanted=scale.members_few)
        many = _rounds(runtime, shop_id, scale, present=scale.members_few, wanted=scale.members_many)
    small, large = f"{scale.members_few:,} members", f"{scale.members_many:,} members"
    rate = report.add(f"with {small}", "/s", *(each[0] for each in few))
    big = report.add(f"with {large}", "/s", *(each[0] for each in many))
    report.add(f"processor time of ours, {small}", "ms each", *(each[1] for each in few))
    report.add(f"processor time of ours, {large}", "ms each", *(each[1] for each in many))
    report.budgets.append(Budget.at_least("at least 1,000/s in one process", rate.middle, 1000, "/s"))
    growth = rate.middle / big.middle
    report.budgets.append(Budget.at_most(f"no more than 1.2 x the cost at {large}", growth, 1.2, "x"))
    report.notes.append(
        f"{scale.webhooks:,} webhooks a round; each leaves an entry and messages to Klaviyo and Shopify"
    )
    return report


def _rounds(
    runtime: Runtime, shop_id: int, scale: Scale, *, present: int, wanted: int
) -> list[tuple[float, float]]:
    add_members(runtime, shop_id, present + 1, wanted)
    found = []
    for round_number in range(scale.rounds):
        first = (present + round_number) * 1_000_000
        _deliver(runtime, first, scale.webhooks, wanted)
        settle(runtime.engine)
        found.append(_drain(runtime, scale.webhooks))
    return found


def _deliver(runtime: Runtime, first: int, count: int, members: int) -> None:
    now = runtime.clock()
    rows = [
        {
            "shop_domain": SHOP,
            "source": inbox.SHOPIFY,
            "delivery_id": f"{TOPIC}:{first + number}",
            "topic": TOPIC,
            "body": order_body(first + number, number * _STRIDE % members + 1).encode(),
            "state": "due",
            "attempts": 0,
            "received_at": now,
            "due_at": now,
        }
        for number in range(count)
    ]
    with runtime.transaction() as session:
        session.execute(insert(InboxMessage), rows)


def _drain(runtime: Runtime, count: int) -> tuple[float, float]:
    """Webhooks a second, and our own processor time for each in milliseconds."""
    reception = Reception({inbox.SHOPIFY: translate}, {})
    before = _counts(runtime)
    wall, processor = time.perf_counter(), time.process_time()
    drained = drain_inbox(runtime, reception, SHOP, most_batches=count)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    entries, messages = (after - start for after, start in zip(_counts(runtime), before, strict=True))
    if drained.messages != count or entries != count or messages < count:
        raise RuntimeError(f"{count} webhooks made {entries} entries and {messages} messages")
    return count / wall, processor / count * 1000


def _counts(runtime: Runtime) -> tuple[int, int]:
    with runtime.reading() as session:
        entries = session.exec(select(func.count()).select_from(LedgerEntry)).one()
        messages = session.exec(select(func.count()).select_from(OutboxMessage)).one()
    return entries, messages
