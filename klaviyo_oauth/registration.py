"""Keeps the review webhook registered and switched on, looks whether Klaviyo Reviews is there and what became of import jobs. Runs again and
again, so the order in which a merchant sets things up does not matter. Without webhooks the reviews are polled for, and that is enough.
"""

from collections.abc import Mapping

import requests
from redis import Redis

from klaviyo_oauth import profile_jobs, webhook
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.paging import next_cursor
from klaviyo_oauth.resync import resync_if_due
from klaviyo_oauth.webhook import Unsettled, entries, note, settled
from loyalty.runtime import Runtime

_REVIEW_METRICS = frozenset(("Ready to review", "Submitted review", "Submitted rating"))
_MOST_PAGES = 10


def check(
    runtime: Runtime,
    config: KlaviyoConfig,
    redis: Redis,
    shop_id: int,
    *,
    http: requests.Session | None = None,
) -> float | None:
    """Bring webhook and knowledge up to date. Returns the seconds after which to look again when Klaviyo did not answer or has import jobs to
    work off, else None."""
    gateway = Gateway(runtime, config, redis, http or requests.Session())
    resync_if_due(runtime, shop_id)
    try:
        state = webhook.keep(runtime, config, gateway, shop_id)
        note(runtime, shop_id, webhook_state=state, webhook_checked_at=runtime.clock().isoformat())
        metrics = _metrics(gateway, shop_id)
        if metrics is not None:
            note(runtime, shop_id, reviews_active=bool(metrics & _REVIEW_METRICS))
    except Unsettled as unsettled:
        return unsettled.seconds
    return profile_jobs.look(runtime, gateway, shop_id)


def _metrics(gateway: Gateway, shop_id: int) -> set[str] | None:
    """The names of the account's metrics; None when we may not read them."""
    names: set[str] = set()
    params: dict[str, str | int] = {"fields[metric]": "name"}
    for _ in range(_MOST_PAGES):
        answer = settled(gateway.call(shop_id, "GET metrics", "/api/metrics", params=params))
        if not answer.ok:
            return None
        for entry in entries(answer):
            attributes = entry.get("attributes")
            name = attributes.get("name") if isinstance(attributes, Mapping) else None
            names |= {name} if isinstance(name, str) else set()
        cursor = next_cursor(answer)
        if cursor is None:
            break
        params["page[cursor]"] = cursor
    return names
