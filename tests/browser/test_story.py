"""The whole product in a real browser, told in order: a merchant installs Laurel and connects Klaviyo, a shopper spends points.

Every part runs: web process, worker, cron, queue server, and the local Shopify and Klaviyo. Each test goes on where the one before it
ended, so the file is run whole, and in one process (``--dist loadfile``). Nothing may be written to any console on the way.
"""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

from engines import schema
from loyalty.database import make_engine
from loyalty.models import Member, OutboxMessage, RewardIssue, Run
from loyalty.runtime import utc_now
from tests import patience
from tests.browser import whole_house
from tests.browser.whole_house import NO_EMAIL, WREN
from tests.browser.windows import DESKTOP, PHONE, AdminWindow, Watch, faults, overflow
from tests.integration.story.house import House

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, FrameLocator

pytestmark = [pytest.mark.browser, pytest.mark.valkey]

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"


@pytest.fixture(scope="module", name="house")
def _house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("house")
    url = f"sqlite:///{directory / 'laurel.db'}"
    engine = make_engine(url)
    schema.upgrade(engine)
    engine.dispose()
    with whole_house.open_house(directory, url) as house:
        yield house


@pytest.fixture(scope="module", name="merchant")
def _merchant(chromium: "Browser", house: House) -> Iterator[Watch]:
    yield from _browser(chromium)


@pytest.fixture(scope="module", name="shopper")
def _shopper(chromium: "Browser", house: House) -> Iterator[Watch]:
    yield from _browser(chromium)


def _browser(chromium: "Browser") -> Iterator[Watch]:
    context: BrowserContext = chromium.new_context(
        viewport=DESKTOP,  # type: ignore[arg-type]
        locale="en-US",
        timezone_id="America/New_York",
        reduced_motion="reduce",
    )
    context.set_default_timeout(patience.PAGES_MS)
    yield Watch(context)
    context.close()


@pytest.fixture(scope="module", name="window")
def _window(merchant: Watch, house: House) -> AdminWindow:
    return AdminWindow(merchant.context.new_page(), house.stage.at)


@pytest.fixture(scope="module", name="store")
def _store(shopper: Watch) -> Page:
    return shopper.context.new_page()


@pytest.fixture(scope="module", name="told")
def _told() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def _chapter(
    request: pytest.FixtureRequest, told: list[str], merchant: Watch, shopper: Watch
) -> Iterator[None]:
    """What came before must have been told here and have held; and afterwards nobody's console holds anything."""
    before = [item.nodeid for item in request.session.items if item.path == request.node.path]
    before = before[: before.index(request.node.nodeid)]
    if told != before:
        pytest.fail("the story broke off before this, or is told by several processes (see --dist loadfile)")
    failures = request.session.testsfailed
    yield
    assert merchant.complaints + shopper.complaints == []
    if request.session.testsfailed == failures:
        told.append(request.node.nodeid)


def picture(page: Page, name: str) -> None:
    """Keep what is shown for the documents, when asked to (``LAUREL_SCREENSHOTS=1``)."""
    if not os.environ.get("LAUREL_SCREENSHOTS"):
        return
    PICTURES.mkdir(exist_ok=True)
    page.wait_for_load_state("networkidle")
    page.locator(".toast").evaluate_all("(toasts) => toasts.forEach((toast) => toast.remove())")
    page.screenshot(path=PICTURES / f"{name}.png")


