"""The merchant's pages in a real browser, with the sandbox's components and an App Bridge that only notes what it is asked."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from cryptography.fernet import Fernet
from flask import Flask, Response
from playwright.sync_api import Page, Route, expect
from sqlmodel import select
from werkzeug.serving import make_server

from loyalty import programs
from loyalty.database import make_engine
from loyalty.encryption import Cipher
from loyalty.models import Member, RewardIssue, Run
from loyalty.runtime import Runtime
from shopify_app.config import ShopifyConfig
from tests import patience
from tests.merchant_pages import NOW, ROOT, Bell, Door, make_app
from tests.shop_story import Story, tell_story

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BRIDGE = """
window.said = [];
window.shopify = {
  idToken: async () => "token",
  toast: { show: (text, { isError } = {}) => window.said.push([text, Boolean(isError)]) },
  resourcePicker: async ({ type }) => { window.picked = type; return [{ id: "gid://shopify/Collection/77" }]; },
  scopes: { request: async (scopes) => { window.asked = scopes; return { detail: { granted: scopes } }; } },
  app: { extensions: async () => [{ handle: "laurel", activations: [{ status: "%s" }] }] },
};
"""
TWICE = """
const form = document.querySelector("form[data-program]"), send = window.fetch;
window.fetch = async (...asked) => {
  const answer = await send(...asked);
  setTimeout(() => { form.requestSubmit(); console.log("again"); }, 50);
  return answer;
};
form.requestSubmit();
"""
PHONE = {"width": 390, "height": 844}


@dataclass
class Site:
    """The pages at an address, and what is behind them."""

    address: str
    runtime: Runtime
    story: Story
    embed: str = "active"
    components: bool = True


@pytest.fixture
def site(sqlite_url: str) -> Iterator[Site]:
    """The merchant's pages of a shop that has lived, on a port of this test's own."""
    engine = make_engine(sqlite_url)
    runtime = Runtime(engine, Cipher([Fernet.generate_key().decode()]), Bell(), clock=lambda: NOW)
    with runtime.transaction() as session:
        story = tell_story(session, now=NOW)
    app = make_app(
        runtime, Door(), shopify=ShopifyConfig(api_key="key", api_secret="not-a-secret", cdn_url="")
    )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    site = Site(f"http://127.0.0.1:{server.server_port}", runtime, story)
    _serve_components(app, site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    engine.dispose()


@pytest.fixture
def open_page(chromium: "Browser", site: Site) -> Iterator[Callable[..., Page]]:
    """Opens a page of the site; a script error on it fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(patience.PAGES_MS)
    errors: list[str] = []

    def open_page(path: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(site.address + path)
        return page

    yield open_page
    context.close()
    assert errors == []


class TestApi:
    def test_shown_once(self, open_page: Callable[[str], Page]) -> None:
        """A new key is shown in the page that made it, can be put away, and is not on the page ever after."""
        page = open_page("/api-keys")
        page.locator('[name="label"] input').fill("Survey tool")
        page.evaluate("document.querySelector('#new-key').requestSubmit()")
        secret = page.locator("[data-revealed]")
        expect(secret).to_have_text(re.compile(r"^laurel_[0-9a-f]{10}_[\w-]{43}$"))
        expect(page.locator("#new-key")).to_be_hidden()
        key = secret.text_content() or ""
        with page.expect_navigation():
            page.locator("[data-done]").click()

        expect(page.get_by_text("Survey tool", exact=True)).to_be_visible()
        expect(page.locator("[data-reveal]")).to_be_hidden()
        assert key not in page.content()

    def test_without_a_name(self, open_page: Callable[[str], Page]) -> None:
        """A key that is for nobody knows what is not made; the field says so."""
        page = open_page("/api-keys")
        page.locator('[name="label"] input').fill("   ")
        page.evaluate("document.querySelector('#new-key').requestSubmit()")

        expect(page.locator('[name="label"]')).to_have_attribute("error", re.compile("what will use the key"))


class TestProgram:
    def test_mistake_then_saved(self, open_page: Callable[[str], Page], site: Site) -> None:
        """A mistake shows in its field and changes nothing; put right, it is saved."""
        page = open_page("/program/part/earn/order")
        rate = page.locator('[name="rate"]')
        rate.locator("input").fill("0")
        page.evaluate("document.querySelector('form').requestSubmit()")
        expect(rate).to_have_attribute("error", re.compile("^Enter a decimal number, more than 0"))

        rate.locator("input").fill("2")
        with page.expect_navigation():
            page.evaluate("document.querySelector('form').requestSubmit()")

        expect(page.get_by_text("2 leaves for every $1 spent")).to_be_visible()
        with site.runtime.reading() as session:
            program = programs.current(session, site.story.shop_id)
        assert program.order_rules[0].rate == 2

    def test_preview(self, open_page: Callable[[str], Page], site: Site) -> None:
        """A mistake shows in its field; put right, the button leads to the preview of what was entered, and nothing is saved."""
        page = open_page("/program/part/earn/order")
        rate = page.locator('[name="rate"]')
        rate.locator("input").fill("0")
        page.get_by_role("button", name="See what would change").click()
        expect(rate).to_have_attribute("error", re.compile("^Enter a decimal number, more than 0"))

        rate.locator("input").fill("3")
        with page.expect_navigation():
            page.get_by_role("button", name="See what would change").click()
        expect(
            page.get_by_text("“Place an order”, points for each unit of currency spent: 1 → 3")
        ).to_be_visible()
        with site.runtime.reading() as session:
            assert programs.current(session, site.story.shop_id).order_rules[0].rate == 1

    def test_money(self, open_page: Callable[[str], Page]) -> None:
        """How money is written is chosen in a form, and holds on the pages."""
        page = open_page("/program/part/general")
        page.locator("details", has=page.locator('[name="currency.display"]')).locator("summary").click()
        page.locator('[name="currency.display"] select').select_option("code")
        with page.expect_navigation():
            page.get_by_role("button", name="Save").click()

        expect(page.get_by_text("1 leaf for every USD\u00a01 spent")).to_be_visible()

    def test_example(self, open_page: Callable[[str], Page]) -> None:
        """The example follows what is typed."""
        page = open_page("/program/part/earn/order")
        expect(page.locator("[data-example]")).to_have_text("An order of $84.50 earns 84 leaves.")
        page.locator('[name="rate"] input').fill("10")

        expect(page.locator("[data-example]")).to_have_text("An order of $84.50 earns 845 leaves.")

    def test_folded(self, open_page: Callable[[str], Page]) -> None:
        """A mistake in something that is folded up unfolds it."""
        page = open_page("/program/part/earn/order")
        limit = page.locator("details", has=page.locator('[name="limit.times"]'))
        expect(limit).not_to_have_attribute("open", "")
        limit.locator("summary").click()
        page.locator('[name="limit.times"] input').fill("0")
        limit.locator("summary").click()
        expect(limit).not_to_have_attribute("open", "")
        page.get_by_role("button", name="Save").click()

        expect(limit).to_have_attribute("open", "")
        expect(page.locator('[name="limit.times"]')).to_have_attribute("error", re.compile("whole number"))

    def test_added_and_removed(self, open_page: Callable[[str], Page], site: Site) -> None:
        """A reward is added by its kind, another removed, and the program holds what the page showed."""
        page = open_page("/program")
        page.get_by_text("$5 off").click()
        page.get_by_role("button", name="Remove").first.click()
        with page.expect_navigation():
            page.locator("#remove [slot=primary-action]").click()
        expect(page.get_by_text("There is no reward yet")).to_be_visible()

        page.get_by_text("Add a reward").click()
        page.get_by_text("Free shipping").click()
        for name, value in (("title", "Free delivery"), ("points", "300")):
            page.locator(f'[name="{name}"] input').fill(value)
        with page.expect_navigation():
            page.get_by_role("button", name="Save").click()

        with site.runtime.reading() as session:
            rewards = programs.current(session, site.story.shop_id).rewards
        assert [(reward.key, reward.kind, reward.points) for reward in rewards] == [
            ("free_delivery", "free_shipping", 300)
        ]

    def test_clicked_again(self, open_page: Callable[[str], Page], site: Site) -> None:
        """A second click while the browser is on its way to the next page sends nothing."""
        page = open_page("/program/new/earn/custom")
        page.locator('[name="title"] input').fill("Bring a cup")
        page.locator('[name="points"] input').fill("2")
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        leaving: list[Route] = []
        page.route(re.compile(r"/program\?"), lambda route: leaving.append(route))  # noqa: PLW0108 - it looks at names
        with (
            page.expect_console_message(lambda said: said.text == "again"),
            page.expect_request(re.compile(r"/program\?")),
        ):
            page.evaluate(TWICE)
        while not leaving:
            page.wait_for_timeout(10)
        leaving[0].continue_()

        expect(page.get_by_text("Bring a cup")).to_be_visible()
        assert len(sent) == 1

    def test_tiers(self, open_page: Callable[[str], Page], site: Site) -> None:
        """Tiers are added one after the other."""
        page = open_page("/program/part/tiers")
        for place, (title, threshold) in enumerate((("Silver", "0"), ("Gold", "500"))):
            page.locator("[data-add]").click()
            page.locator(f'[name="ladder[{place}].title"] input').fill(title)
            page.locator(f'[name="ladder[{place}].threshold"] input').fill(threshold)
        page.locator("[data-add]").click()
        page.locator("[data-remove]").last.click()
        with page.expect_navigation():
            page.get_by_role("button", name="Save").click()

        expect(page.get_by_text("Spend $500")).to_be_visible()

    def test_picked(self, open_page: Callable[[str], Page], site: Site) -> None:
        """What was chosen in the admin's own picker is added to what stands there."""
        page = open_page("/program/part/earn/order")
        page.locator("summary", has_text="Goods").click()
        area = page.locator('[name="goods.collections"]')
        area.locator("textarea").fill("5")
        page.locator("[data-picking]", has=area).locator("[data-pick]").click()
        expect(area.locator("textarea")).to_have_value("5\n77")
        assert page.evaluate("window.picked") == "collection"
        with page.expect_navigation():
            page.get_by_role("button", name="Save").click()

        with site.runtime.reading() as session:
            rule = programs.current(session, site.story.shop_id).order_rules[0]
        assert rule.goods.collections == {5, 77}

    def test_text(self, open_page: Callable[[str], Page], site: Site) -> None:
        """Mistakes in the text are listed above it, each with its place; a right text is saved."""
        page = open_page("/program/text")
        text = page.locator('[name="text"] textarea')
        right = text.input_value()
        text.fill(right.replace('rate = "1"', "rate = 1.5") + "\nteirs = 1\n")
        page.get_by_role("button", name="Save").click()
        listed = page.locator("[data-mistake-list] li")
        expect(listed.locator("code")).to_have_text(["rewards[0].teirs", "earn.order.rate"])

        text.fill(right.replace('rate = "1"', 'rate = "1.5"'))
        with page.expect_navigation():
            page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("1.5 leaves for every $1 spent")).to_be_visible()

    def test_back(self, open_page: Callable[[str], Page], site: Site) -> None:
        """An old version is looked at and brought back."""
        page = open_page("/program/versions")
        page.get_by_text("Version 1", exact=True).click()
        page.get_by_text("Go back to this version").click()
        with page.expect_navigation():
            page.locator("#restore [data-post]").click()

        expect(page.get_by_text("Version 3", exact=True)).to_be_visible()
        with site.runtime.reading() as session:
            assert programs.current(session, site.story.shop_id).points_name.many == "points"


