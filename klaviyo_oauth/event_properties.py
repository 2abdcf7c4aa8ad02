"""What an event says at Klaviyo: what was frozen when it happened, what only the moment of sending may know (names and addresses), and the
same things under the names that flows ask every event for.

Klaviyo takes a property that is 0, empty or null for one that was never set. So none of these means anything here: what could be missing
is said in words (``change`` of a tier), and numbers that may be zero are on the profile.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from klaviyo_oauth.standing import ShopView
from loyalty.core import news
from loyalty.delivery import Message, Recipient

# For our own bookkeeping; whom it names is said by name.
_OURS = frozenset(("about_member",))
_NUMBERS = (
    "reward_amount",
    "minimum_subtotal",
    "reward_value",
    "threshold",
    "progress",
    "next_tier_distance",
)
# Who of the two is the recipient; the other one is whom the news is about.
_TO_ADVOCATE = frozenset((news.REFERRAL_SHARED, news.REFERRAL_COMPLETED))
_TO_FRIEND = frozenset((news.REFERRAL_RECEIVED, news.REFERRAL_ACCEPTED))


def event_properties(message: Message, shop: ShopView) -> dict[str, Any]:
    """The properties of one event."""
    said = {name: value for name, value in message.payload.items() if name not in _OURS}
    for name in _NUMBERS:
        if name in said:
            said[name] = _number(said[name])
    said |= _activity(said, shop)
    if message.kind == news.TIER_CHANGED:
        said["change"] = _tier_change(said)
    if message.kind == news.BIRTHDAY_SET:
        said["birthday"] = _birthday(said)
    said |= _people(message)
    return {name: value for name, value in said.items() if value is not None and value != ""}


def _activity(said: Mapping[str, Any], shop: ShopView) -> dict[str, Any]:
    """What happened in one line and how many points it moved, by the same names in every event."""
    title = said.get("reward_title") or said.get("referral_title") or said.get("reason")
    points = said.get("points")
    if isinstance(points, bool) or not isinstance(points, int) or not points:
        return {"activity_title": title}
    return {"activity_title": title, "activity_points": points, "points_text": shop.points(points)}


def _tier_change(said: Mapping[str, Any]) -> str:
    """Somebody without a tier before or after is told apart by a word, since a missing name says nothing."""
    if not said.get("previous_tier"):
        return "entered"
    if not said.get("tier"):
        return "left"
    return "upgraded" if said.get("direction") == "up" else "downgraded"


def _birthday(said: Mapping[str, Any]) -> str | None:
    month, day = said.get("birthday_month"), said.get("birthday_day")
    return f"{month:02}-{day:02}" if isinstance(month, int) and isinstance(day, int) else None


def sides(message: Message) -> tuple[Recipient | None, Recipient | None]:
    """The advocate and the friend of a referral. Somebody who was erased since is not there."""
    if message.kind in _TO_ADVOCATE:
        return message.recipient, message.about
    if message.kind in _TO_FRIEND:
        return message.about, message.recipient
    return None, None


def _people(message: Message) -> dict[str, Any]:
    advocate, friend = sides(message)
    return _person("advocate", advocate) | _person("friend", friend)


def _person(role: str, found: Recipient | None) -> dict[str, Any]:
    if found is None:
        return {}
    name = " ".join(part for part in (found.first_name, found.last_name) if part)
    return {f"{role}_name": name, f"{role}_email": found.email}


def _number(value: Any) -> Any:
    """A number that was written as text, as the number it is."""
    if not isinstance(value, str):
        return value
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return value
    if not amount.is_finite():
        return value
    return int(amount) if amount == amount.to_integral_value() else float(amount)