class TestInstall:
    def test_first_open(self, window: AdminWindow, house: House) -> None:
        """Installed from the admin, the app opens in its frame and says what to do first."""
        window.page.goto(house.stage.at.admin)
        window.page.get_by_role("button", name="Install app").click()
        app = window.wait("/")

        expect(app.locator("s-section[data-setup] li h3")).to_have_count(6)
        expect(app.get_by_text("Decide how customers earn and what they get")).to_be_visible()
        expect(app.locator("s-button[variant=primary]", has_text="Open the program")).to_be_visible()
        expect(app.get_by_text("No points yet")).to_be_visible()

    def test_customers_come(self, window: AdminWindow, house: House) -> None:
        """The customers of the shop are imported without being asked for, and found among the members."""
        house.eventually("done", lambda: house.run_state("customer_import"))
        app = window.follow("Members", "/members")

        expect(app.locator("s-table-row", has_text="Wren Castellanos")).to_contain_text("Member")
        # The page keeps its figures for a moment.
        figure = '.l-figure:has-text("Members") dd >> nth=0'
        house.eventually(str(_customers()), lambda: window.open("/").locator(figure).inner_text())

    def test_theme(self, window: AdminWindow, house: House) -> None:
        """The step to the theme editor leads there, and once the embed is on the checklist knows it."""
        app = window.open("/")
        expect(app.locator("[data-steps-done]")).to_have_text("1")
        app.get_by_text("Open the theme editor").click()
        expect(window.page).to_have_url(house.stage.at.admin)

        app = window.open("/")
        expect(app.locator("[data-embed-step]")).to_have_class(re.compile("l-step-done"))
        expect(app.locator("[data-steps-done]")).to_have_text("2")


class TestProgram:
    def test_mistake(self, window: AdminWindow, merchant: Watch) -> None:
        """A value that cannot be is told in its field, and the save bar stays."""
        window.follow("Program", "/program")
        app = _program_link(window, "Place an order", "/part/earn/order")
        rate = app.locator('[name="rate"]')
        rate.locator("input").fill("0")
        with merchant.refusal(422, "/program/part/earn/order"):
            window.page.locator(".save-bar .save").click()
            expect(rate.locator(".error")).to_have_text(re.compile("^Enter a decimal number, more than 0"))

        expect(window.page.locator(".save-bar")).to_be_visible()

    def test_saved(self, window: AdminWindow) -> None:
        """Rate, name and a second reward are saved from the save bar, each as a version of its own."""
        app = window.app
        app.locator('[name="rate"] input').fill("2")
        expect(app.locator("[data-example]")).to_have_text("An order of $84.50 earns 169 points.")
        _save_program(window)

        app = _program_link(window, "Edit", "/part/general", exact=True)
        for name, value in (("points.one", "leaf"), ("points.many", "leaves")):
            app.locator(f'[name="{name}"] input').fill(value)
        _save_program(window)

        _program_link(window, "Add a reward", "/new/rewards")
        app = _program_link(window, "Amount off", "/new/rewards/amount_off", exact=True)
        for name, value in (("title", "$12 off"), ("points", "1000"), ("amount", "12")):
            app.locator(f'[name="{name}"] input').fill(value)
        app = _save_program(window)

        expect(app.get_by_text("2 leaves for every $1 spent")).to_be_visible()
        expect(app.get_by_text("Version 4 is in force")).to_be_visible()
        expect(window.page.locator(".save-bar")).to_be_hidden()
        picture(window.page, "program")

    def test_versions(self, window: AdminWindow) -> None:
        """The list of versions says what each of them changed."""
        app = _program_link(window, "Versions", "/versions", exact=True)

        expect(app.get_by_text("points for each unit of currency spent: 1 → 2")).to_be_visible()
        expect(app.get_by_text("Reward “$12 off”: added")).to_be_visible()


