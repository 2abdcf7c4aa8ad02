"""How long "Sync customer data" takes against the local Klaviyo with Klaviyo's real limits, and how much memory it needs.

The floor is the larger of what cannot be helped: Klaviyo's published limits for that many batches, and the time in which this
machine reads the members and encodes the same bodies. The local Klaviyo works on the same two cores, so its time is told as well.
"""

import math
from typing import Any

from bench.children import answer_of, cpu_seconds
from bench.crowd import add_members, connect_klaviyo
from bench.ground import Ground, open_shop, settle
from bench.local_klaviyo import ACCOUNT, KEY, serving
from bench.report import Budget, Report
from bench.scale import Scale
from klaviyo_oauth.limits import M
from klaviyo_oauth.payloads import MOST_BYTES, MOST_PROFILES


def measure(ground: Ground, scale: Scale) -> Report:
    """One sync for each number of members, each from an empty Klaviyo."""
    report = Report("customer_sync", "Sync customer data (PostgreSQL to a local Klaviyo, real limits)")
    peaks = {}
    for members in scale.sync_members:
        found = _sync(ground, members)
        label = f"{members:,} members"
        limits = limits_floor(_full_batches(members, found["encoded_bytes"]))
        floor = max(limits, found["encoding_seconds"])
        report.add(f"{label}: whole sync, jobs followed to their end", "s", found["seconds"])
        report.add(f"{label}: until the last batch was sent", "s", found["all_sent_seconds"])
        report.add(f"{label}: floor of Klaviyo's limits", "s", limits)
        report.add(f"{label}: floor of reading and encoding", "s", found["encoding_seconds"])
        report.add(f"{label}: processor time, ours", "s", found["processor_seconds"])
        report.add(f"{label}: processor time, local Klaviyo", "s", found["klaviyo_seconds"])
        report.add(f"{label}: peak memory, ours", "MB", found["peak_mb"])
        report.add(f"{label}: bytes of a profile", "", found["encoded_bytes"] / members)
        peaks[members] = found["peak_mb"]
    ratio = found["all_sent_seconds"] / floor
    report.budgets.append(Budget.at_most(f"{label} sent within 1.2 x the floor", ratio, 1.2, "x"))
    growth = peaks[scale.sync_members[-1]] / peaks[scale.sync_members[0]]
    report.budgets.append(Budget.at_most("memory does not grow with the members (1.2 x)", growth, 1.2, "x"))
    report.notes.append("one round each; the local Klaviyo checks and stores every profile on the same cores")
    return report


def limits_floor(requests_needed: int) -> float:
    """The shortest time that Klaviyo's published limits leave for so many requests, in seconds."""
    minutes, rest = divmod(requests_needed - 1, M.steady)
    return minutes * 60 + math.ceil((rest + 1) / M.burst) - 1


def _full_batches(members: int, bytes_of_all: int) -> int:
    """A batch is full with ten thousand profiles or with what Klaviyo takes of bytes, whatever comes first."""
    return max(math.ceil(members / MOST_PROFILES), math.ceil(bytes_of_all / MOST_BYTES))


def _sync(ground: Ground, members: int) -> dict[str, Any]:
    with ground.runtime() as runtime, serving(limits="real") as klaviyo:
        shop_id = open_shop(runtime)
        connect_klaviyo(runtime, shop_id, KEY, ACCOUNT)
        add_members(runtime, shop_id, 1, members)
        settle(runtime.engine)
        asked = {
            "database_url": runtime.engine.url.render_as_string(hide_password=False),
            "redis_url": ground.redis_url,
            "token_key": ground.token_key,
            "klaviyo_url": klaviyo.url,
            "shop_id": shop_id,
        }
        ground.forget_limits()
        before = cpu_seconds(klaviyo.pid)
        found = answer_of("bench.sync_process", asked)
        found["klaviyo_seconds"] = cpu_seconds(klaviyo.pid) - before
        if found["state"] != "done" or found["done"] != members:
            raise RuntimeError(f"the sync ended {found['state']} with {found['done']} of {members}")
        if klaviyo.counts()["profiles"] != members:
            raise RuntimeError("Klaviyo does not have everybody")
    return found
