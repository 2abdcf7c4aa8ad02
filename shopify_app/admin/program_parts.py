"""The parts of a program's document as the pages know them: what they are called, and how one is found, replaced and taken out."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loyalty.core.document.fields import Field
from loyalty.core.document.rewards import DEFAULT_KIND, KINDS
from loyalty.core.document.shape import GENERAL, KEYED_PARTS, WHOLE_PARTS, fields_for
from loyalty.core.program import SELF_REPORTED_WAYS

Document = dict[str, Any]
NOUNS = {"earn": "way to earn", "rewards": "reward", "campaigns": "campaign"}
NAMES = {
    GENERAL: "Points and what counts",
    "tiers": "VIP tiers",
    "referrals": "Referrals",
    "expiry": "Expiry of points",
    "balance_reminder": "Balance reminder",
}
# Every way to earn: what it is called, what is to be known of it, and the title that is suggested.
WAYS = {
    "order": ("Points for each amount spent", "In step with refunds and edits, for ever", "Place an order"),
    "order_fixed": ("Points for each order", "The same for any order", "Place an order"),
    "order_value_goal": ("A large order", "Points for an order of a certain value", "Place a large order"),
    "order_count_goal": ("A number of orders", "Points, once, after so many orders", "Come back ten times"),
    "spend_goal": ("An amount spent in all", "Points, once, when all orders reach it", "Spend with us"),
    "signup": ("Creating an account", "Once for each new account", "Create an account"),
    "birthday": ("Birthday", "Points, a reward, or both, once a year", "Celebrate your birthday"),
    "anniversary": ("Anniversary of the account", "Once a year", "A year together"),
    "newsletter": ("Agreeing to e-mail marketing", "Once, from Shopify's consent", "Join our newsletter"),
    "review": ("A verified Klaviyo review", "Stars only, text, photo or video", "Leave a verified review"),
    "photo_review": ("A review with a photo", "Instead of the plain review's points", "Review with a photo"),
    "video_review": ("A review with a video", "Instead of the photo's points", "Review with a video"),
    "nps": ("Answering an NPS survey", "Told by your survey app", "Answer our survey"),
    "answer": ("Answering a question", "Told by your questions app", "Answer a question"),
    "custom": ("Anything else", "Told by your own systems, over the API", "Do something good"),
    "follow_facebook": ("Following on Facebook", "Once; said by the customer", "Follow us on Facebook"),
    "follow_instagram": ("Following on Instagram", "Once; said by the customer", "Follow us on Instagram"),
    "follow_x": ("Following on X", "Once; said by the customer", "Follow us on X"),
    "follow_pinterest": ("Following on Pinterest", "Once; said by the customer", "Follow us on Pinterest"),
    "follow_tiktok": ("Following on TikTok", "Once; said by the customer", "Follow us on TikTok"),
    "follow_youtube": ("Subscribing on YouTube", "Once; said by the customer", "Subscribe on YouTube"),
    "share_x": ("Sharing on X", "Said by the customer", "Share us on X"),
    "share_facebook": ("Sharing on Facebook", "Said by the customer", "Share us on Facebook"),
}
KIND_NAMES = dict(KINDS.words)
_KIND_DETAILS = {
    "amount_off": "A code that takes an amount off an order",
    "percentage_off": "A code that takes a percentage off an order",
    "free_shipping": "A code for shipping at no cost",
    "free_product": "A code that makes one product free",
    "incremental": "A code whose amount the customer chooses, step by step",
    "gift_card": "A gift card of the store; needs Shopify's right to make gift cards",
    "store_credit": "Credit on the customer's account; needs Shopify's right to give it",
}
_WAYS_IN_GROUPS = (
    ("Orders", ("order", "order_fixed", "order_value_goal", "order_count_goal", "spend_goal")),
    ("Customers", ("signup", "birthday", "anniversary", "newsletter")),
    ("Reviews and answers", ("review", "photo_review", "video_review", "nps", "answer")),
    ("Social", tuple(sorted(SELF_REPORTED_WAYS))),
    ("Your own", ("custom",)),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the document. ``key`` is that of a thing in a part which has several, ``sort`` its way or kind."""

    name: str
    key: str = ""
    sort: str = ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """What it may say."""
        return fields_for(self.name, self.sort)

    @property
    def is_keyed(self) -> bool:
        """Whether it is one of several things."""
        return self.name in KEYED_PARTS

    @property
    def label(self) -> str:
        """What it is called."""
        if self.name == "earn":
            return WAYS[self.sort][0]
        return KIND_NAMES[self.sort] if self.name == "rewards" else NAMES.get(self.name, "Campaign")


