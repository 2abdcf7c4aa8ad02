"""The storefront widget in a real browser, against a shop whose app proxy can misbehave."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, Route, expect

from tests import patience
from tests.browser.proxy_shop import Shop, open_shop
from tests.theme import PROGRAM, render_block

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"

pytestmark = pytest.mark.browser


@pytest.fixture(name="shop")
def _shop() -> Iterator[Shop]:
    with open_shop() as shop:
        shop.show(after=render_block("launcher", points=600))
        yield shop


@pytest.fixture(name="context")
def _context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(locale="en-US", timezone_id="UTC", reduced_motion="reduce")
    context.set_default_timeout(patience.PAGES_MS)
    yield context
    context.close()


@pytest.fixture(name="page")
def _page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    assert faults == []


def visit(page: Page, shop: Shop) -> None:
    """Open the shop's page and wait until the widget lives."""
    page.goto(shop.url)
    page.wait_for_function("Boolean(customElements.get('laurel-rewards'))")


def open_panel(page: Page, shop: Shop) -> None:
    """Open the shop and the panel, and wait for its one refresh."""
    visit(page, shop)
    with page.expect_response("**/apps/laurel/member*"):
        page.get_by_role("button", name="Rewards").click()


def ask_for(page: Page, title: str = "$5 off") -> None:
    """Press a reward's button, up to the question."""
    page.get_by_role("button", name=f"Redeem {title}", exact=True).click()


def confirm(page: Page) -> None:
    """Answer the question with yes."""
    page.get_by_role("button", name="Yes, use my points").click()


def sheet(page: Page) -> Any:
    """The dialog that asks and then tells."""
    return page.locator(".laurel-sheet")


def redeems(shop: Shop) -> int:
    """How often points were asked to be spent."""
    return shop.asked.count("POST redeem")


class TestOpening:
    def test_nothing_before(self, page: Page, shop: Shop) -> None:
        """A page view asks the app for nothing, and the balance is there all the same."""
        visit(page, shop)
        page.wait_for_load_state("networkidle")

        expect(page.get_by_role("button", name="Rewards")).to_contain_text("600 points")
        assert shop.asked == []

    def test_one_request(self, page: Page, shop: Shop) -> None:
        """Opening the panel asks once and brings the balance of this moment."""
        shop.balance = 1_700
        open_panel(page, shop)

        expect(page.locator(".laurel-balance-points")).to_have_text("1,700 points")
        expect(page.get_by_role("button", name="Redeem Free shipping")).to_be_visible()
        assert shop.asked == ["GET member"]

    def test_new_rewards(self, page: Page, shop: Shop) -> None:
        """Rewards published since the page was made appear, and old ones go."""
        shop.program = {**PROGRAM, "rewards": [{"key": "mug", "title": "A mug", "points": 100}]}
        open_panel(page, shop)

        expect(page.get_by_role("button", name="Redeem A mug")).to_be_visible()
        expect(page.get_by_text("Free shipping").locator("visible=true")).to_have_count(0)
        expect(page.get_by_text("You have enough for every reward.")).to_be_visible()

    def test_no_shift(self, page: Page, shop: Shop) -> None:
        """Loading moves nothing on the page; a refreshed balance may widen the button that shows it, and no more."""
        shop.show(
            inside=render_block("rewards", points=600) + "<p>Below the block</p>",
            after=render_block("launcher", points=600),
        )
        page.add_init_script(
            "window.moved = []; new PerformanceObserver((list) => list.getEntries().forEach((entry) =>"
            " entry.sources.forEach(({ node }) => window.moved.push([node.className, entry.value]))"
            ")).observe({ type: 'layout-shift', buffered: true });"
        )
        visit(page, shop)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.moved") == []

        below = page.get_by_text("Below the block")
        before = below.bounding_box()
        shop.balance = 1_250
        with page.expect_response("**/apps/laurel/member*"):
            page.get_by_role("button", name="Rewards").click()
        expect(page.locator("main .laurel-balance-points")).to_have_text("1,250 points")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        moved = page.evaluate("window.moved")
        assert {"laurel-launcher"} >= {name for name, _ in moved}
        assert sum(value for _, value in moved) < 0.001
        assert below.bounding_box() == before

    def test_guest(self, page: Page, shop: Shop) -> None:
        """A guest gets links to join and log in, and opening asks the app for nothing."""
        shop.show(after=render_block("launcher", customer_id=None))
        visit(page, shop)
        page.get_by_role("button", name="Rewards").click()

        expect(page.get_by_role("link", name="Join")).to_have_attribute("href", "/account/register")
        expect(page.get_by_role("link", name="Log in")).to_have_attribute("href", "/account/login")
        assert shop.asked == []

    def test_no_globals(self, page: Page, shop: Shop) -> None:
        """The script leaves nothing behind on window, even when a page brings it twice."""
        visit(page, shop)
        before = set(page.evaluate("Object.keys(window)"))
        page.add_script_tag(url="/assets/laurel.js")

        assert before == set(page.evaluate("Object.keys(window)"))
        assert [] == [name for name in before if "laurel" in name.lower()]


