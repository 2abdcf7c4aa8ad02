"""How fast a backlog of news reaches Klaviyo: under Klaviyo's published limits, and without any, which shows our own ceiling."""

import contextlib
import time
from collections.abc import Iterator
from unittest import mock

import requests
from redis import Redis
from sqlalchemy import text

from bench.crowd import add_members, connect_klaviyo
from bench.customer_sync import limits_floor
from bench.ground import Ground, open_shop, settle
from bench.local_klaviyo import ACCOUNT, KEY, LocalKlaviyo, serving
from bench.report import Budget, Report
from bench.scale import Scale
from klaviyo_oauth import limits
from klaviyo_oauth.payloads import MOST_EVENTS
from klaviyo_oauth.sender import KlaviyoSender
from loyalty.runtime import Runtime
from loyalty.sending import drain_outbox

_MEMBERS = 10_000
_NEWS = """
INSERT INTO outbox (shop_id, channel, kind, unique_id, member_id, payload, occurred_at, backfill, state, attempts, due_at, created_at)
SELECT :shop_id, 'klaviyo', 'points_earned', 'laurel:' || :shop_id || ':' || encode(sha256(n::text::bytea), 'hex'),
    :first_member + n % :members, jsonb_build_object('points', 120, 'points_balance', 540, 'source', 'order',
    'order_name', '#' || n, 'reason', 'Place an order'), now(), false, 'due', 0, now(), now()
FROM generate_series(CAST(1 AS bigint), CAST(:count AS bigint)) AS n
"""


def measure(ground: Ground, scale: Scale) -> Report:
    """Both ways, each from an empty Klaviyo."""
    report = Report("event_drain", "A backlog of events to a local Klaviyo (PostgreSQL, one process)")
    count = scale.events
    with mock.patch.object(limits, "budget", return_value=(10**9, 10**9)):
        seconds, processor = _drain(ground, count, limits_of_klaviyo="off")
    report.add(f"{count:,} events without limits", "/s", count / seconds)
    report.add("processor time of ours", "ms each", processor / count * 1000)
    count = scale.real_limits_events
    seconds, _ = _drain(ground, count, limits_of_klaviyo="real")
    floor = limits_floor(count // MOST_EVENTS)
    report.add(f"{count:,} events under the real limits", "s", seconds)
    report.add("the shortest time that the limits allow for them", "s", floor)
    report.add("that is", "/s", count / seconds)
    report.budgets.append(
        Budget.at_least("at least 90 % of the pace that the limits allow", floor / seconds * 100, 90, "%")
    )
    report.notes.append(
        "without limits, the local Klaviyo shares the two cores with us and is the slower half"
    )
    return report


def _drain(ground: Ground, count: int, *, limits_of_klaviyo: str) -> tuple[float, float]:
    """Wall and processor seconds until the outbox is empty and Klaviyo has every event."""
    with ground.runtime() as runtime, serving(limits=limits_of_klaviyo) as klaviyo, _tools(ground) as tools:
        shop_id = open_shop(runtime)
        connect_klaviyo(runtime, shop_id, KEY, ACCOUNT)
        add_members(runtime, shop_id, 1, _MEMBERS)
        _queue(runtime, shop_id, count)
        settle(runtime.engine)
        sender = KlaviyoSender(runtime, klaviyo.config(), *tools)
        start, processor = time.perf_counter(), time.process_time()
        while (again_in := drain_outbox(runtime, sender, shop_id).again_in) is not None:
            time.sleep(again_in)
        found = time.perf_counter() - start, time.process_time() - processor
        _check(klaviyo, count)
    return found


@contextlib.contextmanager
def _tools(ground: Ground) -> Iterator[tuple[Redis, requests.Session]]:
    ground.forget_limits()
    with Redis.from_url(ground.redis_url) as redis, requests.Session() as http:
        yield redis, http


def _queue(runtime: Runtime, shop_id: int, count: int) -> None:
    with runtime.transaction() as session:
        first = session.execute(text("SELECT min(id) FROM member")).scalar_one()
        values = {"shop_id": shop_id, "first_member": first, "members": _MEMBERS, "count": count}
        session.execute(text(_NEWS), values)


def _check(klaviyo: LocalKlaviyo, count: int) -> None:
    taken = klaviyo.counts()["events"]["recorded"]
    if taken != count:
        raise RuntimeError(f"Klaviyo has {taken} of {count} events")
