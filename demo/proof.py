"""The last acts: what was told twice changes nothing, and everything that happened is looked at once more, from outside."""

import json
import random
from typing import Any

from demo.cast import IVY, JUNO, OTTO, OUR_METRICS, WREN, Cast
from demo.people import browser
from demo.stage import SHOP

# Every movement of points of the story, as (person, points, what for), worked out by hand.
ENTRIES = sorted(
    [
        (WREN, 100, "signup"),
        (WREN, 668, "order"),
        (WREN, -192, "order"),
        (WREN, 50, "review"),
        (WREN, 50, "review"),
        (WREN, -500, "reward"),
        (WREN, 55, "order"),
        (WREN, 18, "order"),
        (WREN, 150, "referral"),
        (JUNO, 50, "signup"),
        (JUNO, 54, "order"),
        (IVY, 36, "order"),
        (OTTO, 100, "signup"),
        (OTTO, 42, "order"),
        (OTTO, -42, "order"),
    ]
)
BALANCES = {WREN: 399, IVY: 36, OTTO: 100, JUNO: 104}
EVENTS = {
    WREN: [
        ("Joined Program", 0),
        ("Points Adjusted", -192),
        ("Points Earned", 18),
        ("Points Earned", 50),
        ("Points Earned", 50),
        ("Points Earned", 55),
        ("Points Earned", 100),
        ("Points Earned", 150),
        ("Points Earned", 668),
        ("Points Redeemed", 500),
    ],
    IVY: [("Points Earned", 36)],
    JUNO: [("Joined Program", 0), ("Points Earned", 50), ("Points Earned", 54)],
    OTTO: [("Joined Program", 0), ("Points Adjusted", -42), ("Points Earned", 42), ("Points Earned", 100)],
}
_RESENT = ("orders/", "refunds/", "customers/")


def repeats(cast: Cast) -> None:
    """Everything is delivered again: twice with the old ids, once under new ones, and all of it in disorder."""
    cast.everything_settled()
    before = _entries(cast), _delivered(cast)
    log = cast.shopify.get("/webhooks", body=1, limit=1000)["deliveries"]
    sent = [delivery for delivery in log if delivery["topic"].startswith(_RESENT)]
    again = [*sent, *sent]
    disorder = random.Random(7)  # noqa: S311  # the same disorder every time
    disorder.shuffle(again)
    for delivery in again:
        cast.shopify.post(f"/webhooks/{delivery['id']}/redeliver")
    disorder.shuffle(sent)
    for delivery in sent:
        cast.in_shop("/webhooks", topic=delivery["topic"], payload=delivery["body"])
    cast.teller.say(f"{len(again) + len(sent)} old webhooks were delivered once more, shuffled")
    cast.everything_settled()
    cast.teller.expect("the ledger is as it was", before[0], _entries(cast))
    cast.teller.expect("events at Klaviyo are as they were", before[1], _delivered(cast))


def forged(cast: Cast) -> None:
    """A webhook with a wrong signature is turned away."""
    headers = {
        "X-Shopify-Topic": "orders/paid",
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Webhook-Id": "forged",
        "X-Shopify-Hmac-Sha256": "Zm9yZ2Vk",
    }
    with browser() as http:
        answer = http.post(
            f"{cast.stage.at.app}/webhooks/shopify", data=b'{"id":1}', headers=headers, timeout=10
        )
    cast.teller.expect("the answer to a forged webhook", 401, answer.status_code)


def look_at_everything(cast: Cast) -> dict[str, Any]:
    """Ledger, balances, events and profiles against what was worked out by hand; the figures of the summary."""
    tell = cast.teller
    problems = json.loads(cast.stage.command("ledger", "verify", "--json"))
    tell.expect("what `flask ledger verify` found wrong", [], problems)
    entries = _entries(cast)
    tell.expect("movements of points", ENTRIES, entries)
    for email, balance in BALANCES.items():
        shown = [balance, balance]
        look = lambda who=email: [cast.shown_points(who), cast.profile(who).get("Laurel Points Balance")]  # noqa: E731
        tell.eventually(f"points of {email} at Shopify and at Klaviyo", shown, look)
        tell.expect(f"events of {email}", sorted(EVENTS[email]), cast.events(email))
    wren = cast.profile(WREN)
    tell.expect("Wren's lifetime points", 899, wren.get("Laurel Lifetime Points"))
    tell.expect("Wren's points spent", 500, wren.get("Laurel Points Spent"))
    tell.expect("Wren's state", "member", wren.get("Laurel State"))
    tell.expect("events that reached Klaviyo", sum(map(len, EVENTS.values())), _delivered(cast))
    unique = _unique_ids(cast)
    tell.expect("events with a unique id of their own", len(unique), len(set(unique)))
    return {
        "shop": SHOP,
        "members": cast.members,
        "orders": cast.shopify.get(f"/shops/{SHOP}/orders", limit=1)["total"],
        "points_issued": sum(points for _, points, source in entries if points > 0 and source != "reward"),
        "ledger_entries": len(entries),
        "events_delivered": _delivered(cast),
        "profiles_synced": cast.profiles_synced,
        "reviews_rewarded": sum(source == "review" for _, _, source in entries),
    }


def _entries(cast: Cast) -> list[tuple[str, int, str]]:
    lines = cast.stage.command("ledger", "export", "--shop", SHOP).splitlines()
    rows = [json.loads(line) for line in lines]
    return sorted((row["email"], row["points"], row["source"]) for row in rows)


def _delivered(cast: Cast) -> int:
    counted = cast.klaviyo.get("/counts")["events"]["by_metric"]
    return sum(counted.get(metric, 0) for metric in OUR_METRICS)


def _unique_ids(cast: Cast) -> list[str]:
    found = cast.klaviyo.get("/events", limit=10_000)["events"]
    return [event["unique_id"] for event in found if event["metric"] in OUR_METRICS]