class TestRedeem:
    def test_happy(self, page: Page, shop: Shop) -> None:
        """Points become a code that can be copied and applied, and every balance follows."""
        shop.polls_until_made = 3
        open_panel(page, shop)
        ask_for(page)
        expect(sheet(page)).to_contain_text("Use 500 points for $5 off?")
        confirm(page)

        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        expect(sheet(page)).to_contain_text("Your reward is ready: $5 off")
        expect(sheet(page).get_by_role("link", name="Apply at checkout")).to_have_attribute(
            "href", "/discount/LAUREL-1ZQ"
        )
        expect(page.locator(".laurel-launcher-balance")).to_have_text("100 points")
        assert shop.asked == ["GET member", "POST redeem", *["GET rewards/1"] * 3]
        assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", shop.keys_sent[0])

    def test_listed(self, page: Page, shop: Shop) -> None:
        """The reward joins the customer's own list with its code and last day."""
        open_panel(page, shop)
        ask_for(page)
        confirm(page)
        sheet(page).get_by_role("button", name="Close").click()
        row = page.locator("[data-part=issue]")

        expect(row).to_contain_text("Valid until Mar 31, 2027")
        expect(row.get_by_role("link", name="Apply at checkout $5 off")).to_be_visible()

    def test_copy(self, page: Page, shop: Shop, context: BrowserContext) -> None:
        """Copying puts the code on the clipboard and says so."""
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        open_panel(page, shop)
        ask_for(page)
        confirm(page)
        sheet(page).get_by_role("button", name="Copy code").click()

        expect(sheet(page)).to_contain_text("Code copied.")
        assert page.evaluate("navigator.clipboard.readText()") == "LAUREL-1ZQ"

    def test_copy_refused(self, page: Page, shop: Shop) -> None:
        """Without a clipboard the code is selected for a copy by hand."""
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined });")
        open_panel(page, shop)
        ask_for(page)
        confirm(page)
        sheet(page).get_by_role("button", name="Copy code").click()

        expect(sheet(page)).to_contain_text("The code is selected")
        assert page.evaluate("String(getSelection())") == "LAUREL-1ZQ"

    def test_double_click(self, page: Page, shop: Shop) -> None:
        """Two quick clicks spend once, with one key."""
        open_panel(page, shop)
        ask_for(page)
        page.get_by_role("button", name="Yes, use my points").dblclick()

        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        assert (redeems(shop), shop.balance) == (1, 100)

    def test_new_key_each(self, page: Page, shop: Shop) -> None:
        """A second purchase of the same reward is a purchase of its own."""
        shop.balance = 1_100
        open_panel(page, shop)
        for code in ("LAUREL-1ZQ", "LAUREL-2ZQ"):
            ask_for(page)
            confirm(page)
            expect(sheet(page).get_by_text(code)).to_be_visible()
            sheet(page).get_by_role("button", name="Close").click()

        assert len(set(shop.keys_sent)) == 2
        assert shop.balance == 100

    def test_cancel(self, page: Page, shop: Shop) -> None:
        """Saying no spends nothing."""
        open_panel(page, shop)
        ask_for(page)
        sheet(page).get_by_role("button", name="Cancel").click()

        expect(sheet(page)).to_be_hidden()
        assert redeems(shop) == 0

    def test_failed(self, page: Page, shop: Shop) -> None:
        """When the code cannot be made, the shopper reads that the points are back, and sees them."""
        shop.ends_as = "failed"
        open_panel(page, shop)
        ask_for(page)
        confirm(page)

        expect(sheet(page)).to_contain_text("your points were given back. You have 600 points.")
        expect(sheet(page).get_by_role("link", name="Apply at checkout")).to_be_hidden()
        expect(page.locator(".laurel-launcher-balance")).to_have_text("600 points")

    def test_gives_up(self, page: Page, shop: Shop) -> None:
        """After half a minute of waiting the shopper is told where the reward will appear, and nothing is asked any more."""
        shop.polls_until_made = 10_000
        page.clock.install()
        open_panel(page, shop)
        ask_for(page)
        confirm(page)
        for _ in range(60):
            if "longer than usual" in sheet(page).inner_text():
                break
            page.clock.run_for(1_000)

        expect(sheet(page)).to_contain_text("your reward will appear here")
        # How often it asked depends on how fast this machine answers while the page's clock is wound on.
        polls = shop.asked.count("GET rewards/1")
        page.clock.run_for(20_000)
        assert 1 <= polls == shop.asked.count("GET rewards/1") <= 16

    def test_closed_while_made(self, page: Page, shop: Shop) -> None:
        """Closing the dialog early loses nothing: the code still reaches the list."""
        shop.hold.clear()
        visit(page, shop)
        page.get_by_role("button", name="Rewards").click()
        ask_for(page)
        confirm(page)
        sheet(page).get_by_role("button", name="Close").click()
        shop.hold.set()

        expect(page.locator("[data-part=issue]")).to_contain_text("LAUREL-1ZQ")
        expect(page.get_by_role("status").filter(has_text="Your reward is ready: $5 off")).to_be_visible()

    def test_late_refresh(self, page: Page, shop: Shop) -> None:
        """A refresh that was asked before a purchase and answered after it does not bring old points back."""
        held: list[tuple[Route, APIResponse]] = []
        page.route("**/apps/laurel/member*", lambda route: held.append((route, route.fetch())))
        visit(page, shop)
        page.get_by_role("button", name="Rewards").click()
        ask_for(page)
        confirm(page)
        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        route, old = held[0]
        with page.expect_response("**/apps/laurel/member*") as late:
            route.fulfill(response=old)
        late.value.finished()
        page.evaluate("new Promise((done) => setTimeout(done))")

        assert "600" in old.text()
        expect(page.locator(".laurel-launcher-balance")).to_have_text("100 points")
        expect(page.locator("[data-part=issue]")).to_have_count(1)


