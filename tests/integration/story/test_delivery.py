"""From a webhook to Klaviyo, through all processes."""

import base64
import hmac
import json

import pytest

from demo.stage import CLIENT_SECRET, SHOP
from loyalty.models import (
    InboxMessage,
    KlaviyoConnection,
    LedgerEntry,
    Member,
    OutboxMessage,
    RewardIssue,
    Run,
    Shop,
)

WREN = "wren@fernandfig.shop"


class TestThrough:
    @pytest.mark.acceptance("S0-06", "S0-08", "S4-19", "S4-20", "S4-21")
    def test_webhook_to_event(self, either_house):
        """A signed webhook becomes an event at Klaviyo, and the profile carries the balance, without any sync before."""
        house = either_house.install().connect()
        wren = house.sign_up(WREN)
        house.buy(wren, "120.00")

        house.eventually(220, lambda: house.profile_balance(WREN))
        house.settle()

        told = sorted(
            (event["metric"], event["properties"].get("points")) for event in house.events(email=WREN)
        )
        assert told == [("Joined Program", None), ("Points Earned", 100), ("Points Earned", 120)]
        assert house.profile(WREN)["Laurel State"] == "member"
        flows = house.klaviyo.get("/counts")["flows"]["by_metric"]
        assert {metric: flows.get(metric) for metric in ("Joined Program", "Points Earned")} == {
            "Joined Program": 1,
            "Points Earned": 2,
        }
        house.buy(wren, "30.00")
        house.eventually(250, lambda: house.profile_balance(WREN))
        assert house.klaviyo.get("/counts")["profiles"] == 1
        assert house.rows(Run, kind="klaviyo_sync") == []
        assert house.problems_of_the_ledger() == []

    @pytest.mark.acceptance("S0-03", "S0-04")
    def test_private_key(self, house):
        """A private key is tried while the merchant waits: a wrong one is refused in words, a right one sends, and it is kept sealed."""
        house.install()
        status, told = house.merchant.give_key("pk_that_nobody_made")
        assert (status, told["error"]) == (422, "key_rejected")
        assert told["message"]
        assert house.rows(KlaviyoConnection) == []

        status, told = house.merchant.give_key("pk_sandbox_FernFg")
        assert (status, told["state"]) == (200, "connected")
        assert "pk_sandbox" not in (house.connection().api_key or "pk_sandbox")
        house.sign_up(WREN)
        house.eventually(100, lambda: house.profile_balance(WREN))
        assert "pk_sandbox" not in house.logs()


class TestPoison:
    def test_neighbours_and_forgery(self, house):
        """What cannot be delivered or understood is set aside with its reason, and nobody else waits for it."""
        house.install().connect()
        refused, good = house.sign_up("wren@fern-.shop"), house.sign_up(WREN)
        house.buy(refused)
        house.buy(good)
        house.in_shop("/webhooks", topic="orders/create", payload={"id": "not a number"})
        assert house.post("/webhooks/shopify", b'{"id": 12', signed(b'{"id": 12')).status_code == 200
        house.settle()

        assert house.profile_balance(WREN) == 200
        told = {
            row.state
            for row in house.rows(OutboxMessage, channel="klaviyo", member_id=member_id(house, refused))
        }
        assert told == {"refused"}
        assert all(row.error for row in house.rows(OutboxMessage, state="refused"))
        parked = house.rows(InboxMessage, state="parked")
        assert sorted(row.topic for row in parked) == ["orders/create", "orders/paid"]
        assert all(row.error and "not a number" not in row.error for row in parked)
        shown = house.merchant.page("/privacy")
        assert "orders/create" in shown
        assert "orders/paid" in shown

    def test_forged(self, house):
        """A forged webhook is answered with 401, and nothing of its body is kept or logged."""
        house.install()
        body = json.dumps({"id": 1, "email": "mallory@fernandfig.shop", "note": "canary-7391"}).encode()
        headers = {
            "X-Shopify-Topic": "orders/create",
            "X-Shopify-Shop-Domain": SHOP,
            "X-Shopify-Webhook-Id": "forged",
            "X-Shopify-Hmac-Sha256": "Zm9yZ2VkZm9yZ2Vk",
        }
        assert house.post("/webhooks/shopify", body, headers).status_code == 401
        house.settle()

        assert not [row for row in house.rows(InboxMessage) if "forged" in row.delivery_id]
        assert "webhook_signature_refused" in house.logs()
        assert "mallory" not in house.logs()
        assert "canary" not in house.logs()

    def test_nobody(self, house):
        """An order without a customer is kept, earns nobody anything, and earns once it has one."""
        house.install().connect()
        order = house.in_shop("/orders", lines=[{"price": "80.00"}])
        house.settle()
        assert house.rows(LedgerEntry) == []
        assert house.rows(InboxMessage, state="parked") == []

        (delivery,) = house.shopify.get("/webhooks", topic="orders/paid", body=1)["deliveries"]
        wren = house.sign_up(WREN)
        house.settle()
        (signed_up,) = house.shopify.get("/webhooks", topic="customers/create", body=1)["deliveries"]
        named = delivery["body"] | {"customer": signed_up["body"], "email": WREN}
        house.in_shop("/webhooks", topic="orders/updated", payload=named)
        house.settle()
        assert order["id"] == delivery["body"]["id"]
        assert house.balance(wren) == 180


class TestLeaving:
    def test_uninstall_and_redact(self, house):
        """Uninstalling stops all sending at once, coming back resumes, and erasing the shop leaves nothing."""
        house.install().connect()
        wren = house.sign_up(WREN)
        house.settle()
        house.klaviyo.post("/faults", place="POST /api/events", kind="503", times=None)
        house.buy(wren)
        house.eventually(200, lambda: house.balance(wren))
        house.in_shop("/uninstall")
        house.eventually(True, lambda: house.rows(Shop)[0].uninstalled_at is not None)
        house.klaviyo.delete("/faults")
        sent, asked = len(house.events()), len(house.shopify.get("/requests", limit=5000)["requests"])
        house.sweep()
        assert (len(house.events()), len(house.shopify.get("/requests", limit=5000)["requests"])) == (
            sent,
            asked,
        )

        house.in_shop("/install")
        house.merchant.page("/")
        house.eventually(200, lambda: house.profile_balance(WREN))
        assert house.balance(wren) == 200

        house.in_shop("/uninstall")
        house.eventually(True, lambda: house.rows(Shop)[0].uninstalled_at is not None)
        house.in_shop("/redact")
        house.eventually([], lambda: house.rows(Shop))
        for table in (Member, LedgerEntry, OutboxMessage, RewardIssue, Run):
            assert house.rows(table) == []


def signed(body: bytes) -> dict[str, str]:
    """The headers of a webhook that Shopify signed."""
    digest = hmac.digest(CLIENT_SECRET.encode(), body, "sha256")
    return {
        "X-Shopify-Topic": "orders/paid",
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Webhook-Id": "cut-short",
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
    }


def member_id(house, customer: int) -> int:
    """The member of a customer."""
    (member,) = house.rows(Member, shopify_customer_id=customer)
    return member.id
