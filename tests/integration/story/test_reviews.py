"""Points for Klaviyo's reviews, whatever was set up first and however we hear of them."""

import pytest

from loyalty.models import LedgerEntry, Review

WREN, OTTO = "wren@fernandfig.shop", "otto@fernandfig.shop"


def write(house, email: str = WREN, **fields) -> str:
    """A review is submitted; its id."""
    return house.klaviyo.post("/reviews", email=email, **({"rating": 5, "verified": True} | fields))["id"]


def rewards(house) -> list:
    """What reviews earned."""
    return [row.points for row in house.rows(LedgerEntry, source_kind="review")]


class TestReviews:
    @pytest.mark.acceptance("S4-04", "S4-37", "S4-40", "S4-41", "S4-42")
    def test_every_kind_once(self, house):
        """Stars only, text and photo earn when they are verified; a webhook and the poll that tell of the same one earn once."""
        house.install().connect()
        wren = house.sign_up(WREN)
        kinds = [
            {"type": "rating"},
            {"content": "Lush."},
            {"content": "See the photo.", "images": ["https://fernandfig.shop/fern.jpg"]},
            {"content": "And the film.", "video": True},
        ]
        ids = [write(house, **kind) for kind in kinds]
        ids += [write(house, verified=False, content="Never bought it."), write(house, type="store")]
        house.klaviyo.post("/reviews", email=WREN, type="question", content="Is it green?", verified=True)
        house.eventually(300, lambda: house.balance(wren))

        polled = house.connection().details.get("reviews_polled_at", "")
        house.let_cron_ring("poll_all_reviews")
        house.eventually(True, lambda: house.connection().details.get("reviews_polled_at", "") > polled)
        house.settle()
        assert rewards(house) == [50] * 4
        states = {row.review_id: row.reason for row in house.rows(Review) if row.state == "ineligible"}
        assert (states[ids[4]], states[ids[5]]) == ("not_verified", "not_a_product_review")

    @pytest.mark.acceptance("S4-40")
    def test_review_before_account(self, house):
        """A review from before its author has an account waits, and earns when there is one; without webhooks the poll is enough."""
        house.install().connect()
        house.klaviyo.patch("/settings", review_id_in_events=False)
        write(house, content="Lush.")
        house.eventually(["waiting_for_member"], lambda: [row.reason for row in house.rows(Review)])
        assert rewards(house) == []

        wren = house.sign_up(WREN)
        house.eventually(150, lambda: house.balance(wren))

    @pytest.mark.acceptance("S4-40")
    def test_account_before_connecting(self, house):
        """It does not matter that Klaviyo is connected last: the next review earns."""
        house.install()
        wren = house.sign_up(WREN)
        house.eventually(100, lambda: house.balance(wren))
        house.connect()
        review = write(house, content="Lush.")
        house.eventually(150, lambda: house.balance(wren))

        house.klaviyo.post(f"/reviews/{review}/status", status="rejected", reason="fake")
        house.let_cron_ring("poll_all_reviews")
        house.eventually(100, lambda: house.balance(wren))
        assert rewards(house) == [50, -50]