class TestFaults:
    def test_lost_reply(self, page: Page, shop: Shop) -> None:
        """A reply lost on the way is asked for again with the same key: one purchase, one code."""
        open_panel(page, shop)
        ask_for(page)
        shop.lose_replies = 1
        confirm(page)
        page.get_by_role("button", name="Try again").click()

        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        assert shop.keys_sent[0] == shop.keys_sent[1]
        assert shop.balance == 100

    def test_lost_reply_reload(self, page: Page, shop: Shop) -> None:
        """The key outlives a reload of the page, as long as nobody answered."""
        open_panel(page, shop)
        ask_for(page)
        shop.lose_replies = 1
        confirm(page)
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        shop.balance += 500
        open_panel(page, shop)
        ask_for(page)
        confirm(page)

        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        assert len(set(shop.keys_sent)) == 1
        assert page.evaluate("sessionStorage.length") == 0

    def test_no_storage(self, page: Page, shop: Shop) -> None:
        """A browser that refuses storage still repeats the same key."""
        page.add_init_script(
            "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('no', 'SecurityError'); } });"
        )
        open_panel(page, shop)
        ask_for(page)
        shop.lose_replies = 1
        confirm(page)
        page.get_by_role("button", name="Try again").click()

        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        assert len(set(shop.keys_sent)) == 1

    @pytest.mark.parametrize(
        ("status", "said"),
        [(500, "We did not hear back"), (503, "We did not hear back"), (429, "That was a lot")],
    )
    def test_server_trouble(self, page: Page, shop: Shop, status: int, said: str) -> None:
        """A server in trouble is told in words; trying again uses the same key and works."""
        open_panel(page, shop)
        ask_for(page)
        shop.refuse = [(status, {"error": "busy"})]
        confirm(page)
        expect(sheet(page)).to_contain_text(said)
        page.get_by_role("button", name="Try again").click()

        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        assert len(set(shop.keys_sent)) == 1

    def test_not_enough(self, page: Page, shop: Shop) -> None:
        """Points spent elsewhere meanwhile: the shopper reads what is missing and sees the true balance."""
        open_panel(page, shop)
        ask_for(page)
        shop.balance = 380
        confirm(page)

        expect(sheet(page)).to_contain_text("You need 120 points more for this reward.")
        expect(page.locator(".laurel-launcher-balance")).to_have_text("380 points")
        assert page.evaluate("sessionStorage.length") == 0

    def test_gone(self, page: Page, shop: Shop) -> None:
        """A reward taken off sale says so, and leaves the list."""
        open_panel(page, shop)
        ask_for(page)
        shop.program = {**PROGRAM, "rewards": []}
        confirm(page)

        expect(sheet(page)).to_contain_text("no longer available")
        expect(page.get_by_text("Rewards will appear here.")).to_have_count(1)

    def test_session_lost(self, page: Page, shop: Shop) -> None:
        """A session that ended before the purchase leads to the login, and spends nothing."""
        open_panel(page, shop)
        ask_for(page)
        shop.signed_in = False
        confirm(page)

        expect(sheet(page)).to_contain_text("You have been logged out.")
        expect(sheet(page).get_by_role("link", name="Log in")).to_be_visible()
        assert shop.balance == 600

    def test_session_lost_before(self, page: Page, shop: Shop) -> None:
        """A session that ended before opening is told at once."""
        shop.signed_in = False
        open_panel(page, shop)

        expect(page.get_by_role("status")).to_contain_text("You have been logged out.")
        expect(page.get_by_role("link", name="Log in")).to_be_visible()

    def test_offline(self, page: Page, shop: Shop, context: BrowserContext) -> None:
        """Without a connection the shopper is told, and the button to try again works."""
        visit(page, shop)
        context.set_offline(True)
        page.get_by_role("button", name="Rewards").click()
        expect(page.get_by_role("status")).to_contain_text("You seem to be offline.")
        context.set_offline(False)
        page.get_by_role("button", name="Try again").click()

        expect(page.get_by_text("You have no rewards yet.")).to_be_visible()
        expect(page.get_by_role("button", name="Try again")).to_be_hidden()

    def test_down(self, page: Page, shop: Shop) -> None:
        """A refresh that fails keeps the balance of the page and says that points are safe."""
        shop.refuse = [(502, {})]
        open_panel(page, shop)

        expect(page.get_by_role("status")).to_contain_text("Your points are safe")
        expect(page.locator(".laurel-balance-points")).to_have_text("600 points")

    def test_poll_trouble(self, page: Page, shop: Shop) -> None:
        """A hiccup while waiting for the code is waited out."""
        open_panel(page, shop)
        ask_for(page)
        shop.hold.clear()
        confirm(page)
        shop.polls_until_made = 1
        page.route("**/apps/laurel/rewards/*", lambda route: route.abort(), times=2)
        shop.hold.set()

        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()

    def test_hostile(self, page: Page, shop: Shop) -> None:
        """Markup in names that come from the server is shown as the text it is."""
        program = json.loads(json.dumps(PROGRAM))
        program["rewards"][0]["title"] = HOSTILE
        shop.program = program
        open_panel(page, shop)
        ask_for(page, HOSTILE)
        confirm(page)

        expect(sheet(page)).to_contain_text(HOSTILE)
        expect(page.locator("laurel-rewards b, laurel-rewards img")).to_have_count(0)
        assert page.title() == "Fern & Fig"

    @pytest.mark.parametrize("typed", ["//evil.test/x", "https://evil.test/x", "\\\\evil.test\\x"])
    def test_never_elsewhere(self, page: Page, shop: Shop, typed: str) -> None:
        """Whatever path a merchant typed, the widget talks to this shop only."""
        shop.show(after=render_block("launcher", points=600, settings={"proxy_path": typed}))
        called: list[str] = []
        page.on("request", lambda request: called.append(request.url))
        visit(page, shop)
        with page.expect_response(re.compile(r"member\?")):
            page.get_by_role("button", name="Rewards").click()

        assert [] == [url for url in called if not url.startswith((shop.url, "data:"))]


