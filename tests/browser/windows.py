"""What a person at a browser has before them: the admin with the app in its frame, and nothing in the console.

The frame is found by its name, as Shopify's own admin names it. Nothing here knows what the app's pages hold.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Frame, FrameLocator, Page, expect

from demo.stage import CLIENT_ID, Addresses

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# A script's request that is refused is written to the console by the browser itself.
_REFUSED = re.compile(r"the server responded with a status of (\d+)")


@dataclass
class Watch:
    """Everything that any page or frame of a context complains of: errors and warnings in the console, and errors that no
    script caught. A test that means to be refused says so with ``refusal``; nothing else is let through."""

    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    _expected: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("console", self._heard)
        self.context.on("weberror", lambda error: self.complaints.append(f"not caught: {error.error}"))

    @contextmanager
    def refusal(self, status: int, path: str) -> Iterator[None]:
        """Inside, the server refuses one request to ``path`` with ``status``."""
        self._expected.append((status, path))
        yield
        assert (status, path) not in self._expected, f"nothing was refused with {status} at {path}"

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        address = str(message.location["url"])
        refused = _REFUSED.search(message.text)
        if refused:
            for expected in self._expected:
                if int(refused[1]) == expected[0] and address.partition("?")[0].endswith(expected[1]):
                    self._expected.remove(expected)
                    return
        self.complaints.append(f"{message.type}: {message.text} ({address.partition('?')[0]})")


@dataclass(frozen=True)
class AdminWindow:
    """A page of the shop's admin that shows the app."""

    page: Page
    at: Addresses

    def open(self, path: str = "/", **query: str) -> FrameLocator:
        """Go to a page of the app by its address in the admin, and wait until it is there."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        self.page.goto(f"{self.at.admin}/apps/{CLIENT_ID}{path.rstrip('/')}{'?' if asked else ''}{asked}")
        return self.wait(path)

    def follow(self, title: str, path: str) -> FrameLocator:
        """Choose a page in the app's menu beside the frame."""
        self.page.locator(".app-nav").get_by_role("link", name=title, exact=True).click()
        return self.wait(path)

    def wait(self, path: str) -> FrameLocator:
        """Until the app's page has come up and said where it is, as the admin's own address then shows."""
        expect(self.page).to_have_url(re.compile(rf"/apps/{CLIENT_ID}{re.escape(path.rstrip('/'))}(\?.*)?$"))
        expect(self.app.locator("s-page").first).to_be_visible()
        return self.app

    @property
    def app(self) -> FrameLocator:
        """The app's page."""
        return self.page.frame_locator('iframe[name="app-iframe"]')

    @property
    def frame(self) -> Frame:
        """The app's frame, to run scripts in."""
        found = self.page.frame(name="app-iframe")
        assert found is not None
        return found


def faults(place: Page | Frame) -> list[tuple[str, str]]:
    """What axe finds wrong in a page or a frame: the rule and the first element of each."""
    response: dict[str, Any] = Axe().run(place, options={"resultTypes": ["violations"]}).response  # type: ignore[arg-type]  # it only evaluates scripts
    return [(fault["id"], fault["nodes"][0]["html"][:300]) for fault in response["violations"]]


def overflow(place: Page | Frame) -> int:
    """By how many pixels a page is wider than its window."""
    width: int = place.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return max(0, width)
