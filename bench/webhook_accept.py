"""How many order webhooks are taken in a second: checked, written to PostgreSQL and answered, beside two Node servers that do the same.

All three serve with two processes on the same PostgreSQL, in turns, so that whatever else the machine does meets them alike.
"""

import contextlib
import itertools
from dataclasses import asdict
from typing import Any

from bench.children import answer_of, cpu_seconds
from bench.ground import Ground
from bench.load import Plan
from bench.orders import SHOP, TOPIC, order_body
from bench.report import Budget, Report
from bench.scale import Scale
from bench.webhook_servers import LIBRARY, OURS, PLAIN, SECRET, Serving, install_peers, serving

PATH = "/webhooks/shopify"
CONNECTIONS = 32
_tags = itertools.count(1)


def measure(ground: Ground, scale: Scale) -> Report:
    """Maxima in interleaved rounds, then each server at half and at twice its own maximum."""
    install_peers()
    report = Report("webhook_accept", "Webhooks taken in a second (two processes, PostgreSQL)")
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in (OURS, PLAIN, LIBRARY)}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(serving(name, ground)) for name in rounds]
        for server in servers:
            send(server.port, scale.seconds)  # a just-in-time compiler has to warm up
        for _ in range(scale.rounds):
            for server in servers:
                rounds[server.name].append(_at_maximum(server, ground, scale))
        for server in servers:
            _note_maximum(report, server.name, rounds[server.name])
        _note_ratios(report, rounds)
        for server in servers:
            maximum = sorted(x["per_second"] for x in rounds[server.name])[scale.rounds // 2]
            _other_rates(report, server, maximum, scale)
    report.notes.append(f"bodies of {len(order_body(1, 1)) / 1000:.1f} KB, {CONNECTIONS} connections")
    return report


def send(port: int, seconds: float, *, rate: float | None = None, tag: str = "") -> dict[str, Any]:
    """Send deliveries from a process of its own; gives what it saw."""
    plan = Plan(
        port=port,
        path=PATH,
        secret=SECRET,
        shop=SHOP,
        topic=TOPIC,
        body=order_body(1, 1),
        tag=tag or f"load{next(_tags)}",
        seconds=seconds,
        connections=CONNECTIONS,
        rate=rate,
    )
    return answer_of("bench.load", asdict(plan))


def _at_maximum(server: Serving, ground: Ground, scale: Scale) -> dict[str, Any]:
    pids = (server.pid, ground.server.process.pid)
    before = [cpu_seconds(pid) for pid in pids]
    found = send(server.port, scale.seconds)
    taken = found["statuses"].get("200", 0)
    if taken != sum(found["statuses"].values()) or found["faults"]:
        raise RuntimeError(f"{server.name} did not take everything: {found['statuses']} {found['faults']}")
    used = [cpu_seconds(pid) - start for pid, start in zip(pids, before, strict=True)]
    return found | {"cpu_ms": used[0] / taken * 1000, "database_cpu_ms": used[1] / taken * 1000}


def _note_maximum(report: Report, name: str, rounds: list[dict[str, Any]]) -> None:
    report.add(f"{name}: at maximum", "/s", *(x["per_second"] for x in rounds))
    report.add(f"{name}: p50", "ms", *(x["taken_ms"]["p50"] for x in rounds))
    report.add(f"{name}: p99", "ms", *(x["taken_ms"]["p99"] for x in rounds))
    report.add(f"{name}: processor, server", "ms each", *(x["cpu_ms"] for x in rounds))
    report.add(f"{name}: processor, database", "ms each", *(x["database_cpu_ms"] for x in rounds))


def _note_ratios(report: Report, rounds: dict[str, list[dict[str, Any]]]) -> None:
    for peer, least in ((LIBRARY, 2.5), (PLAIN, 1.2)):
        pairs = zip(rounds[OURS], rounds[peer], strict=True)
        ratio = report.add(f"{OURS} / {peer}", "x", *(a["per_second"] / b["per_second"] for a, b in pairs))
        report.budgets.append(Budget.at_least(f"at least {least} x {peer}", ratio.middle, least, "x"))


def _other_rates(report: Report, server: Serving, maximum: float, scale: Scale) -> None:
    half = send(server.port, scale.seconds * 2, rate=maximum / 2)
    twice = send(server.port, scale.seconds * 2, rate=maximum * 2)
    shed = twice["statuses"].get("503", 0) / max(1, sum(twice["statuses"].values()))
    slowest = twice["answer_ms"]["slowest"]
    unanswered = twice["faults"].get("unanswered", 0)
    report.add(f"{server.name}: p99 at half of it", "ms", half["taken_ms"]["p99"])
    report.add(f"{server.name}: taken at twice of it", "/s", twice["per_second"])
    report.add(f"{server.name}: slowest answer at twice", "ms", slowest)
    report.add(f"{server.name}: turned away at twice", "%", shed * 100)
    report.add(f"{server.name}: not answered within 6 s at twice", "", unanswered)
    if server.name == OURS:
        p99 = half["taken_ms"]["p99"]
        report.budgets.append(Budget.at_most("p99 under 50 ms at half of the maximum", p99, 50, "ms"))
        report.budgets.append(
            Budget(
                "no answer slower than 1 s at twice the maximum",
                slowest,
                "ms",
                slowest < 1000 and not unanswered,
            )
        )