class TestKeyboard:
    def test_whole_walk(self, page: Page, shop: Shop) -> None:
        """Redeeming needs no mouse: open, ask, confirm, close, and focus comes home each time."""
        visit(page, shop)
        page.get_by_role("button", name="Rewards").focus()
        with page.expect_response("**/apps/laurel/member*"):
            page.keyboard.press("Enter")
        expect(page.locator(".laurel-panel [data-part=heading]")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Close")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Redeem $5 off")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Yes, use my points")).to_be_focused()
        page.keyboard.press("Enter")
        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        expect(sheet(page).get_by_role("button", name="Copy code")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator(".laurel-panel [data-part=heading]")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Rewards")).to_be_focused()
        expect(page.get_by_role("button", name="Rewards")).to_have_attribute("aria-expanded", "false")

    def test_trapped(self, page: Page, shop: Shop) -> None:
        """Tab and Shift+Tab go round inside the open panel."""
        open_panel(page, shop)
        inside = "document.querySelector('.laurel-panel').contains(document.activeElement)"
        for key in ["Tab"] * 5 + ["Shift+Tab"] * 5:
            page.keyboard.press(key)
            assert page.evaluate(inside), key

    def test_outside(self, page: Page, shop: Shop) -> None:
        """A press beside the panel closes it; one on its own edge does not."""
        open_panel(page, shop)
        panel = page.locator(".laurel-panel")
        box = panel.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 4, box["y"] + box["height"] / 2)
        expect(panel).to_be_visible()
        page.mouse.click(box["x"] - 8, box["y"] + box["height"] / 2)

        expect(panel).to_be_hidden()

    def test_escape_returns(self, page: Page, shop: Shop) -> None:
        """Escape in the question goes back to the reward's button, with nothing spent."""
        open_panel(page, shop)
        ask_for(page)
        page.keyboard.press("Escape")

        expect(page.get_by_role("button", name="Redeem $5 off")).to_be_focused()
        assert redeems(shop) == 0