class TestKlaviyo:
    def test_denied(self, window: AdminWindow, house: House) -> None:
        """Whoever denies the connection on Klaviyo's page comes back into the frame, and reads what happened."""
        _ask_klaviyo(window, house)
        window.page.get_by_role("button", name="Deny").click()
        app = window.wait("/klaviyo")

        expect(app.locator("s-banner")).to_contain_text("You did not allow the connection in Klaviyo")
        expect(app.get_by_text("Connect to Klaviyo", exact=True)).to_be_visible()

    def test_wrong_key(self, window: AdminWindow, merchant: Watch) -> None:
        """A private key that Klaviyo does not know is refused in its field, and the dialog stays."""
        app = window.app
        app.get_by_text("Use a private API key").click()
        key = app.locator('[name="key"]')
        key.locator("input").fill("pk_of_nobody")
        with merchant.refusal(422, "/klaviyo/key"):
            app.locator('[data-submits="key-form"]').click()
            expect(key.locator(".error")).to_contain_text("Klaviyo does not know this key")
        assert faults(window.frame) == []

    def test_right_key(self, window: AdminWindow) -> None:
        """A private key that Klaviyo knows connects, and can be given up again."""
        app = window.app
        app.locator('[name="key"] input').fill("pk_sandbox_HarbCf")
        app.locator('[data-submits="key-form"]').click()
        expect(app.locator(".l-facts")).to_contain_text("Harbour Coffee")
        expect(app.locator(".l-facts")).to_contain_text("with a private API key")

        _disconnect(window)
        expect(app.get_by_text("Connect again")).to_be_visible()

    def test_allowed(self, window: AdminWindow, house: House) -> None:
        """Allowed on Klaviyo's page, the connection is made and the merchant is back in the frame."""
        _ask_klaviyo(window, house)
        window.page.get_by_label("FernFg").check()
        window.page.get_by_role("button", name="Allow").click()
        app = window.wait("/klaviyo")

        expect(app.locator("s-banner", has_text="Klaviyo is connected.")).to_be_visible()
        expect(app.locator(".l-facts")).to_contain_text("Fern & Fig")
        expect(app.locator(".l-facts")).to_contain_text("by OAuth")
        expect(app.locator(".l-checks")).to_contain_text("We hear of new reviews (in order)")


class TestImports:
    def test_past_orders(self, window: AdminWindow, house: House) -> None:
        """Orders of the past give their points with their true dates, and the home page draws them."""
        app = window.follow("Imports", "/imports")
        since = (utc_now() - timedelta(days=40)).date().isoformat()
        app.locator('[name="since"] input').fill(since)
        app.locator("s-button", has_text="Import past orders").click()
        house.eventually("done", lambda: house.run_state("order_import"))
        house.settle()
        assert whole_house.past_rewards(house) == 14
        house.eventually({"issued"}, lambda: whole_house.states_of_rewards(house))

        app = window.open("/imports")
        expect(app.locator("s-table-row", has_text="Import of past orders")).to_contain_text("Done")
        house.eventually(True, lambda: window.open("/").locator(".l-bar-earned").count() >= 28)
        house.eventually(True, lambda: window.open("/").locator(".l-bar-spent").count() >= 10)


class TestSync:
    def test_progress(self, window: AdminWindow, house: House) -> None:
        """Pressed once, the sync shows how far it is until the end, and its numbers are the shop's."""
        house.settle()
        # Klaviyo has no time until the page was seen while the job runs.
        house.klaviyo.post(
            "/faults", place="POST /api/profile-bulk-import-jobs", kind="429", times=None, retry_after=1
        )
        app = window.follow("Klaviyo", "/klaviyo")
        expect(app.locator("s-banner")).to_contain_text("Sync once, and it knows all of them now.")
        app.locator("s-button", has_text="Sync customer data").click()
        run = app.locator("[data-run]")
        expect(run.locator("s-badge")).to_have_text(re.compile("Waiting|Running"))
        expect(run.locator("s-progress")).not_to_have_attribute("value", "100")
        house.klaviyo.delete("/faults")

        expect(run.locator("s-badge")).to_have_text("Done")
        expect(run.locator("s-progress")).to_have_attribute("value", "100")
        everybody = _customers()
        expect(run.locator("[data-run-text]")).to_have_text(f"{everybody} of {everybody}, 1 skipped")
        assert house.klaviyo.get("/counts")["profiles"] == everybody - 1
        assert house.profile_balance(WREN) == _balance(house)

    def test_skipped(self, window: AdminWindow) -> None:
        """Who has no e-mail address is listed with the reason, one link from the sync."""
        app = window.open("/klaviyo")
        row = app.locator("s-table-row", has_text="Sync of customer data")
        expect(row).to_contain_text(re.compile(r"Done\s+41\s+1\s+0"))
        picture(window.page, "klaviyo")
        row.get_by_text("Who and why").click()

        skipped = app.locator("s-table-row")
        expect(skipped).to_have_count(1)
        expect(skipped).to_contain_text("The member has no e-mail address")
        skipped.get_by_text(f"{NO_EMAIL} Avery").click()
        expect(app.locator("s-page")).to_have_attribute("heading", f"{NO_EMAIL} Avery")


