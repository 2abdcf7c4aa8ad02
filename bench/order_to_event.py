"""How long it takes from an order webhook at the door until Klaviyo has accepted its event, with every process as in production.

Web, worker and cron are processes of their own on PostgreSQL; a local Shopify and a local Klaviyo with its real limits stand in
for the remote ends, and work on the same two cores. Times are those that the app itself wrote down: the delivery's arrival and
the end of the sending.
"""

import base64
import contextlib
import hashlib
import hmac
import io
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from sqlalchemy import Engine, text

from bench.figures import at
from bench.ground import Ground
from bench.orders import FIRST_ORDER, TOPIC, order_body
from bench.report import Budget, Report
from bench.scale import Scale
from demo import opening
from demo.cast import Cast
from demo.stage import CLIENT_SECRET, SHOP, Stage
from demo.story import start
from demo.telling import Teller
from loyalty.database import make_engine

_PATIENCE = 60.0
_CUSTOMERS = 500
_LATENCIES = """
SELECT extract(epoch FROM outbox.finished_at - inbox.received_at)
FROM inbox
JOIN ledger_entry ON ledger_entry.source_kind = 'order' AND ledger_entry.source_ref = split_part(inbox.delivery_id, '=', 2)
JOIN outbox ON outbox.channel = 'klaviyo' AND outbox.state = 'delivered'
    AND outbox.unique_id = 'laurel:' || ledger_entry.shop_id || ':' || ledger_entry.id
WHERE inbox.delivery_id LIKE 'orders/paid:order=%'
"""


def measure(ground: Ground, scale: Scale) -> Report:
    """A steady stream of orders for a while; every one of them must arrive."""
    count = int(scale.orders_a_second * scale.order_seconds)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="laurel-bench-")))
        url = stack.enter_context(ground.database())
        stage = stack.enter_context(
            Stage(folder, wanted_ports=(0, 0, 0, 0), database_url=url, redis_url=ground.redis_url)
        )
        ground.forget_limits()
        _open(stage)
        engine = make_engine(url)
        stack.callback(engine.dispose)
        late = _send(stage, count, scale.orders_a_second)
        found = _arrived(engine, count)
        shed = _elsewhere(engine)
    report = Report(
        "order_to_event", f"From an order webhook to its event at Klaviyo, {scale.orders_a_second} orders/s"
    )
    p50 = report.add("p50", "s", at(found, 0.50))
    report.add("p95", "s", at(found, 0.95))
    p99 = report.add("p99", "s", at(found, 0.99))
    report.add("slowest", "s", found[-1])
    report.budgets.append(Budget.at_most("p50 under 1 s", p50.middle, 1.0, "s"))
    report.budgets.append(Budget.at_most("p99 under 5 s", p99.middle, 5.0, "s"))
    report.notes.append(
        f"{count:,} orders of {_CUSTOMERS} customers; one worker; the sender was at most {late:.2f} s late"
    )
    report.notes.append(f"meanwhile the same worker spoke to the local Shopify: {shed}")
    return report


def _open(stage: Stage) -> None:
    """Everything up, the app installed, Klaviyo connected; what the story would tell of it is left out."""
    with contextlib.redirect_stdout(io.StringIO()):
        teller = Teller(4)
        start(stage, teller)
        cast = Cast(stage, teller)
        for act in (opening.customers_of_old, opening.install, opening.connect):
            act(cast)


def _send(stage: Stage, count: int, rate: int) -> float:
    """Send at the rate, whatever the answers take; gives by how much the latest one was late."""
    late = 0.0
    with requests.Session() as http, ThreadPoolExecutor(8) as threads:
        sending = []
        began = time.perf_counter()
        for number in range(count):
            due = began + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            late = max(late, time.perf_counter() - due)
            sending.append(threads.submit(_deliver, http, stage, number))
        for each in sending:
            each.result()
    return late


def _deliver(http: requests.Session, stage: Stage, number: int) -> None:
    body = order_body(number, number % _CUSTOMERS + 1).encode()
    digest = hmac.new(CLIENT_SECRET.encode(), body, hashlib.sha256).digest()
    headers = {
        "X-Shopify-Topic": TOPIC,
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Webhook-Id": f"order={FIRST_ORDER + number}",
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
    }
    answer = http.post(f"{stage.at.app}/webhooks/shopify", data=body, headers=headers, timeout=10)
    answer.raise_for_status()


def _arrived(engine: Engine, count: int) -> list[float]:
    """The times of all orders, ascending, once every event was accepted."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        with engine.connect() as connection:
            found = sorted(float(row[0]) for row in connection.execute(text(_LATENCIES)))
        if len(found) == count:
            return found
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {len(found)} of {count} events were accepted")
        time.sleep(0.25)


def _elsewhere(engine: Engine) -> str:
    states = "SELECT state, count(*) FROM outbox WHERE channel = 'shopify' GROUP BY state ORDER BY state"
    with engine.connect() as connection:
        return ", ".join(f"{number} {state}" for state, number in connection.execute(text(states)))
