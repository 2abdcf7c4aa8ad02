"""The reviews of one account, as Klaviyo Reviews keeps them. Refuses to make events: `account` does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.klaviyo.checks import known_members, nullable_string, wrong
from sandbox.klaviyo.errors import NotUnderstood, Problem
from sandbox.klaviyo.profile_checks import valid_email

TYPES = ("review", "rating", "question", "store")
STATUSES = ("pending", "published", "unpublished", "featured", "rejected")
REASONS = (
    "other",
    "fake",
    "false_or_misleading",
    "private_information",
    "profanity_or_inappropriate",
    "unrelated",
)


@dataclass
class Review:
    """One review, rating or question."""

    ident: str
    email: str
    author: str
    kind: str
    rating: int | None
    title: str | None
    content: str | None
    verified: bool
    images: tuple[str, ...]
    video: bool
    product: Mapping[str, Any] | None
    status: str
    created: float
    updated: float
    rejection: str | None = None
    events: list[str] = field(default_factory=list)

    @property
    def has_media(self) -> bool:
        return bool(self.images) or self.video

    @property
    def status_value(self) -> dict[str, Any]:
        """The status as the API shows it."""
        if self.status == "rejected":
            return {"value": "rejected", "rejection_reason": {"reason": self.rejection or "other"}}
        return {"value": self.status}


def check_status(status: Any, at: str, problems: list[Problem]) -> None:
    """A status as an app may set it: a rejection has one of the known reasons, and nothing else has one."""
    rejected = isinstance(status, dict) and status.get("value") == "rejected"
    members = frozenset(("value", "rejection_reason")) if rejected else frozenset(("value",))
    if not known_members(status, members, at, problems, "status", tuple(sorted(members))):
        return
    if status["value"] not in STATUSES:
        wrong(problems, f"{at}/value", f"This must be one of {', '.join(STATUSES)}.")
    if not rejected:
        return
    given, here = status["rejection_reason"], f"{at}/rejection_reason"
    other = isinstance(given, dict) and given.get("reason") == "other"
    known = frozenset(("reason", "status_explanation")) if other else frozenset(("reason",))
    if not known_members(given, known, here, problems, "rejection_reason", ("reason",)):
        return
    if given["reason"] not in REASONS:
        wrong(problems, f"{here}/reason", f"This must be one of {', '.join(REASONS)}.")
    nullable_string(given.get("status_explanation"), f"{here}/status_explanation", problems)


def change_status(review: Review, status: str, reason: str | None, now: float) -> None:
    """Publish, unpublish, feature or reject; ValueError for what Klaviyo does not know."""
    if status not in STATUSES:
        raise NotUnderstood(f"status must be one of {', '.join(STATUSES)}")
    if reason is not None and reason not in REASONS:
        raise NotUnderstood(f"reason must be one of {', '.join(REASONS)}")
    review.status, review.updated = status, now
    review.rejection = (reason or "other") if status == "rejected" else None


def read_submission(given: Mapping[str, Any], ident: str, now: float) -> Review:
    """A review from what a shopper entered; ValueError says what is wrong with it."""
    known = {"account", "email", "author", "type", "rating", "title", "content", "verified"}
    known |= {"images", "video", "product", "status"}
    if unknown := given.keys() - known:
        raise NotUnderstood(f"unknown: {', '.join(sorted(unknown))}")
    kind, email = given.get("type", "review"), given.get("email")
    if kind not in TYPES:
        raise NotUnderstood(f"type must be one of {', '.join(TYPES)}")
    if not isinstance(email, str) or not valid_email(email):
        raise NotUnderstood("email must be an address")
    rating = given.get("rating")
    if kind == "question":
        if rating is not None:
            raise NotUnderstood("a question has no rating")
    elif isinstance(rating, bool) or not isinstance(rating, int) or not 1 <= rating <= 5:
        raise NotUnderstood("rating must be 1 to 5")
    status = given.get("status", "pending")
    if status not in STATUSES:
        raise NotUnderstood(f"status must be one of {', '.join(STATUSES)}")
    return Review(
        ident=ident,
        email=email.lower(),
        author=_text(given, "author") or "Anonymous",
        kind=kind,
        rating=rating,
        title=None if kind == "rating" else _text(given, "title"),
        content=None if kind == "rating" else _text(given, "content"),
        verified=_flag(given, "verified"),
        images=_images(given.get("images", [])),
        video=_flag(given, "video"),
        product=None if kind == "store" else _product(given.get("product")),
        status=status,
        created=now,
        updated=now,
    )


def event_properties(review: Review, *, with_id: bool) -> dict[str, Any]:
    """What a Submitted review (or rating) event carries: the state at submission, never updated."""
    product = review.product or {}
    properties: dict[str, Any] = {
        "review_rating": review.rating,
        "review_author": review.author,
        "review_email": review.email,
        "review_content": review.content,
        "review_title": review.title,
        "review_status": review.status,
        "review_verified": review.verified,
        "review_has_media": review.has_media,
        "review_images": list(review.images),
        "review_link": f"https://www.klaviyo.com/reviews/{review.ident}",
        "is_store_review": review.kind == "store",
        "product": {"id": product.get("external_id"), "name": product.get("name")},
        "structured_product": dict(product),
        "store_url": product.get("url"),
    }
    if with_id:
        properties["review_id"] = review.ident
    return properties


def review_id(account: str, number: int) -> str:
    """A 32-digit identifier for the n-th review of an account."""
    return hashlib.sha256(f"review {account} {number}".encode()).hexdigest()[:32]


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise NotUnderstood(f"{name} must be text")
    return value or None


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise NotUnderstood(f"{name} must be true or false")
    return value


def _images(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise NotUnderstood("images must be a list of addresses")
    return tuple(value)


def _product(value: Any) -> dict[str, Any]:
    default = {
        "url": "https://fernandfig.shop/products/fig-candle",
        "name": "Fig candle",
        "image_url": None,
        "external_id": "7001001001001",
    }
    if value is None:
        return default
    if not isinstance(value, dict) or value.keys() - default.keys():
        raise NotUnderstood("product has url, name, image_url and external_id")
    return default | value
