"""Bringing members over, in a real browser: the file travels with the form, a mistake shows at its field, the report is read."""

import re
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlmodel import select

from loyalty import member_import, runs
from loyalty.models import Member, Run
from tests.browser.test_merchant_pages import Site, open_page, site  # noqa: F401  # their pages, on a server
from tests.shop_story import email_of

OpenPage = Callable[[str], Page]


def work(site: Site) -> None:  # noqa: F811  # the fixture's value
    """Do what a worker would."""
    with site.runtime.reading() as session:
        found = session.exec(
            select(Run).where(Run.kind.in_(member_import.KINDS), Run.state == "queued")
        ).all()
    for run in found:
        assert runs.advance(site.runtime, run.id or 0, member_import.STEPS[run.kind], seconds=30) is None


class TestMemberFile:
    def test_upload(self, open_page: OpenPage, site: Site, tmp_path: Path) -> None:  # noqa: F811
        """A file that is none is refused at its field; a good one is looked through, imported and taken back."""
        page = open_page("/imports/members")
        bad, good = tmp_path / "bad.csv", tmp_path / "members.csv"
        bad.write_text("name\nAda\n")
        good.write_text(f"Email;Points balance\n{email_of(0)};120\nnobody;1\n")
        field = page.locator('[name="file"]')
        field.locator("input").set_input_files(bad)
        page.evaluate("document.querySelector('form').requestSubmit()")
        expect(field).to_have_attribute("error", re.compile("names no column for the e-mail address"))
        field.locator("input").set_input_files(good)
        with page.expect_navigation():
            page.evaluate("document.querySelector('form').requestSubmit()")
        work(site)
        # The page follows the dry run, and shows by itself what it found.
        expect(page.get_by_text("What would happen")).to_be_visible()
        expect(page.get_by_text("is not an e-mail address")).to_be_visible()
        assert Axe().run(page).response["violations"] == []
        with page.expect_navigation():
            page.evaluate("document.querySelector('form').requestSubmit()")
        work(site)
        with site.runtime.reading() as session:
            balance = session.exec(select(Member.balance).where(Member.email == email_of(0))).one()
        page.locator('s-button[commandfor="take-back"]').first.click()
        with page.expect_navigation():
            page.locator("[data-post$='/undo']").click()
        work(site)
        with site.runtime.reading() as session:
            after = session.exec(select(Member.balance).where(Member.email == email_of(0))).one()
        assert after == balance - 120
        expect(page.get_by_text("This import was taken back").first).to_be_visible()