class TestStorefront:
    def test_guest(self, store: Page, house: House) -> None:
        """A guest is invited to join or to log in, closed and open without a fault."""
        house.settle()
        store.goto(f"{house.stage.at.storefront}/")
        assert faults(store) == []
        store.get_by_role("button", name="Rewards").click()

        expect(store.get_by_role("link", name="Join")).to_be_visible()
        expect(store.get_by_role("dialog").get_by_role("link", name="Log in")).to_be_visible()
        assert faults(store) == []

    def test_balance_without_us(self, store: Page, house: House) -> None:
        """Logged in, the balance is there before anything is asked of our server; opening asks once."""
        at = house.stage.at
        store.goto(f"{at.storefront}/account/login")
        store.get_by_label("E-mail").fill(WREN)
        store.locator("main").get_by_role("button", name="Log in").click()
        asked: list[str] = []
        store.on("request", lambda request: asked.append(request.url))
        store.goto(f"{at.storefront}/")
        expect(store.locator(".laurel-launcher-balance")).to_have_text(f"{_balance(house):,} leaves")
        store.wait_for_load_state("networkidle")
        assert asked
        assert _ours(asked, house) == []

        with store.expect_response("**/apps/laurel/member*"):
            store.locator(".laurel-launcher").click()
        expect(store.get_by_role("button", name="Redeem $5 off")).to_be_visible()
        assert [url.rpartition("/")[2] for url in _ours(asked, house)] == ["member?language=en"]
        assert faults(store) == []
        picture(store, "storefront")
        store.set_viewport_size(PHONE)  # type: ignore[arg-type]
        assert overflow(store) == 0
        picture(store, "storefront-phone")
        store.set_viewport_size(DESKTOP)  # type: ignore[arg-type]

    def test_redeem_by_keyboard(self, store: Page, house: House) -> None:
        """With nothing but the keyboard, points become a code that works."""
        before = _balance(house)
        store.goto(f"{house.stage.at.storefront}/")
        _tab_to(store, store.locator(".laurel-launcher"))
        with store.expect_response("**/apps/laurel/member*"):
            store.keyboard.press("Enter")
        _tab_to(store, store.get_by_role("button", name="Redeem $5 off"))
        store.keyboard.press("Enter")
        sheet = store.locator("laurel-rewards:has(.laurel-launcher) .laurel-sheet")
        expect(sheet).to_contain_text("Use 500 leaves for $5 off?")
        _tab_to(store, sheet.locator("[data-part=confirm]"))
        store.keyboard.press("Enter")

        expect(sheet.locator(".laurel-code")).to_have_text(re.compile("^LAUREL-"))
        expect(store.locator(".laurel-launcher-balance")).to_have_text(f"{before - 500:,} leaves")
        assert faults(store) == []
        store.keyboard.press("Escape")
        expect(sheet).to_be_hidden()

    def test_code_is_used(self, store: Page, house: House) -> None:
        """The code is applied with one press, takes its amount off an order, and counts as used."""
        store.locator("[data-part=issue]").first.get_by_role("link", name="Apply at checkout").click()
        expect(store.get_by_role("status").first).to_contain_text("will be used at checkout")
        before = _balance(house)
        store.locator(".card", has_text="Boston Fern").get_by_role("button").click()
        store.get_by_role("button", name="Pay now").click()

        # 28.00 less 5.00.
        expect(store.get_by_role("status").first).to_contain_text("over 23.00 USD")
        house.settle()
        assert _balance(house) == before + 46
        member_id = _wren(house).id
        assert [issue.state for issue in house.rows(RewardIssue, member_id=member_id)] == ["used"]

    def test_pages(self, store: Page, house: House) -> None:
        """The rewards page and the account show their blocks without a fault, on a phone too."""
        for path in ("/pages/rewards", "/account"):
            store.goto(house.stage.at.storefront + path)
            expect(store.locator("main .laurel-balance-points")).to_have_text(f"{_balance(house):,} leaves")
            assert (path, faults(store)) == (path, [])
            store.set_viewport_size(PHONE)  # type: ignore[arg-type]
            assert (path, overflow(store)) == (path, 0)
            store.set_viewport_size(DESKTOP)  # type: ignore[arg-type]