def find(document: Mapping[str, Any], name: str, key: str) -> tuple[Part, dict[str, Any]] | None:
    """A part by its name (and key), and what it says; None where there is none. Parts that are not set up say nothing."""
    if name == GENERAL and not key:
        part = Part(GENERAL)
        return part, {field.name: document[field.name] for field in part.fields if field.name in document}
    if name in WHOLE_PARTS and not key:
        return Part(name), dict(document.get(name) or {})
    if name not in KEYED_PARTS:
        return None
    table = keyed(document, name).get(key)
    return (Part(name, key, sort_of(name, key, table)), table) if table is not None else None


def keyed(document: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """The things of a part by their keys."""
    if name == "earn":
        return dict(document.get("earn") or {})
    return {table["key"]: table for table in document.get(name) or ()}


def sort_of(name: str, key: str, table: Mapping[str, Any]) -> str:
    """The way of a rule, the kind of a reward."""
    if name == "earn":
        return str(table.get("way") or key)
    return str(table.get("kind") or DEFAULT_KIND) if name == "rewards" else ""


def is_sort(name: str, sort: str) -> bool:
    """Whether a new thing of a part can be of this sort."""
    sorts = {"earn": frozenset(WAYS), "rewards": frozenset(KIND_NAMES)}
    return sort in sorts.get(name, frozenset({"new"}))


def replaced(document: Mapping[str, Any], part: Part, table: dict[str, Any]) -> Document:
    """The document with another table in place of a part's (or after the others, where it is new)."""
    after: Document = copy.deepcopy(dict(document))
    if part.name == GENERAL:
        for field in part.fields:
            after.pop(field.name, None)
        return after | table
    if part.name == "earn":
        way = {} if part.sort == part.key else {"way": part.sort}
        after.setdefault("earn", {})[part.key] = way | table
    elif part.is_keyed:
        kind = {"kind": part.sort} if part.name == "rewards" and part.sort != DEFAULT_KIND else {}
        things = keyed(after, part.name) | {part.key: {"key": part.key, **kind, **table}}
        after[part.name] = list(things.values())
    else:
        after[part.name] = table
    return after


def removed(document: Mapping[str, Any], part: Part) -> Document:
    """The document without a part."""
    after: Document = copy.deepcopy(dict(document))
    if part.name == "earn":
        del after["earn"][part.key]
    elif part.is_keyed:
        after[part.name] = [table for table in after[part.name] if table["key"] != part.key]
    else:
        after.pop(part.name, None)
    return after


def path_of(document: Mapping[str, Any], part: Part) -> str:
    """Where a part stands in a document, as mistakes name it."""
    if part.name == GENERAL:
        return ""
    if part.name == "earn":
        return f"earn.{part.key}."
    if part.is_keyed:
        return f"{part.name}[{list(keyed(document, part.name)).index(part.key)}]."
    return f"{part.name}."


def offers(name: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The sorts of new things in a part, in groups: of each its name in the address, what it is called, what is to be known."""
    if name == "earn":
        return [(group, [(way, *WAYS[way][:2]) for way in ways]) for group, ways in _WAYS_IN_GROUPS]
    return [("", [(kind, label, _KIND_DETAILS[kind]) for kind, label in KINDS.words])]


def suggestion(part: Part) -> dict[str, Any]:
    """What a new thing begins with."""
    rate = {"rate": "1"} if part.sort == "order" else {}
    begins: dict[str, dict[str, Any]] = {
        "earn": {"title": WAYS.get(part.sort, ("", "", ""))[2], **rate},
        "rewards": {"expires_after_days": 90},
        "expiry": {"kind": "inactivity", "months": 12},
        "balance_reminder": {"every": "month"},
    }
    return begins.get(part.name, {})