class TestHome:
    def test_embed_on(self, open_page: Callable[[str], Page]) -> None:
        """The browser's word that the theme shows the program ticks that step off."""
        page = open_page("/")

        expect(page.locator("[data-embed-step]")).to_have_class("l-step l-step-done")
        expect(page.locator("[data-steps-done]")).to_have_text("5")

    def test_embed_off(self, open_page: Callable[[str], Page], site: Site) -> None:
        """Without it the step stays, with its way to the theme editor."""
        site.embed = "unavailable"
        page = open_page("/")

        expect(page.locator("[data-embed-step] s-button")).to_be_visible()
        expect(page.locator("[data-steps-done]")).to_have_text("4")

    def test_permission(self, open_page: Callable[[str], Page], site: Site) -> None:
        """Rights that rewards need are asked for in Shopify's own way, and what is given needs no more words."""
        credit = {"key": "credit", "title": "$5", "kind": "store_credit", "points": 500, "amount": "5.00"}
        with site.runtime.transaction() as session:
            document = programs.document(session, site.story.shop_id) | {"rewards": [credit]}
            programs.apply(session, site.story.shop_id, document, author="test", now=NOW)
        page = open_page("/")
        page.get_by_text("Give permission").click()

        expect(page.locator("[data-scopes-banner]")).to_be_hidden()
        wanted = ["read_store_credit_accounts", "write_store_credit_account_transactions"]
        assert page.evaluate("window.asked") == wanted

    def test_progress(self, open_page: Callable[[str], Page], site: Site) -> None:
        """A progress bar moves while its job runs and says when it has ended."""
        page = open_page("/")
        place = page.locator("[data-run]")
        self._change(site, done=77_000)
        expect(place.locator("s-progress")).to_have_attribute("value", "77")
        self._change(site, done=99_997, state="done")

        expect(place.locator("s-badge")).to_have_text("Done")
        expect(place.locator("[data-run-cancel]")).to_have_count(0)

    def test_sync_again(self, open_page: Callable[[str], Page], site: Site) -> None:
        """While a sync runs there is no button to begin one; when it has ended it is there, beside what came of it."""
        page = open_page("/klaviyo")
        button = page.locator("s-button", has_text="Sync customer data")
        expect(button).to_be_hidden()
        self._change(site, state="done")

        expect(button).to_be_visible()
        expect(page.locator("[data-run] s-badge")).to_have_text("Done")

    def _change(self, site: Site, **values: object) -> None:
        with site.runtime.transaction() as session:
            run = session.exec(select(Run).where(Run.id == site.story.run_ids[1])).one()
            for name, value in values.items():
                setattr(run, name, value)


