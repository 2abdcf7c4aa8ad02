"""The widget of a whole program in a real browser: ways to earn, tiers, rewards of every kind, history and friends."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import patience
from tests.browser.proxy_shop import Shop, open_shop
from tests.theme import PROGRAM, render_block

CLUB: dict[str, Any] = {
    **PROGRAM,
    "earn": [
        {"key": "order", "way": "order", "title": "Place an order", "detail": "1 point for every $1 spent"},
        {"key": "insta", "way": "follow_instagram", "title": "Follow us on Instagram", "detail": "20 points"},
        {"key": "tube", "way": "follow_youtube", "title": "Follow us on YouTube", "detail": "20 points"},
        {"key": "tweet", "way": "share_x", "title": "Share us on X", "detail": "20 points"},
        {"key": "birthday", "way": "birthday", "title": "Your birthday", "detail": "200 points a year"},
    ],
    "rewards": [
        {"key": "some_off", "kind": "incremental", "title": "Money off", "points": 100, "step": 50, "minimum": 100,
         "maximum": 400, "detail": "$1 for every 50 points"},
        {"key": "card", "kind": "gift_card", "title": "A gift card", "points": 500, "detail": ""},
        {"key": "mug", "kind": "percentage_off", "title": "10% off", "points": 10, "detail": ""},
    ],
    "tiers": [{"key": "silver", "title": "Silver", "threshold": "Spend $100", "perks": ["Early access"]}],
    "referral": {"title": "Bring a friend", "friend": "$10 off", "advocate": "500 points", "minimum": "$30"},
}  # fmt: skip
ABOUT: dict[str, Any] = {
    "pending": 150,
    "pending_until": "2026-12-01T05:00:00+00:00",
    "expires_at": "2027-01-31T05:00:00+00:00",
    "expiring_points": 40,
    "tier": {
        "key": "silver", "title": "Silver", "perks": ["Early access", "<b>Free</b> gift wrap"], "since": None,
        "until": "2027-12-31T05:00:00+00:00",
        "next": {"key": "gold", "title": "Gold", "metric": "spent", "threshold": "1000", "distance": "250.5", "currency": "USD",
                 "amount": "$250.50"},
    },
    "history": [
        {"points": 300, "kind": "earn", "reason": "Order #1001", "at": "2026-11-20T10:00:00+00:00"},
        {"points": -100, "kind": "redeem", "reason": "Money off", "at": "2026-11-21T10:00:00+00:00"},
    ],
}  # fmt: skip
SETTINGS = {
    "follow_instagram": "https://www.instagram.com/fernandfig",
    "follow_youtube": "javascript:alert(1)",
}

pytestmark = pytest.mark.browser


@pytest.fixture(name="shop")
def _shop() -> Iterator[Shop]:
    with open_shop() as shop:
        shop.program, shop.about = copy.deepcopy(CLUB), copy.deepcopy(ABOUT)
        show(shop)
        yield shop


@pytest.fixture(name="context")
def _context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(locale="en-US", timezone_id="UTC", reduced_motion="reduce")
    context.set_default_timeout(patience.PAGES_MS)
    # Nobody leaves the machine: what a button opens elsewhere is noted instead.
    context.add_init_script("window.left = []; window.open = (...where) => void window.left.push(where);")
    yield context
    context.close()


@pytest.fixture(name="page")
def _page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    yield page
    assert [fault for fault in faults if not fault.startswith("Failed to load resource")] == []


def show(
    shop: Shop, *, customer_id: int | None = 7_001, language: str = "en.default", **changes: Any
) -> None:
    """Put the launcher of the program on the page."""
    program = shop.program | changes
    after = render_block(
        "launcher", program=program, points=shop.balance, customer_id=customer_id, settings=SETTINGS, language=language
    )  # fmt: skip
    shop.show(after=after, language=language.partition(".")[0])


def opened(page: Page, shop: Shop) -> None:
    """Open the panel and wait for its refresh."""
    page.goto(shop.url)
    page.wait_for_function("Boolean(customElements.get('laurel-rewards'))")
    with page.expect_response("**/apps/laurel/member*"):
        page.locator(".laurel-launcher").click()
    expect(page.locator("[data-part=tier-title]")).not_to_be_empty()


def way(page: Page, title: str) -> Any:
    """The row of a way to earn."""
    return page.locator("[data-part=way]", has_text=title)


class TestMember:
    def test_account(self, page: Page, shop: Shop) -> None:
        """Pending points with their day, points that end, the tier with what is ahead, and its perks as text."""
        opened(page, shop)

        expect(page.get_by_text("150 points on their way, next on Dec 1, 2026")).to_be_visible()
        expect(page.get_by_text("40 points expire on Jan 31, 2027")).to_be_visible()
        tier = page.locator("[data-part=tier]")
        expect(tier).to_contain_text("Your tier: Silver")
        expect(tier).to_contain_text("$250.50 to go until Gold · Yours until Dec 31, 2027")
        expect(tier.get_by_role("progressbar", name="Progress to the next tier")).to_have_attribute(
            "max", "1000"
        )
        assert page.evaluate("document.querySelector('[data-part=tier-progress]').value") == 749.5
        expect(tier.get_by_role("listitem")).to_have_text(["Early access", "<b>Free</b> gift wrap"])

    def test_nothing_of_it(self, page: Page, shop: Shop) -> None:
        """Without tiers, pending and ending points there is nothing of the kind to read."""
        shop.about = {}
        page.goto(shop.url)
        with page.expect_response("**/apps/laurel/member*"):
            page.locator(".laurel-launcher").click()

        expect(page.locator("[data-part=tier]")).to_be_hidden()
        expect(page.locator("[data-part=pending]")).to_be_empty()

    def test_top(self, page: Page, shop: Shop) -> None:
        """Whoever has the highest tier reads so, and sees no bar."""
        shop.about["tier"] |= {"next": None, "until": None}
        opened(page, shop)

        expect(page.locator("[data-part=tier-text]")).to_have_text("You have reached the highest tier.")
        expect(page.locator("[data-part=tier-progress]")).to_be_hidden()

    @pytest.mark.parametrize(("left", "said"), [("3", "3 orders to go"), ("1", "1 order to go")])
    def test_by_orders(self, page: Page, shop: Shop, left: str, said: str) -> None:
        """Where orders count, what is missing is told in orders, one or many."""
        ahead = {"metric": "orders", "threshold": "6", "distance": left, "amount": left}
        shop.about["tier"]["next"] = shop.about["tier"]["next"] | ahead
        opened(page, shop)

        expect(page.locator("[data-part=tier-text]")).to_contain_text(f"{said} until Gold")

    def test_codes_before_ways(self, page: Page, shop: Shop) -> None:
        """The own codes stand above the ways to earn, however many there are."""
        opened(page, shop)
        order = page.locator("[data-part=issues], [data-part=ways]").evaluate_all(
            "parts => parts.map(part => part.dataset.part)"
        )

        assert order == ["issues", "ways"]

    def test_history(self, page: Page, shop: Shop) -> None:
        """The latest movements unfold, without another request."""
        opened(page, shop)
        page.get_by_text("Your points so far").click()

        rows = page.locator("[data-part=history] li")
        expect(rows).to_contain_text(["Order #1001", "Money off"])
        expect(rows.first).to_contain_text("+300 points")
        expect(rows.last).to_contain_text("-100 points")
        assert shop.asked == ["GET member"]

    @pytest.mark.parametrize(
        ("language", "taken", "changed", "expired"),
        [
            ("en.default", "Taken back: Ten orders", "Order #1001 changed", "Points expired"),
            ("de", "Zurückgenommen: Ten orders", "Bestellung #1001 wurde geändert", "Punkte verfallen"),
            ("ja", "取り消し：Ten orders", "ご注文#1001が変更されました", "ポイントが失効しました"),
        ],
    )
    def test_history_language(
        self, page: Page, shop: Shop, language: str, taken: str, changed: str, expired: str
    ) -> None:
        """What we say of a movement is in the shopper's language, with the merchant's titles as they are; a cause that the page does not
        know yet falls back on the text."""
        at = {"at": "2026-11-20T10:00:00+00:00"}
        shop.about["history"] = [
            {"points": -5, "reason": "Goal no longer reached", "cause": "taken_back", "title": "Ten orders", "order": None} | at,
            {"points": -5, "reason": "Order #1001 changed", "cause": "order_changed", "title": "x", "order": "#1001"} | at,
            {"points": -5, "reason": "Points expired", "cause": "expired", "title": None, "order": None} | at,
            {"points": 5, "reason": "Something new", "cause": "never_heard_of", "title": None, "order": None} | at,
            {"points": 5, "reason": "Ten orders", "cause": None, "title": None, "order": None} | at,
        ]  # fmt: skip
        show(shop, language=language)
        opened(page, shop)
        page.locator("[data-part=past] summary").click()

        reasons = page.locator("[data-part=history] [data-part=reason]")
        expect(reasons).to_have_text([taken, changed, expired, "Something new", "Ten orders"])


class TestWays:
    def test_follow(self, page: Page, shop: Shop) -> None:
        """Following opens the store's page elsewhere, earns once, and is done."""
        opened(page, shop)
        page.get_by_role("button", name="Follow Follow us on Instagram").click()

        assert page.evaluate("window.left") == [
            ["https://www.instagram.com/fernandfig", "_blank", "noopener"]
        ]
        expect(page.get_by_role("status").first).to_have_text("Thank you! 20 points for you.")
        expect(way(page, "Instagram")).to_contain_text("Done")
        expect(way(page, "Instagram").get_by_role("button")).to_have_count(0)
        expect(page.locator(".laurel-launcher-balance")).to_have_text("620 points")
        assert shop.told == [("actions", {"rule": "insta"})]

    def test_share(self, page: Page, shop: Shop) -> None:
        """Sharing opens a message that is ready, with the store's address in it."""
        opened(page, shop)
        way(page, "Share us on X").get_by_role("button").click()

        expect(way(page, "Share us on X")).to_contain_text("Done")
        ((address, *_),) = page.evaluate("window.left")
        assert address == f"https://x.com/intent/post?url={quote(shop.url + '/', safe='')}"

    def test_never_a_script(self, page: Page, shop: Shop) -> None:
        """An address that is none of a page is not offered to be followed."""
        opened(page, shop)
        expect(way(page, "YouTube").get_by_role("button")).to_have_count(0)

    def test_states(self, page: Page, shop: Shop) -> None:
        """What is done, over or for others says so instead of offering itself."""
        shop.done = {"insta": "done_already", "tweet": "limit_reached", "order": "wrong_tier"}
        opened(page, shop)

        expect(way(page, "Instagram")).to_contain_text("Done")
        expect(way(page, "Share us")).to_contain_text("Again later")
        expect(way(page, "Place an order")).to_contain_text("Other tiers only")

    def test_down(self, page: Page, shop: Shop) -> None:
        """When nobody answers, the row says so and may be tried again."""
        opened(page, shop)
        shop.refuse = [(503, {})]
        way(page, "Instagram").get_by_role("button").click()

        expect(way(page, "Instagram")).to_contain_text("Your points are safe")
        expect(way(page, "Instagram").get_by_role("button")).to_be_visible()

    def test_birthday(self, page: Page, shop: Shop) -> None:
        """A birthday is set with month and day, by keyboard alone; the next gift's day is told, and the row shows the birthday."""
        opened(page, shop)
        button = way(page, "Your birthday").get_by_role("button", name="Set birthday Your birthday")
        button.focus()
        page.keyboard.press("Enter")
        month = page.get_by_label("Month")
        expect(month).to_be_focused()
        expect(button).to_have_attribute("aria-expanded", "true")
        month.select_option("May")
        page.get_by_label("Day").fill("4")
        page.keyboard.press("Enter")

        expect(page.get_by_role("status").first).to_have_text(
            "Saved. Your next birthday gift comes on May 4, 2027."
        )
        expect(way(page, "Your birthday")).to_contain_text("May 4")
        expect(page.get_by_label("Month")).to_have_count(0)
        assert shop.told == [("birthday", {"month": 5, "day": 4})]

    def test_no_such_day(self, page: Page, shop: Shop) -> None:
        """A day that is not in the year is said to be none, and the form stays."""
        opened(page, shop)
        way(page, "Your birthday").get_by_role("button").click()
        page.get_by_label("Day").fill("31")
        page.get_by_role("button", name="Save").click()

        expect(way(page, "Your birthday")).to_contain_text("There is no such day in the year.")
        expect(page.get_by_label("Day")).to_be_visible()

    def test_known_birthday(self, page: Page, shop: Shop) -> None:
        """A birthday that is known is shown and not asked for."""
        shop.birthday = {"month": 2, "day": 29, "celebrated_from": None}
        opened(page, shop)

        expect(way(page, "Your birthday")).to_contain_text("February 29")
        expect(way(page, "Your birthday").get_by_role("button")).to_have_count(0)


