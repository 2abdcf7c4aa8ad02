"""What a shopper's browser may know of the program: names, ways to earn, rewards and prices, tiers, what friends get. Nothing about any
person."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from typing import Any

from loyalty.core.program import Program, Referrals, Reward, Rule
from shopify_app.phrases import ENGLISH, Language
from shopify_app.program_words import Words

PROXY_PATH = "/apps/laurel"
# A metafield holds 16 KB; the rest is left for Shopify's own counting.
MOST_BYTES = 15_000


def program_view(
    program: Program,
    *,
    currency: str,
    shop_format: str = "",
    today: date | None = None,
    language: Language = ENGLISH,
) -> dict[str, Any]:
    """The program as the theme's blocks and the widget read it; ways to earn that are over by ``today`` are left out."""
    words = Words(program, currency, shop_format, language=language)
    view: dict[str, Any] = {
        "points_name": {"one": program.points_name.one, "many": program.points_name.many},
        "earn": [_way(rule, words) for rule in program.earning if not _is_over(rule, today)],
        "rewards": [_reward(reward, words) for reward in program.rewards if reward.listed],
        "proxy": PROXY_PATH,
    }
    if program.tiers is not None:
        view["tiers"] = [
            {
                "key": tier.key,
                "title": tier.title,
                "threshold": words.threshold(tier),
                "perks": words.perks(tier),
            }
            for tier in program.tiers.ladder
        ]
    if program.referrals is not None:
        view["referral"] = _referral(program, program.referrals, words)
    return view


def program_metafield(
    program: Program,
    *,
    currency: str,
    shop_format: str = "",
    today: date | None = None,
    language: Language = ENGLISH,
) -> str:
    """The same as JSON that fits into a metafield. A program that is longer loses details first and the ends of its lists last; the
    widget reads the whole of it from the app proxy."""
    view = program_view(program, currency=currency, shop_format=shop_format, today=today, language=language)
    text = _json(view)
    for shorten in _shortenings(view):
        if len(text.encode()) <= MOST_BYTES:
            break
        shorten()
        text = _json(view)
    return text


def _way(rule: Rule, words: Words) -> dict[str, Any]:
    return {"key": rule.key, "title": rule.title, "detail": words.rule(rule), "way": rule.way}


def _reward(reward: Reward, words: Words) -> dict[str, Any]:
    view: dict[str, Any] = {
        "key": reward.key,
        "title": reward.title,
        "points": reward.points,
        "kind": reward.kind,
        "detail": words.reward(reward),
    }
    if reward.kind == "incremental":
        view |= {
            "step": reward.points,
            "minimum": reward.minimum_points or reward.points,
            "maximum": reward.maximum_points,
        }
        view["points"] = view["minimum"]
    if reward.tiers:
        view["tiers"] = sorted(reward.tiers)
    return view


def _referral(program: Program, referrals: Referrals, words: Words) -> dict[str, str]:
    friend = program.reward(referrals.friend)
    return {
        "title": referrals.title,
        "friend": friend.title if friend else "",
        "advocate": words.gift(referrals.advocate),
        "minimum": words.money(referrals.minimum) if referrals.minimum else "",
    }


def _is_over(rule: Rule, today: date | None) -> bool:
    return today is not None and rule.schedule.ends is not None and today > rule.schedule.ends


def _shortenings(view: dict[str, Any]) -> Iterator[Callable[[], object]]:
    """What to leave out, one after the other, until it fits."""
    view["shortened"] = True
    for tier in view.get("tiers", ()):
        yield tier["perks"].clear
    for things in (view["rewards"], view["earn"]):
        for thing in reversed(things):
            yield partial(thing.update, detail="")
    while view["earn"] or view["rewards"]:
        yield max(view["earn"], view["rewards"], key=len).pop


def _json(view: dict[str, Any]) -> str:
    return json.dumps(view, ensure_ascii=False, separators=(",", ":"))