def violations(page: Page) -> list[str]:
    """What axe objects to on the page as it is."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {[node['html'][:120] for node in v['nodes']]}" for v in found]


class TestAccessible:
    @pytest.mark.parametrize("accent", ["#1f5f4a", "#ffd54a", "#777777"])
    def test_panel(self, page: Page, shop: Shop, accent: str) -> None:
        """Closed, open, asking and told: axe finds nothing, on dark, light and middling colours."""
        shop.show(after=render_block("launcher", points=600, settings={"accent": accent}))
        visit(page, shop)
        assert violations(page) == []
        page.get_by_role("button", name="Rewards").click()
        expect(page.get_by_text("You have no rewards yet.")).to_be_visible()
        assert violations(page) == []
        ask_for(page)
        assert violations(page) == []
        confirm(page)
        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        assert violations(page) == []

    @pytest.mark.parametrize("customer_id", [7_001, None])
    def test_block(self, page: Page, shop: Shop, customer_id: int | None) -> None:
        """The page block is clean too, for customers and guests, on a dark ground."""
        settings = {"ground": "#101418", "accent": "#e8c35a"}
        shop.show(inside=render_block("rewards", points=600, customer_id=customer_id, settings=settings))
        visit(page, shop)

        assert violations(page) == []

    def test_announced(self, page: Page, shop: Shop) -> None:
        """Results are spoken: the text that changes is a live region that was there before."""
        open_panel(page, shop)
        ask_for(page)
        region = sheet(page).get_by_role("status")
        expect(region).to_have_text("Use 500 points for $5 off?")
        confirm(page)

        expect(region).to_have_text("Your reward is ready: $5 off")

    def test_no_motion(self, page: Page, shop: Shop) -> None:
        """A shopper who wants less motion gets none; others get a short one."""
        open_panel(page, shop)
        animation = "getComputedStyle(document.querySelector('.laurel-panel')).animationName"
        assert page.evaluate(animation) == "none"
        page.emulate_media(reduced_motion="no-preference")

        assert page.evaluate(animation) == "laurel-rise"


class TestLayouts:
    def test_phone(self, page: Page, shop: Shop) -> None:
        """On a small phone the panel and the question fit, with targets of 44 pixels, and nothing scrolls sideways."""
        page.set_viewport_size({"width": 320, "height": 568})
        open_panel(page, shop)
        ask_for(page)
        boxes = [page.locator(name).bounding_box() for name in (".laurel-panel", ".laurel-sheet")]
        buttons = page.locator("laurel-rewards button:visible, laurel-rewards a:visible").all()
        sizes = [button.bounding_box() for button in buttons]

        assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 320 for box in boxes)
        assert all(box and box["y"] >= 0 and box["y"] + box["height"] <= 568 for box in boxes)
        assert all(size and size["height"] >= 44 for size in sizes)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320

    @pytest.mark.parametrize(
        ("direction", "position", "side"),
        [
            ("ltr", "end", "right"),
            ("rtl", "end", "left"),
            ("ltr", "start", "left"),
            ("rtl", "start", "right"),
        ],
    )
    def test_sides(self, page: Page, shop: Shop, direction: str, position: str, side: str) -> None:
        """Button and panel stand in the chosen corner, which changes sides with the reading direction."""
        shop.show(
            after=render_block("launcher", points=600, settings={"position": position}), direction=direction
        )
        open_panel(page, shop)
        for name in (".laurel-launcher", ".laurel-panel"):
            box = page.locator(name).bounding_box()
            assert box is not None
            room = box["x"] if side == "left" else 1280 - box["x"] - box["width"]
            assert abs(room - 16) < 1, name

    def test_block(self, page: Page, shop: Shop) -> None:
        """The page block asks once, when the customer unfolds their own rewards."""
        shop.show(inside=render_block("rewards", points=600))
        visit(page, shop)
        page.wait_for_load_state("networkidle")
        assert shop.asked == []
        page.locator("summary", has_text="Your rewards").click()

        expect(page.get_by_text("You have no rewards yet.")).to_be_visible()
        assert shop.asked == ["GET member"]

    def test_block_redeems(self, page: Page, shop: Shop) -> None:
        """Points spent in the block show on the launcher of the same page."""
        shop.show(inside=render_block("rewards", points=600), after=render_block("launcher", points=600))
        visit(page, shop)
        ask_for(page)
        confirm(page)

        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        expect(page.locator(".laurel-launcher-balance")).to_have_text("100 points")

    def test_language(self, page: Page, shop: Shop) -> None:
        """A German shopper reads German, with German digit groups, also in what the script writes."""
        shop.balance = 12_540
        shop.show(after=render_block("launcher", points=600, language="de"), language="de")
        visit(page, shop)
        with page.expect_response("**/apps/laurel/member*"):
            page.get_by_role("button", name="Prämien").click()
        page.get_by_role("button", name="Einlösen $5 off").click()

        expect(page.locator(".laurel-balance-points")).to_have_text("12.540 points")
        expect(sheet(page)).to_contain_text("500 points einlösen für: $5 off?")
        assert shop.language == "de"

    def test_leaves_quietly(self, page: Page, shop: Shop) -> None:
        """A block taken out by the theme editor and put back works again, once."""
        shop.show(inside=render_block("rewards", points=600))
        visit(page, shop)
        page.evaluate(
            "() => { const block = document.querySelector('laurel-rewards'), home = block.parentNode;"
            " block.remove(); home.append(block); }"
        )
        ask_for(page)
        confirm(page)

        expect(sheet(page).get_by_text("LAUREL-1ZQ")).to_be_visible()
        assert redeems(shop) == 1