class TestMember:
    def test_adjust(self, open_page: Callable[[str], Page], site: Site) -> None:
        """Points are given in a dialog, and a mistake keeps it open."""
        member_id = site.story.member_ids[1]
        page = open_page(f"/members/{member_id}")
        page.get_by_text("Give or take points").first.click()
        page.locator('[name="points"] input').fill("0")
        page.locator('[name="note"] input').fill("Happy birthday")
        page.locator("[data-submits]").click()
        expect(page.locator('[name="points"]')).to_have_attribute(
            "error", "Enter a whole number that is not 0."
        )

        page.locator('[name="points"] input').fill("25")
        with page.expect_navigation():
            page.locator("[data-submits]").click()

        expect(page.locator(".l-ledger li").first).to_contain_text("+25")
        with site.runtime.reading() as session:
            balance = session.exec(select(Member.balance).where(Member.id == member_id)).one()
        expect(page.locator(".l-figure dd").first).to_have_text(str(balance))

    def test_take_back(self, open_page: Callable[[str], Page], site: Site) -> None:
        """A reward is taken back in a dialog that says what happens, and the page shows that it is under way."""
        with site.runtime.reading() as session:
            member_id = session.exec(select(RewardIssue.member_id)).one()
        page = open_page(f"/members/{member_id}")
        page.get_by_text("Take back", exact=True).first.click()
        dialog = page.locator("#cancel-issue-1")
        expect(dialog).to_contain_text("500 points go back to the customer")
        with page.expect_navigation():
            dialog.locator("[data-post]").click()

        expect(page.get_by_text("Being taken back")).to_be_visible()
        with site.runtime.reading() as session:
            assert session.exec(select(RewardIssue.state)).one() == "cancelling"

    def test_why(self, open_page: Callable[[str], Page], site: Site) -> None:
        """An entry opens to its reasons."""
        page = open_page(f"/members/{site.story.member_ids[0]}")
        page.locator(".l-entry summary").last.click()

        expect(page.locator(".l-why").last).to_be_visible()