class TestMember:
    def test_why(self, window: AdminWindow) -> None:
        """Searched for and opened, a member's every movement says why it is."""
        app = window.open("/members")
        app.locator('[name="q"] input').fill("wren")
        app.locator('[name="q"] input').press("Enter")
        expect(app.locator("s-table-row")).to_have_count(1)
        app.locator("s-table-row s-link").click()
        entry = app.locator(".l-entry", has_text="+46")
        entry.locator("summary").click()

        expect(entry.locator(".l-why")).to_contain_text("$23.00")
        expect(entry.locator(".l-why")).to_contain_text("2 for each $1.00")
        expect(entry.locator(".l-why")).to_contain_text("Version 4")
        expect(
            app.locator(".l-entry", has_text="-500").or_(app.locator(".l-entry", has_text="−500"))
        ).to_be_visible()

    def test_adjust(self, window: AdminWindow, house: House) -> None:
        """Points are given with a reason, and the balance follows everywhere."""
        app, before = window.app, _balance(house)
        app.get_by_text("Give or take points").first.click()
        for name, value in (("points", "25"), ("note", "Happy birthday")):
            app.locator(f'[name="{name}"] input').fill(value)
        app.locator('[name="staff"] textarea').fill("Birthday list of November")
        assert faults(window.frame) == []
        app.locator('[data-submits="adjust-form"]').click()

        expect(app.locator(".l-entry").first).to_contain_text("Happy birthday")
        expect(app.locator(".l-figure dd").first).to_have_text(f"{before + 25:,}")
        house.settle()
        assert int(whole_house.customer(house, WREN)["metafields"]["points"]) == before + 25
        assert house.profile_balance(WREN) == before + 25

    def test_sent(self, window: AdminWindow, house: House) -> None:
        """What Klaviyo was told of the member is listed, each with what was sent and what came back."""
        app = window.open(f"/members/{_wren(house).id}")
        app.locator(".l-entry summary").nth(1).click()
        picture(window.page, "member")
        row = app.locator("s-table-row", has_text="Points Adjusted")
        expect(row).to_contain_text("Delivered")
        row.locator("s-link").click()

        expect(app.locator("s-page")).to_contain_text("Happy birthday")
        expect(app.locator("s-page")).to_contain_text("202")
        told = house.events(email=WREN, metric="Points Adjusted")
        assert [event["properties"]["points"] for event in told] == [25]


class TestEvents:
    def test_filter(self, window: AdminWindow, house: House) -> None:
        """The log of everything sent is narrowed by metric and member, and says so when nothing is left."""
        app = window.open("/klaviyo/events")
        app.locator('[name="metric"] select').select_option(label="Points Redeemed")
        app.locator("s-button", has_text="Filter").click()
        expect(app.locator("s-table-row")).to_have_count(15)

        app.locator('[name="email"] input').fill(WREN)
        app.locator("s-button", has_text="Filter").click()
        expect(app.locator("s-table-row")).to_have_count(1)
        expect(app.locator("s-table-row")).to_contain_text("Wren Castellanos")

        app.locator('[name="state"] select').select_option(label="Refused")
        app.locator("s-button", has_text="Filter").click()
        expect(app.get_by_text("Nothing matches")).to_be_visible()

    def test_review(self, window: AdminWindow, house: House) -> None:
        """A verified review written at Klaviyo is on the list with what it earned, and so is one that earns nothing."""
        before = _balance(house)
        house.klaviyo.post(
            "/reviews", email=WREN, rating=5, title="Lush", content="Still alive.", verified=True
        )
        house.klaviyo.post("/reviews", email=WREN, rating=1, title="Hm", content="Not mine.", verified=False)
        house.eventually(before + 50, lambda: _balance(house))
        app = window.open("/klaviyo/reviews")

        expect(app.locator("s-table-row", has_text="5 of 5 stars")).to_contain_text("Rewarded")
        expect(app.locator("s-table-row", has_text="1 of 5 stars")).to_contain_text("not verified")


