"""Reads the scenario files and the facts that their steps are about. See README.md beside this file."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from loyalty.core.facts import (
    ActionDone,
    BirthdayTold,
    CustomerSeen,
    Identity,
    OrderLine,
    OrderSeen,
    OrderSnapshot,
    ReviewSeen,
)

FOLDER = Path(__file__).parent
WHO = Identity(7001, "rosa@fernandfig.shop")
_POINTS = {"one": "point", "many": "points"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story: a program document and what happens under it."""

    title: str
    document: Mapping[str, Any]
    steps: tuple[Mapping[str, Any], ...]


def scenarios() -> Iterator[Scenario]:
    """Every scenario of every file."""
    for path in sorted(FOLDER.glob("*.toml")):
        for told in tomllib.loads(path.read_text())["scenario"]:
            document = {"points": _POINTS, "earn": {}, "rewards": []} | told["program"]
            yield Scenario(f"{path.stem}: {told['title']}", document, tuple(told["steps"]))


class Teller:
    """Turns the steps of one scenario into facts; it remembers when orders were placed and since when the account exists."""

    def __init__(self) -> None:
        self._placed: dict[int, datetime] = {}
        self._joined: datetime | None = None

    def fact(
        self, step: Mapping[str, Any]
    ) -> CustomerSeen | OrderSeen | ReviewSeen | ActionDone | BirthdayTold | None:
        """What a step tells; None when it tells nothing of the outside world."""
        at = step["at"]
        if "join" in step:
            self._joined = self._joined or at
            since = at if step["join"].get("subscribed") else None
            return CustomerSeen(WHO, "Rosa", "Marín", None, self._joined, at, subscribed_at=since)
        if "order" in step:
            return self._order(step["order"], at)
        if "review" in step:
            return _review(step["review"], at)
        if "action" in step:
            return ActionDone(step["action"], step.get("key", ""), WHO, at)
        if "birthday" in step:
            month, day = step["birthday"].split("-")
            return BirthdayTold(WHO, int(month), int(day), at)
        return None

    def _order(self, told: Mapping[str, Any], at: datetime) -> OrderSeen:
        placed = self._placed.setdefault(told["id"], told.get("placed", at))
        snapshot = OrderSnapshot(
            order_id=told["id"],
            name=f"#{1000 + told['id']}",
            created_at=placed,
            updated_at=told.get("seen", at),
            currency="USD",
            financial_status=told.get("status", "paid"),
            cancelled=told.get("cancelled", False),
            test=told.get("test", False),
            source=told.get("channel", "web"),
            lines=tuple(_line(number, line) for number, line in enumerate(told["lines"], 1)),
            outstanding=Decimal(told.get("outstanding", "0")),
            refunded=Decimal(told.get("refunded", "0")),
            refunded_shipping=Decimal(told.get("refunded_shipping", "0")),
            shipping=Decimal(told.get("shipping", "0")),
        )
        return OrderSeen(snapshot, WHO, authoritative=not told.get("heard", False))


def _line(number: int, told: Mapping[str, Any]) -> OrderLine:
    count = told.get("count", 1)
    knows_product = "tags" in told or "collections" in told
    return OrderLine(
        line_id=number,
        product_id=told.get("product"),
        quantity=count,
        remaining=count - told.get("back", 0),
        amount=Decimal(told["each"]) * count,
        tax=Decimal(told.get("tax", "0")),
        gift_card=told.get("gift_card", False),
        tags=tuple(told.get("tags", ())) if knows_product else None,
        collections=tuple(told.get("collections", ())) if knows_product else None,
    )


def _review(told: Mapping[str, Any], at: datetime) -> ReviewSeen:
    return ReviewSeen(
        review_id=told["id"],
        email=WHO.email,
        kind=told.get("kind", "review"),
        rating=5,
        verified=told.get("verified", True),
        has_media=told.get("media", False) or told.get("video", False),
        status=told.get("status", "published"),
        submitted_at=told.get("submitted", at),
        seen_at=at,
        has_video=told.get("video", False),
    )
