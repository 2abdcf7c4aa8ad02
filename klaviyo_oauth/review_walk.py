"""The way through a shop's reviews at Klaviyo, page by page, which may take more than one job. It keeps nothing itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from klaviyo_oauth import payloads, review_facts
from klaviyo_oauth.answers import Answer, Reply, Wait
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.paging import next_cursor

_PAGE = 100
# One job's worth. Where it stopped is kept, so that a shop that imports its reviews into Klaviyo is polled to the end.
_MOST_PAGES = 10
_BETWEEN_JOBS = 1.0


class Interrupted(Exception):
    """The walk cannot go on now. ``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(type(answer).__name__)
        self.answer = answer


@dataclass(slots=True)
class Walk:
    """A poll on its way, which may take several jobs: through new reviews first, then through changed ones, from page to page."""

    began: datetime
    since: datetime
    through_changed: bool = False
    cursor: str | None = None

    @staticmethod
    def resume(value: object) -> "Walk | None":
        """One that was interrupted, as ``to_json`` wrote it."""
        if not isinstance(value, Mapping):
            return None
        began, since = review_facts.moment(value.get("began")), review_facts.moment(value.get("since"))
        if began is None or since is None:
            return None
        return Walk(began, since, value.get("through_changed") is True, value.get("cursor"))

    def to_json(self) -> dict[str, Any]:
        return {
            "began": self.began.isoformat(),
            "since": self.since.isoformat(),
            "through_changed": self.through_changed,
            "cursor": self.cursor,
        }


def pages(gateway: Gateway, shop_id: int, walk: Walk) -> Iterator[list[Mapping[str, Any]]]:
    """Pages of new reviews, then pages of changed ones. There is no filter by change, so those are walked back to ``since``.

    The walk is moved on when a page was dealt with, so that whatever interrupts it costs one page and not all of them.
    """
    for _ in range(_MOST_PAGES):
        page, cursor = _page(gateway, shop_id, walk)
        recent = (
            [review for review in page if _updated(review) >= walk.since] if walk.through_changed else page
        )
        yield recent
        if cursor is not None and len(recent) == len(page):
            walk.cursor = cursor
        elif walk.through_changed:
            return
        else:
            walk.through_changed, walk.cursor = True, None
    raise Interrupted(Wait(_BETWEEN_JOBS, "many_reviews"))


def _page(gateway: Gateway, shop_id: int, walk: Walk) -> tuple[list[Mapping[str, Any]], str | None]:
    params: dict[str, str | int] = {"page[size]": _PAGE}
    if walk.through_changed:
        params["sort"] = "-updated"
    else:
        params |= {
            "filter": f"greater-or-equal(created,{payloads.instant(walk.since)})",
            "sort": "created",
        }
    if walk.cursor is not None:
        params["page[cursor]"] = walk.cursor
    answer = gateway.call(shop_id, "GET reviews", "/api/reviews", params=params)
    if not (isinstance(answer, Reply) and answer.ok):
        raise Interrupted(answer)
    data = answer.data if isinstance(answer.data, list) else []
    return [review for review in data if isinstance(review, Mapping)], next_cursor(answer)


def _updated(review: Mapping[str, Any]) -> datetime:
    attributes = _attributes(review)
    found = review_facts.moment(attributes.get("updated")) or review_facts.moment(attributes.get("created"))
    if found is None:
        raise Interrupted(Reply(400))
    return found


def _attributes(review: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = review.get("attributes")
    return attributes if isinstance(attributes, Mapping) else {}