class TestEveryPage:
    def test_on_a_phone(self, open_page: Callable[[str], Page], site: Site) -> None:
        """Nothing is wider than a phone."""
        page = open_page("/")
        page.set_viewport_size(PHONE)
        for path in _paths(site):
            page.goto(site.address + path)
            width = page.evaluate("document.documentElement.scrollWidth")

            assert width <= PHONE["width"], path

    def test_accessible(self, open_page: Callable[[str], Page], site: Site) -> None:
        """No page has a fault that axe finds."""
        page = open_page("/")
        for path in _paths(site):
            page.goto(site.address + path)
            found = Axe().run(page).response["violations"]

            assert [(path, fault["id"], fault["nodes"][0]["html"]) for fault in found] == []

    def test_without_components(self, open_page: Callable[[str], Page], site: Site) -> None:
        """Where the components cannot be loaded, everything can still be read."""
        site.components = False
        page = open_page("/members")
        expect(page.get_by_text("Ada Lovelace")).to_be_visible()

        page.goto(f"{site.address}/klaviyo/events")
        expect(page.get_by_text("Points Redeemed").first).to_be_visible()


def _paths(site: Site) -> list[str]:
    klaviyo = [
        "/klaviyo",
        "/klaviyo/events",
        f"/klaviyo/events/{site.story.refused_id}",
        "/klaviyo/reviews",
        "/klaviyo/dialects",
    ]
    runs = [f"/runs/{run_id}" for run_id in site.story.run_ids]
    return [
        "/",
        "/program",
        "/program/part/earn/order",
        "/program/part/rewards/five_off",
        "/program/part/tiers",
        "/program/part/general",
        "/program/new/earn",
        "/program/text",
        "/program/preview",
        "/liability",
        "/program/versions",
        "/program/versions/1",
        "/members",
        f"/members/{site.story.member_ids[0]}",
        "/imports",
        "/privacy",
        *klaviyo,
        *runs,
    ]


def _serve_components(app: Flask, site: Site) -> None:
    parts = sorted(Path(ROOT / "sandbox/shopify/static/polaris").glob("*.js"))
    polaris = "\n".join(part.read_text() for part in parts)

    def script(name: str) -> Response:
        body = (polaris if site.components else "") if name == "polaris-1.js" else BRIDGE % site.embed
        return Response(body, mimetype="text/javascript")

    app.add_url_rule("/shopifycloud/<name>", "components", script)
