"""The people of the story, each with a browser of their own: the merchant in the admin, shoppers at the storefront.

They do what a click does, over HTTP; nobody here knows the app from within.
"""

import html
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests

from demo.stage import CLIENT_ID, SHOP, Addresses

_FRAME = re.compile(r'<iframe[^>]* src="([^"]+)"')
_TIMEOUT = 30


class NotAnswered(Exception):
    """A page or an action was not answered as a person may expect. The text says what was asked and what came."""


def browser() -> requests.Session:
    """A browser with its own cookies, which no proxy stands before."""
    session = requests.Session()
    session.trust_env = False
    return session


class Remote:
    """The control desk of one of the local services: what a person would do there by hand."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._http = browser()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: object) -> Any:
        """Look at something."""
        return self._ask("GET", path, params={name: str(value) for name, value in query.items()})

    def post(self, path: str, **body: Any) -> Any:
        """Do something."""
        return self._ask("POST", path, json=body)

    def put(self, path: str, **body: Any) -> Any:
        """Set something."""
        return self._ask("PUT", path, json=body)

    def patch(self, path: str, **body: Any) -> Any:
        """Change something."""
        return self._ask("PATCH", path, json=body)

    def delete(self, path: str) -> Any:
        """Clear something."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **rest: Any) -> Any:
        answer = self._http.request(method, f"{self._base}{path}", timeout=_TIMEOUT + 40, **rest)
        if not answer.ok:
            raise NotAnswered(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()


class Merchant:
    """The owner of the shop, in Shopify's admin."""

    def __init__(self, at: Addresses, domain: str = SHOP) -> None:
        self._at = at
        self._admin = f"{at.shopify}/store/{domain.partition('.')[0]}"
        self._http = browser()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def page(self, path: str = "/") -> str:
        """A page of the app as it is shown inside the admin."""
        frame = self._http.get(f"{self._admin}/apps/{CLIENT_ID}{path.rstrip('/')}", timeout=_TIMEOUT)
        found = _FRAME.search(frame.text)
        if found is None:
            raise NotAnswered(f"the admin does not show the app ({frame.status_code})")
        shown = self._http.get(html.unescape(found[1]), timeout=_TIMEOUT)
        if shown.status_code != 200:
            raise NotAnswered(f"the app's page {path}: {shown.status_code}")
        return shown.text

    def press(self, path: str, **form: str) -> dict[str, Any]:
        """Press a button of the app; App Bridge adds a fresh ID token."""
        answer = self._http.post(f"{self._at.app}{path}", data=form, headers=self._token(), timeout=_TIMEOUT)
        if not answer.ok:
            raise NotAnswered(f"POST {path}: {answer.status_code} {answer.text[:300]}")
        found: dict[str, Any] = answer.json()
        return found

    def give_key(self, key: str) -> tuple[int, dict[str, Any]]:
        """Enter a private API key; the status and what the page is told."""
        answer = self._http.post(
            f"{self._at.app}/klaviyo/key", json={"key": key}, headers=self._token(), timeout=_TIMEOUT
        )
        return answer.status_code, answer.json()

    def progress(self, run_id: int) -> dict[str, Any]:
        """How far a long job is."""
        answer = self._http.get(f"{self._at.app}/runs/{run_id}.json", headers=self._token(), timeout=_TIMEOUT)
        if not answer.ok:
            raise NotAnswered(f"the progress of job {run_id}: {answer.status_code}")
        found: dict[str, Any] = answer.json()
        return found

    def connect_klaviyo(self, account: str = "FernFg") -> str:
        """Press Connect, allow it on Klaviyo's own page, and come back; what the admin page is told."""
        consent = str(self.press("/klaviyo/connect")["redirect"])
        if not self._http.get(consent, timeout=_TIMEOUT).ok:
            raise NotAnswered("Klaviyo does not show its consent page")
        allowed = self._http.post(
            consent, data={"decision": "allow", "account": account}, allow_redirects=False, timeout=_TIMEOUT
        )
        back = urljoin(consent, allowed.headers["Location"])
        answer = self._http.get(back, allow_redirects=False, timeout=_TIMEOUT)
        told = dict(parse_qsl(urlsplit(answer.headers.get("Location", "")).query))
        if "klaviyo_ticket" not in told:
            return told.get("klaviyo", "")
        # Back in the admin the page finishes by itself.
        finished = self._http.post(
            f"{self._at.app}/klaviyo/finish",
            json={"ticket": told["klaviyo_ticket"]},
            headers=self._token(),
            timeout=_TIMEOUT,
        )
        if not finished.ok:
            raise NotAnswered(f"POST /klaviyo/finish: {finished.status_code} {finished.text[:300]}")
        return str(finished.json()["state"])

    def _token(self) -> dict[str, str]:
        given = self._http.post(f"{self._admin}/session_token", timeout=_TIMEOUT)
        return {"Authorization": f"Bearer {given.json()['id_token']}", "Accept": "application/json"}


class Shopper:
    """Somebody with a browser at the storefront."""

    def __init__(self, storefront: str, email: str) -> None:
        self._store = storefront
        self.email = email
        self._http = browser()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def sign_up(self, first_name: str, last_name: str) -> None:
        """Open an account, which also logs in."""
        self._send("/account/register", email=self.email, first_name=first_name, last_name=last_name)

    def log_in(self) -> None:
        """Log in to an account that exists."""
        self._send("/account/login", email=self.email)

    def buy(self, products: dict[str, int], code: str = "") -> str:
        """Fill the cart and pay; the page that follows."""
        for handle, quantity in products.items():
            self._send("/cart/add", id=handle, quantity=str(quantity))
        return self._send("/checkout", code=code)

    def member(self) -> dict[str, Any]:
        """What the widget shows."""
        found: dict[str, Any] = self._proxy("GET", "/member", {200})
        return found

    def balance(self) -> int:
        """The points that the widget shows."""
        return int((self.member()["member"] or {"balance": 0})["balance"])

    def redeem(self, reward: str, key: str) -> dict[str, Any]:
        """Press Redeem."""
        found: dict[str, Any] = self._proxy("POST", "/redeem", {202}, {"reward": reward, "key": key})
        return found

    def reward(self, issue_id: str) -> dict[str, Any]:
        """How a reward is getting on."""
        found: dict[str, Any] = self._proxy("GET", f"/rewards/{issue_id}", {200})["issue"]
        return found

    def referral(self) -> dict[str, Any]:
        """The own link, and how the friends are getting on."""
        found: dict[str, Any] = self._proxy("GET", "/referral", {200})
        return found

    def claim(self, code: str) -> dict[str, Any]:
        """Take up a friend's invitation."""
        body = {"code": code, "email": self.email, "device": None}
        found: dict[str, Any] = self._proxy("POST", "/referral/claim", {202}, body)["claim"]
        return found

    def claimed(self, claim_id: str) -> dict[str, Any]:
        """How the reward of a claim is getting on."""
        found: dict[str, Any] = self._proxy("GET", f"/referral/claims/{claim_id}", {200})["claim"]
        return found

    def _proxy(self, method: str, path: str, good: set[int], body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(method, f"{self._store}/apps/laurel{path}", json=body, timeout=_TIMEOUT)
        if answer.status_code not in good:
            raise NotAnswered(f"{method} {path} at the storefront: {answer.status_code} {answer.text[:300]}")
        return json.loads(answer.text)

    def _send(self, path: str, **form: str) -> str:
        answer = self._http.post(f"{self._store}{path}", data=form, timeout=_TIMEOUT)
        if not answer.ok:
            raise NotAnswered(f"{path} at the storefront: {answer.status_code}")
        return answer.text
