"""Fetches reviews from Klaviyo's API into the inbox: what is new, and what changed. This road alone is enough; the webhook only makes
it quicker. It decides nothing about points.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
from redis import Redis

from klaviyo_oauth import connections, payloads, review_facts, review_walk
from klaviyo_oauth.answers import Answer, NotConnected, Reply, Trouble, Wait
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.review_facts import translate
from klaviyo_oauth.review_walk import Interrupted, Walk
from loyalty import inbox
from loyalty.models import Shop
from loyalty.runtime import Runtime

# Klaviyo's clock is not ours, and a review may show up minutes after its own date.
OVERLAP = timedelta(minutes=10)
_UNAVAILABLE = frozenset((400, 403, 404, 405, 410))

__all__ = ["poll", "translate"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Whose reviews are polled: what is older than ``floor`` was never part of the program."""

    shop_domain: str
    account_id: str
    floor: datetime


def poll(
    runtime: Runtime,
    config: KlaviyoConfig,
    redis: Redis,
    shop_id: int,
    *,
    http: requests.Session | None = None,
) -> float | None:
    """Put new and changed reviews into the inbox. Returns the seconds after which to go on when it was interrupted, else None."""
    gateway = Gateway(runtime, config, redis, http or requests.Session())
    found = _place(runtime, shop_id)
    if found is None:
        return None
    place, walk = found
    kept = 0
    try:
        for page in review_walk.pages(gateway, shop_id, walk):
            kept += _keep(runtime, shop_id, place, [review for review in page if _is_ours(review, place)])
    except Interrupted as stop:
        return _interrupted(runtime, shop_id, stop.answer, place, walk)
    finally:
        if kept:
            runtime.nudge("drain_inbox", place.shop_domain)
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is not None and row.account_id == place.account_id:
            row.review_cursor = walk.began
            polled_at = runtime.clock().isoformat()
            connections.change_details(
                row, reviews_polled_at=polled_at, reviews_problem=None, reviews_walk=None
            )
    return None


def _place(runtime: Runtime, shop_id: int) -> tuple[_Place, Walk] | None:
    with runtime.reading() as session:
        row, shop = connections.load(session, shop_id), session.get(Shop, shop_id)
        if row is None or shop is None or row.account_id is None:
            return None
        floor = review_facts.moment(row.details.get("reviews_since")) or row.connected_at
        cursor = row.review_cursor or floor
        walk = Walk.resume(row.details.get("reviews_walk"))
        place = _Place(shop.domain, row.account_id, floor)
        return place, walk or Walk(runtime.clock(), max(cursor - OVERLAP, floor))


def _keep(runtime: Runtime, shop_id: int, place: _Place, page: list[Mapping[str, Any]]) -> int:
    now = runtime.clock()
    with runtime.transaction() as session:
        row = connections.load(session, shop_id)
        if row is None or row.account_id != place.account_id:
            # Another account was connected meanwhile, and may have answered: what is too old there is not known here.
            raise Interrupted(NotConnected(None))
        connection = session.connection()
        return sum(
            inbox.receive(
                connection,
                shop_domain=place.shop_domain,
                source=inbox.KLAVIYO,
                delivery_id=_delivery_id(review),
                topic=review_facts.REVIEW_TOPIC,
                body=payloads.encode(review_facts.trimmed(review)),
                now=now,
            )
            for review in page
        )


def _delivery_id(review: Mapping[str, Any]) -> str:
    attributes = _attributes(review)
    return f"review:{review.get('id')}:{attributes.get('updated')}:{review_facts.status_of(attributes)}"[:255]


def _is_ours(review: Mapping[str, Any], place: _Place) -> bool:
    created = review_facts.moment(_attributes(review).get("created"))
    return created is None or created >= place.floor.replace(microsecond=0)


def _attributes(review: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = review.get("attributes")
    return attributes if isinstance(attributes, Mapping) else {}


def _interrupted(runtime: Runtime, shop_id: int, answer: Answer, place: _Place, walk: Walk) -> float | None:
    """Being without Klaviyo Reviews, or without the permission, is a state to show and not an error."""
    match answer:
        case Wait(seconds=seconds) | Trouble(seconds=seconds):
            with runtime.transaction() as session:
                row = connections.load(session, shop_id, lock=True)
                if row is not None and row.account_id == place.account_id:
                    connections.change_details(row, reviews_walk=walk.to_json())
            return seconds
        case NotConnected():
            return None
        case Reply(status=status):
            if status not in _UNAVAILABLE:
                return 60.0
            problem = "missing_scope" if status == 403 else "unavailable"
            with runtime.transaction() as session:
                row = connections.load(session, shop_id, lock=True)
                if row is not None:
                    now = runtime.clock().isoformat()
                    # A page cursor that has grown too old is refused as well; the next poll begins anew.
                    connections.change_details(
                        row, reviews_problem=problem, reviews_polled_at=now, reviews_walk=None
                    )
            return None