class TestEveryPage:
    def test_desktop(self, window: AdminWindow, house: House) -> None:
        """axe finds nothing on any page of the admin."""
        house.in_shop(f"/customers/{WREN}/data_request")
        house.settle()
        for path in _pages(house):
            window.open(path)
            assert (path, faults(window.frame)) == (path, [])
            assert (path, overflow(window.frame)) == (path, 0)
        window.open("/")
        picture(window.page, "home")

    def test_phone(self, window: AdminWindow, house: House) -> None:
        """On a phone no page is wider than the screen, and axe finds nothing on the two that are read there most."""
        window.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        for path in _pages(house):
            window.open(path)
            assert (path, overflow(window.frame), overflow(window.page)) == (path, 0, 0)
        for path, name in (("/", "home-phone"), (f"/members/{_wren(house).id}", "member-phone")):
            window.open(path)
            assert (path, faults(window.frame)) == (path, [])
            picture(window.page, name)
        window.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]

    def test_missing(self, window: AdminWindow, merchant: Watch) -> None:
        """A page that is not there says so inside the frame and leads back."""
        with merchant.refusal(404, "/members/999999"):
            app = window.open("/members/999999")

        expect(app.locator("s-page")).to_contain_text(re.compile("no such member|not found", re.IGNORECASE))
        assert faults(window.frame) == []


class TestDisconnect:
    def test_disconnect(self, window: AdminWindow, house: House) -> None:
        """Disconnected, nothing more is sent; points go on, and the page offers to connect again."""
        app = window.open("/klaviyo")
        _disconnect(window)
        expect(app.get_by_text("Reconnect to Klaviyo")).to_be_visible()
        assert faults(window.frame) == []
        sent, before = len(house.events(email=WREN)), _balance(house)
        house.buy(whole_house.customer(house, WREN)["id"], "10.00")
        house.eventually(before + 20, lambda: _balance(house))
        house.settle()

        assert len(house.events(email=WREN)) == sent


def _ask_klaviyo(window: AdminWindow, house: House) -> None:
    app = window.open("/klaviyo")
    app.locator('[data-post="/klaviyo/connect"]').click()
    expect(window.page).to_have_url(re.compile(f"^{re.escape(house.stage.at.klaviyo)}/oauth/authorize"))


def _disconnect(window: AdminWindow) -> None:
    app = window.app
    app.locator("s-button", has_text="Actions").click()
    app.locator('s-menu [commandfor="disconnect"]').click()
    app.locator('[data-post="/klaviyo/disconnect"]').click()
    expect(app.locator("s-section", has_text="Laurel tells Klaviyo what happens")).to_be_visible()


def _tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until something has the focus, as a person without a mouse does."""
    expect(wanted).to_be_visible()
    for _ in range(40):
        if wanted.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail("it cannot be reached with the keyboard")


def _ours(asked: list[str], house: House) -> list[str]:
    """The requests that end at our server: by the app proxy, or straight."""
    return [url for url in asked if "/apps/laurel/" in url or url.startswith(house.stage.at.app)]


def _customers() -> int:
    return len(whole_house.addresses()) + 2


def _wren(house: House) -> Member:
    (member,) = house.rows(Member, email=WREN)
    return member


def _balance(house: House) -> int:
    return _wren(house).balance


def _program_link(window: AdminWindow, text: str, path: str, *, exact: bool = False) -> "FrameLocator":
    """Follow a link inside the program's pages."""
    window.app.get_by_text(text, exact=exact).first.click()
    return window.wait(f"/program{path}")


def _save_program(window: AdminWindow) -> "FrameLocator":
    """Save from the save bar, and come back to the program."""
    window.page.locator(".save-bar .save").click()
    return window.wait("/program")


def _pages(house: House) -> list[str]:
    events, runs = house.rows(OutboxMessage, channel="klaviyo"), house.rows(Run)
    return [
        "/",
        "/program",
        "/program/part/earn/order",
        "/program/part/tiers",
        "/program/text",
        "/program/versions",
        "/members",
        f"/members/{_wren(house).id}",
        "/klaviyo",
        "/klaviyo/events",
        f"/klaviyo/events/{events[-1].id}",
        "/klaviyo/reviews",
        "/imports",
        "/privacy",
        f"/runs/{runs[-1].id}",
    ]
