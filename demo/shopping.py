"""The acts in which people shop: earning, giving back, writing reviews, spending points. The sums are worked out by hand beside them."""

import time

import requests

from demo.cast import IVY, OTTO, WREN, Cast
from demo.people import browser
from demo.telling import NotHeld, wait_for

SIGN_UP = 100
REVIEW = 50
REWARD, REWARD_POINTS = "five_off", 500


def sign_up(cast: Cast) -> None:
    """Wren opens an account at the storefront: 100 points."""
    cast.wren.sign_up("Wren", "Castellanos")
    cast.teller.eventually("Wren's points at the storefront", SIGN_UP, cast.wren.balance)
    cast.teller.eventually(
        "her events at Klaviyo", [("Joined Program", 0), ("Points Earned", 100)], lambda: cast.events(WREN)
    )


def order(cast: Cast) -> None:
    """Wren orders 10 figs at 64.00 and a fern at 28.00, with 9.50 shipping, and pays a moment later: 668 points."""
    lines = [{"product": "fiddle-leaf-fig", "quantity": 10}, {"product": "boston-fern"}]
    placed = cast.in_shop(
        "/orders", customer=cast.customer(WREN)["id"], lines=lines, shipping="9.50", paid=False
    )
    cast.teller.say(f"order {placed['name']} over {placed['total']} {placed['currency']} is not paid yet")
    cast.shopify.post("/webhooks/wait", timeout=10)
    cast.teller.expect("Wren's points before she pays", SIGN_UP, cast.wren.balance())
    cast.in_shop(f"/orders/{placed['id']}/pay")
    paid_at = time.monotonic()
    cast.teller.eventually("Wren's points once she has paid", 768, cast.wren.balance)
    cast.teller.eventually(
        "her profile's balance", 768, lambda: cast.profile(WREN).get("Laurel Points Balance")
    )
    cast.teller.say(f"from the payment to the event at Klaviyo: {time.monotonic() - paid_at:.2f} s")
    # 3 of the 10 figs come back: 3 x 64.00 = 192.
    cast.in_shop(f"/orders/{placed['id']}/refund", lines=[{"index": 0, "quantity": 3}])
    cast.teller.eventually("Wren's points after 3 figs came back", 576, cast.wren.balance)


def others(cast: Cast) -> None:
    """Ivy, a customer of old, buys for 36.00; Otto, a new one, cancels what he bought: 36 points, and only the sign-up's 100."""
    cast.in_shop(
        "/orders", customer=cast.customer(IVY)["id"], lines=[{"product": "terracotta-pot", "quantity": 2}]
    )
    cast.teller.eventually("Ivy's points in the theme", 36, lambda: cast.shown_points(IVY))
    cast.in_shop("/customers", email=OTTO, first_name="Otto", last_name="Brandt")
    bought = cast.in_shop(
        "/orders", customer=cast.customer(OTTO)["id"], lines=[{"product": "brass-watering-can"}]
    )
    cast.teller.eventually("Otto's points in the theme", 142, lambda: cast.shown_points(OTTO))
    cast.in_shop(f"/orders/{bought['id']}/cancel")
    cast.teller.eventually("Otto's points after he cancelled", 100, lambda: cast.shown_points(OTTO))


def review_told(cast: Cast) -> None:
    """Wren writes a verified review; Klaviyo tells of it by a signed webhook: 50 points."""
    cast.klaviyo.post(
        "/reviews", email=WREN, rating=5, title="Lush", content="Came well packed.", verified=True
    )
    cast.teller.eventually("Wren's points after her review", 626, cast.wren.balance)


def review_found(cast: Cast) -> None:
    """The webhook is switched off at Klaviyo; Wren rates with stars only; asking Klaviyo finds it: 50 points more."""
    hook = cast.klaviyo.get("/webhooks")["webhooks"][0]
    _switch_off(cast, hook["id"])
    cast.klaviyo.post("/reviews", email=WREN, type="rating", rating=4, verified=True)
    cast.klaviyo.post("/reviews", email=IVY, rating=1, title="No", content="Never bought it.", verified=False)
    cast.teller.say("the webhook is off, so nobody tells; the merchant presses Sync everything again")
    earlier = cast.job("klaviyo_sync")
    cast.merchant.press("/klaviyo/reset")
    cast.teller.eventually("Wren's points after her rating was found", 676, cast.wren.balance)
    cast.teller.eventually(
        "the webhook is on again",
        [True],
        lambda: [h["enabled"] for h in cast.klaviyo.get("/webhooks")["webhooks"]],
    )
    job = cast.job_done("klaviyo_sync", after=earlier["id"] if earlier else 0)
    cast.profiles_synced, cast.members = job["done"], job["total"]
    cast.teller.expect("Ivy's points for a review that is not verified", 36, cast.shown_points(IVY))


def redeem(cast: Cast) -> None:
    """Wren redeems 500 points at the storefront; a second press of the same button costs nothing."""
    first = cast.wren.redeem(REWARD, "wren-presses-once")
    again = cast.wren.redeem(REWARD, "wren-presses-once")
    cast.teller.expect("the second press gives the same reward", first["issue"]["id"], again["issue"]["id"])
    began = time.monotonic()
    issue = wait_for(
        lambda: cast.wren.reward(first["issue"]["id"]), lambda found: found["state"] != "issuing", 30
    )
    cast.reward_seconds = time.monotonic() - began
    cast.teller.expect("the reward", "issued", issue["state"])
    cast.teller.say(f"the code {issue['code']} was there after {cast.reward_seconds:.2f} s")
    cast.teller.expect("Wren's points", 176, cast.wren.balance())
    cast.code = issue["code"]


def use_code(cast: Cast) -> None:
    """Wren buys a can at 42.00 and a pot at 18.00 with the code for 5.00 off: 55 points."""
    said = cast.wren.buy({"brass-watering-can": 1, "terracotta-pot": 1}, code=cast.code)
    if "Thank you!" not in said:
        raise NotHeld("the checkout takes the code", "Thank you!", "another page")
    cast.teller.eventually("Wren's points", 231, cast.wren.balance)
    states = lambda: [issue["state"] for issue in cast.wren.member()["issues"]]  # noqa: E731  # a look, named for what it sees
    cast.teller.eventually("the states of her rewards", ["used"], states)


def _switch_off(cast: Cast, webhook_id: str) -> None:
    """What an owner can do in Klaviyo, or Klaviyo itself after two days of errors."""
    data = {"type": "webhook", "id": webhook_id, "attributes": {"enabled": False}}
    with browser() as http:
        answer: requests.Response = http.patch(
            f"{cast.stage.at.klaviyo}/api/webhooks/{webhook_id}",
            json={"data": data},
            headers={"Authorization": "Klaviyo-API-Key pk_sandbox_FernFg", "revision": "2026-10-15"},
            timeout=10,
        )
    if not answer.ok:
        raise NotHeld("the webhook can be switched off", 200, f"{answer.status_code} {answer.text[:200]}")