class TestRewards:
    def test_amount(self, page: Page, shop: Shop) -> None:
        """Where one can choose how much, steps are chosen with the keys, no further than balance and maximum go."""
        shop.balance = 330
        opened(page, shop)
        expect(page.locator("[data-part=reward]").first).to_contain_text("$1 for every 50 points")
        page.get_by_role("button", name="Redeem Money off").click()
        sheet = page.locator(".laurel-sheet")
        expect(sheet).to_contain_text("Use 100 points for Money off?")
        slider = sheet.get_by_role("slider", name="How many points?")
        slider.focus()
        page.keyboard.press("ArrowRight")
        expect(sheet).to_contain_text("Use 150 points for Money off?")
        page.keyboard.press("End")
        expect(sheet).to_contain_text("Use 300 points for Money off?")
        sheet.get_by_role("button", name="Yes, use my points").click()

        expect(sheet.get_by_text("LAUREL-1ZQ")).to_be_visible()
        expect(slider).to_be_hidden()
        expect(page.locator(".laurel-launcher-balance")).to_have_text("30 points")

    def test_repeat_keeps_amount(self, page: Page, shop: Shop) -> None:
        """After a lost answer the same amount is asked for again, with the same key, and nothing else can be chosen."""
        opened(page, shop)
        page.get_by_role("button", name="Redeem Money off").click()
        sheet = page.locator(".laurel-sheet")
        sheet.get_by_role("slider").focus()
        page.keyboard.press("ArrowRight")
        shop.lose_replies = 1
        sheet.get_by_role("button", name="Yes, use my points").click()
        expect(sheet.get_by_role("button", name="Try again")).to_be_visible()
        expect(sheet.get_by_role("slider")).to_be_hidden()
        sheet.get_by_role("button", name="Try again").click()

        expect(sheet.get_by_text("LAUREL-1ZQ")).to_be_visible()
        assert len(set(shop.keys_sent)) == 1
        assert shop.balance == 450

    def test_fixed(self, page: Page, shop: Shop) -> None:
        """A reward of one price has nothing to choose; a gift card's code is not one for the discount field."""
        opened(page, shop)
        page.get_by_role("button", name="Redeem A gift card").click()
        sheet = page.locator(".laurel-sheet")
        expect(sheet.get_by_role("slider")).to_be_hidden()
        sheet.get_by_role("button", name="Yes, use my points").click()

        expect(sheet.get_by_text("LAUREL-1ZQ")).to_be_visible()
        expect(sheet.get_by_role("link", name="Apply at checkout")).to_be_hidden()
        sheet.get_by_role("button", name="Close").click()
        expect(page.locator("[data-part=issue]").get_by_role("link", name="Apply at checkout")).to_be_hidden()

    def test_closed(self, page: Page, shop: Shop) -> None:
        """A reward that cannot be had now says why, whatever the balance is."""
        shop.closed = {"some_off": "wrong_tier", "mug": "limit_reached"}
        opened(page, shop)

        rows = page.locator("[data-part=reward]")
        expect(rows.first).to_contain_text("Other tiers only")
        expect(rows.last).to_contain_text("Not again yet")
        expect(page.get_by_role("button", name="Redeem Money off")).to_be_hidden()

    def test_closed_is_no_goal(self, page: Page, shop: Shop) -> None:
        """Progress does not lead to what is for others."""
        shop.balance, shop.closed = 300, {"card": "wrong_tier"}
        opened(page, shop)

        expect(page.locator("[data-part=next-text]")).to_have_text("You have enough for every reward.")


