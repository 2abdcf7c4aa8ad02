"""Fetches reviews from Klaviyo's API into the inbox: what is new, and what changed. This road alone is enough; the webhook only makes
it quicker. It decides nothing about points.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from redis import Redis

from klaviyo_oauth import connections, payloads, review_facts
from klaviyo_oauth.answers import Answer, NotConnected, Reply, Trouble, Wait
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.review_facts import translate
from loyalty import inbox
from loyalty.models import Shop
from loyalty.runtime import Runtime

# Klaviyo's clock is not ours, and a review may show up minutes after its own date.
OVERLAP = timedelta(minutes=10)
_PAGE = 100
# Ten thousand reviews between two polls; what is beyond is met in the next one, since the cursor does not move then.
_MOST_PAGES = 100
_UNAVAILABLE = frozenset((400, 403, 404, 405, 410))

__all__ = ["poll", "translate"]


class _Interrupted(Exception):
    """The walk cannot go on now. ``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(type(answer).__name__)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a poll starts: what is older than ``floor`` was never part of the program."""

    shop_domain: str
    account_id: str
    since: datetime
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
    started = runtime.clock()
    place = _place(runtime, shop_id)
    if place is None:
        return None
    kept = 0
    try:
        for page in _pages(gateway, shop_id, place):
            kept += _keep(runtime, place, page)
    except _Interrupted as stop:
        return _interrupted(runtime, shop_id, stop.answer)
    finally:
        if kept:
            runtime.nudge("drain_inbox", place.shop_domain)
    with runtime.transaction() as session:
        row = connections.load(session, shop_id, lock=True)
        if row is not None and row.account_id == place.account_id:
            row.review_cursor = started
            connections.change_details(row, reviews_polled_at=started.isoformat(), reviews_problem=None)
    return None


def _place(runtime: Runtime, shop_id: int) -> _Place | None:
    with runtime.reading() as session:
        row, shop = connections.load(session, shop_id), session.get(Shop, shop_id)
        if row is None or shop is None or row.account_id is None:
            return None
        floor = review_facts.moment(row.details.get("reviews_since")) or row.connected_at
        cursor = row.review_cursor or floor
        return _Place(shop.domain, row.account_id, max(cursor - OVERLAP, floor), floor)


def _pages(gateway: Gateway, shop_id: int, place: _Place) -> Iterator[list[Mapping[str, Any]]]:
    """Pages of new reviews, then pages of changed ones. There is no filter by change, so those are walked back to ``since``."""
    created = f"greater-or-equal(created,{payloads.instant(place.since)})"
    for page in _walk(gateway, shop_id, {"filter": created, "sort": "created"}):
        yield [review for review in page if _is_ours(review, place)]
    for page in _walk(gateway, shop_id, {"sort": "-updated"}):
        recent = [review for review in page if _updated(review) >= place.since]
        yield [review for review in recent if _is_ours(review, place)]
        if len(recent) < len(page):
            return


def _walk(gateway: Gateway, shop_id: int, query: Mapping[str, str]) -> Iterator[list[Mapping[str, Any]]]:
    params: dict[str, str | int] = {**query, "page[size]": _PAGE}
    for _ in range(_MOST_PAGES):
        answer = gateway.call(shop_id, "GET reviews", "/api/reviews", params=params)
        if not (isinstance(answer, Reply) and answer.ok):
            raise _Interrupted(answer)
        data = answer.data if isinstance(answer.data, list) else []
        yield [review for review in data if isinstance(review, Mapping)]
        cursor = next_cursor(answer)
        if cursor is None:
            return
        params["page[cursor]"] = cursor
    raise _Interrupted(Wait(60.0, "many_reviews"))


def next_cursor(reply: Reply) -> str | None:
    """The cursor of the next page. Only that is taken from the link: a token must not follow an address that an answer names."""
    links = reply.body.get("links")
    link = links.get("next") if isinstance(links, Mapping) else None
    if not isinstance(link, str):
        return None
    found = parse_qs(urlsplit(link).query).get("page[cursor]")
    return found[0] if found else None


def _keep(runtime: Runtime, place: _Place, page: list[Mapping[str, Any]]) -> int:
    now = runtime.clock()
    with runtime.transaction() as session:
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


def _updated(review: Mapping[str, Any]) -> datetime:
    attributes = _attributes(review)
    found = review_facts.moment(attributes.get("updated")) or review_facts.moment(attributes.get("created"))
    if found is None:
        raise _Interrupted(Reply(400))
    return found


def _attributes(review: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = review.get("attributes")
    return attributes if isinstance(attributes, Mapping) else {}


def _interrupted(runtime: Runtime, shop_id: int, answer: Answer) -> float | None:
    """Being without Klaviyo Reviews, or without the permission, is a state to show and not an error."""
    match answer:
        case Wait(seconds=seconds) | Trouble(seconds=seconds):
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
                    connections.change_details(row, reviews_problem=problem, reviews_polled_at=now)
            return None
