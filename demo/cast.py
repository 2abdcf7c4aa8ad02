"""Who and what the acts of the story have in common, and what they leave for the ones after them."""

from dataclasses import dataclass, field
from typing import Any

from demo.people import Merchant, NotAnswered, Remote, Shopper, browser
from demo.stage import SHOP, Stage
from demo.telling import Teller, wait_for

WREN, OTTO, IVY = "wren@fernandfig.shop", "otto@fernandfig.shop", "ivy@fernandfig.shop"
JUNO = "juno@fernandfig.shop"
OUR_METRICS = ("Joined Program", "Points Earned", "Points Redeemed", "Points Adjusted")
# A job of a run, from the press of a button to its end.
PATIENCE = 60.0


@dataclass(slots=True)
class Cast:
    """The people, the control desks of the two services, and what happened so far."""

    stage: Stage
    teller: Teller
    merchant: Merchant = field(init=False)
    wren: Shopper = field(init=False)
    shopify: Remote = field(init=False)
    klaviyo: Remote = field(init=False)
    # What a later act needs: ids, codes, counts.
    members: int = 0
    reward_seconds: float = 0.0
    profiles_synced: int = 0
    code: str = ""

    def __post_init__(self) -> None:
        at = self.stage.at
        self.merchant = Merchant(at)
        self.wren = Shopper(at.storefront, WREN)
        self.shopify = Remote(f"{at.shopify}/_sandbox")
        self.klaviyo = Remote(f"{at.klaviyo}/_sandbox")

    def in_shop(self, path: str, **body: Any) -> Any:
        """Do something in the shop, as its staff would in the admin."""
        return self.shopify.post(f"/shops/{SHOP}{path}", **body)

    def customer(self, email: str) -> dict[str, Any]:
        """A customer as Shopify knows them."""
        found: dict[str, Any] = self.shopify.get(f"/shops/{SHOP}/customers/{email}")
        return found

    def shown_points(self, email: str) -> int:
        """The points that a theme may show of a customer: the metafield at Shopify."""
        return int(self.customer(email)["metafields"].get("points", 0))

    def events(self, email: str) -> list[tuple[str, int]]:
        """Our events at Klaviyo of one person as (metric, points), sorted: they may arrive in any order."""
        found = self.klaviyo.get("/events", email=email, limit=1000)["events"]
        ours = [event for event in found if event["metric"] in OUR_METRICS]
        return sorted((event["metric"], event["properties"].get("points", 0)) for event in ours)

    def profile(self, email: str) -> dict[str, Any]:
        """Our properties on a person's profile at Klaviyo."""
        found = self.klaviyo.get("/profiles", email=email)["profiles"]
        properties = found[0]["attributes"]["properties"] if found else {}
        return {name: value for name, value in properties.items() if name.startswith("Laurel ")}

    def job(self, kind: str) -> dict[str, Any] | None:
        """The newest long job of a kind, as the merchant's page asks for it."""
        newest, run_id = None, 1
        while True:
            try:
                found = self.merchant.progress(run_id)
            except NotAnswered:
                return newest
            newest = found if found["kind"] == kind else newest
            run_id += 1

    def job_done(self, kind: str, *, after: int = 0) -> dict[str, Any]:
        """Wait for the end of the newest job of a kind that is newer than ``after``."""
        found = wait_for(
            lambda: self.job(kind),
            lambda job: job is not None and job["id"] > after and not job["is_open"],
            PATIENCE,
        )
        self.teller.expect(f"the job {kind!r} ended", "done", found["state"] if found else None)
        assert found is not None
        return found

    def waiting(self) -> dict[str, float]:
        """What is still to be taken in or sent, as the app's own metrics tell it."""
        with browser() as http:
            text = http.get(f"{self.stage.at.app}/metrics", timeout=10).text
        lines = (line for line in text.splitlines() if line.startswith(("laurel_inbox_", "laurel_outbox_m")))
        return {name: float(count) for name, _, count in (line.rpartition(" ") for line in lines)}

    def everything_settled(self) -> None:
        """Wait until every delivery was taken in and every message was sent."""
        self.shopify.post("/webhooks/wait", timeout=30)
        self.teller.eventually("messages waiting, in or out", {}, self.waiting)