class TestFriends:
    def test_link(self, page: Page, shop: Shop, context: BrowserContext) -> None:
        """The personal link is asked for when it is unfolded, copied, and this browser made known once."""
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened(page, shop)
        expect(page.get_by_text("Your friend gets: $10 off. You get: 500 points.")).to_be_hidden()
        page.get_by_text("Bring a friend").click()
        expect(page.get_by_label("Your personal link")).to_have_value(f"{shop.url}/?ref=8K2MZQ4T")
        expect(
            page.get_by_text("Friends who took your offer: 4. Points from friends: 1,000 points.")
        ).to_be_visible()
        page.get_by_role("button", name="Copy link").click()

        expect(page.get_by_text("Link copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == f"{shop.url}/?ref=8K2MZQ4T"
        opened(page, shop)
        page.get_by_text("Bring a friend").click()
        expect(page.get_by_label("Your personal link")).to_be_visible()
        assert [route for route, _ in shop.told] == ["referral/device"]

    def test_invite(self, page: Page, shop: Shop) -> None:
        """An invitation goes to an address; what is none is said to be none."""
        opened(page, shop)
        page.get_by_text("Bring a friend").click()
        field = page.get_by_label("Your friend’s e-mail")
        field.fill("rowan")
        page.get_by_role("button", name="Send invitation").click()
        expect(page.get_by_text("This does not look like an e-mail address.")).to_be_visible()
        field.fill("rowan@fernandfig.shop")
        page.get_by_role("button", name="Send invitation").click()

        expect(page.get_by_text("The invitation is on its way.")).to_be_visible()
        expect(field).to_have_value("")

    def test_claim(self, page: Page, shop: Shop) -> None:
        """Whoever comes with a friend's link is offered the code for an address, and has it in a moment."""
        show(shop, customer_id=None)
        page.goto(f"{shop.url}/?ref=8K2MZQ4T")
        title = page.get_by_role("heading", name="A friend sends you: $10 off")
        expect(title).to_be_focused()
        expect(page.get_by_text("On your first order of $30 or more.")).to_be_visible()
        page.get_by_label("Your e-mail").fill("rowan@fernandfig.shop")
        page.get_by_role("button", name="Get my code").click()

        expect(page.get_by_text("Your code is ready: $10 off")).to_be_visible()
        expect(page.get_by_text("FRIEND-1")).to_be_visible()
        expect(page.get_by_role("link", name="Apply at checkout")).to_have_attribute(
            "href", "/discount/FRIEND-1"
        )
        ((route, body),) = shop.told
        assert (route, body["code"], body["email"]) == ("referral/claim", "8K2MZQ4T", "rowan@fernandfig.shop")
        assert len(body["device"]) == 36

    def test_nothing_given(self, page: Page, shop: Shop) -> None:
        """Who gets nothing reads the same words whatever the reason is."""
        shop.gives = False
        show(shop, customer_id=None)
        page.goto(f"{shop.url}/?ref=8K2MZQ4T")
        page.get_by_label("Your e-mail").fill("rowan")
        page.get_by_role("button", name="Get my code").click()
        expect(page.get_by_text("This does not look like an e-mail address.")).to_be_visible()
        page.get_by_label("Your e-mail").fill("rowan@fernandfig.shop")
        page.get_by_role("button", name="Get my code").click()

        expect(page.get_by_text("This offer is for new customers.")).to_be_visible()

    @pytest.mark.parametrize("query", ["", "?ref=", "?ref=NOPE1", "?ref=../../x", "?ref=a%20b"])
    def test_no_offer(self, page: Page, shop: Shop, query: str) -> None:
        """Without a friend's link, or with one that leads nowhere, the page stays as it is."""
        show(shop, customer_id=None)
        page.goto(shop.url + "/" + query)
        page.wait_for_load_state("networkidle")

        expect(page.locator(".laurel-panel")).to_be_hidden()
        assert shop.asked == (["GET referral/codes/NOPE1"] if "NOPE" in query else [])


def violations(page: Page) -> list[str]:
    """What axe objects to on the page as it is."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {[node['html'][:120] for node in v['nodes']]}" for v in found]


class TestAccessible:
    def test_everything_open(self, page: Page, shop: Shop) -> None:
        """With everything unfolded axe finds nothing."""
        opened(page, shop)
        page.get_by_text("Bring a friend").click()
        page.get_by_text("Your points so far").click()
        way(page, "Your birthday").get_by_role("button").click()
        expect(page.get_by_label("Your personal link")).to_be_visible()
        assert violations(page) == []
        page.get_by_role("button", name="Redeem Money off").click()
        assert violations(page) == []

    def test_claim(self, page: Page, shop: Shop) -> None:
        """The offer for a friend is clean too."""
        show(shop, customer_id=None)
        page.goto(f"{shop.url}/?ref=8K2MZQ4T")
        expect(page.get_by_label("Your e-mail")).to_be_visible()
        assert violations(page) == []

    def test_trapped(self, page: Page, shop: Shop) -> None:
        """Tab goes round inside the panel, also past what is folded away."""
        opened(page, shop)
        inside = "document.querySelector('.laurel-panel').contains(document.activeElement)"
        for _ in range(16):
            page.keyboard.press("Tab")
            assert page.evaluate(inside)

    def test_phone(self, page: Page, shop: Shop) -> None:
        """On a small phone everything fits: nothing scrolls sideways, and targets are 44 pixels high."""
        page.set_viewport_size({"width": 320, "height": 568})
        opened(page, shop)
        page.get_by_text("Bring a friend").click()
        way(page, "Your birthday").get_by_role("button").click()
        expect(page.get_by_label("Your personal link")).to_be_visible()

        controls = "laurel-rewards :is(button, input, select):visible"
        assert all(
            box["height"] >= 44 for box in [one.bounding_box() for one in page.locator(controls).all()]
        )
        panel = "document.querySelector('.laurel-panel')"
        assert page.evaluate(f"{panel}.scrollWidth <= {panel}.clientWidth")

    @pytest.mark.parametrize(
        ("language", "title"), [("de", "Ihre Stufe: Silver"), ("fr", "Votre niveau : Silver")]
    )
    def test_language(self, page: Page, shop: Shop, language: str, title: str) -> None:
        """The new sentences are there in every language, also those that the script writes."""
        show(shop, language=language)
        opened(page, shop)

        expect(page.locator("[data-part=tier-title]")).to_have_text(title)
        assert "[" not in page.locator(".laurel-panel").inner_text()

    def test_hostile(self, page: Page, shop: Shop) -> None:
        """Markup in what comes from the server is shown as the text that it is."""
        hostile = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"
        shop.about = json.loads(json.dumps(ABOUT).replace("Order #1001", hostile.replace('"', '\\"')))
        shop.program["earn"][0]["title"] = hostile
        shop.program["earn"][0]["detail"] = hostile
        opened(page, shop)
        page.get_by_text("Your points so far").click()

        expect(page.locator("laurel-rewards b, laurel-rewards img")).to_have_count(0)
        assert page.title() == "Fern & Fig"
