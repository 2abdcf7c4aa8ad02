"""A shop for the widget's browser tests: one page, the extension's assets, and an app proxy of its own.

The proxy keeps books as the real one does (a balance, rewards by idempotency key) and can be told to
misbehave: answer with a status, lose its reply after doing the work, or end a session. It checks no
signature and knows no other customer.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from tests.theme import EXTENSION, PROGRAM

PAGE = """<!doctype html>
<html lang="{language}" dir="{direction}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fern &amp; Fig</title><link rel="icon" href="data:,">
<style>body {{ font: 16px/1.5 sans-serif; margin: 0; padding: 16px; color: #222; background: #fff }}</style>
<link rel="stylesheet" href="/assets/laurel.css"><script src="/assets/laurel.js" defer></script></head>
<body><main><h1>Fern &amp; Fig</h1><p>Plants and pots. <a href="/cart">Cart</a></p>{inside}</main>{after}</body></html>"""
TYPES = {"laurel.js": "text/javascript", "laurel.css": "text/css"}


@dataclass
class Shop:
    """What the shop holds and how it behaves; a test sets it and reads back what was asked."""

    page: str = ""
    balance: int = 600
    signed_in: bool = True
    program: dict[str, Any] = field(default_factory=lambda: PROGRAM)
    polls_until_made: int = 1
    ends_as: str = "issued"
    lose_replies: int = 0
    refuse: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_key: dict[str, str] = field(default_factory=dict)
    keys_sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)
    birthday: dict[str, Any] | None = None
    closed: dict[str, str] = field(default_factory=dict)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    gives: bool = True
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    hold: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        self.hold.set()

    def show(
        self, *, inside: str = "", after: str = "", language: str = "en", direction: str = "ltr"
    ) -> None:
        """Put rendered blocks on the page: inside the content, or after it as app embeds are."""
        self.page = PAGE.format(inside=inside, after=after, language=language, direction=direction)

    def member(self) -> tuple[int, dict[str, Any]]:
        rewards = [
            r
            | {
                "affordable": r["points"] <= self.balance,
                "missing": max(0, r["points"] - self.balance),
                "closed": self.closed.get(r["key"]),
            }
            for r in self.program["rewards"]
        ]
        about = {
            "balance": self.balance,
            "pending": 0,
            "state": "member",
            "birthday": self.birthday,
            **self.about,
        }
        member = about if self.signed_in else None
        return 200, {
            "program": self.program,
            "member": member,
            "rewards": rewards,
            "ways": [way | {"state": self.done.get(way["key"], "open")} for way in self.program["earn"]],
            "issues": list(reversed(self.issues.values())),
        }

    def redeem(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.keys_sent.append(body["key"])
        if not self.signed_in:
            return 403, {"error": "not_signed_in", "message": "Log in first."}
        if body["key"] in self.by_key:
            return 202, {"issue": self.issues[self.by_key[body["key"]]], "balance": self.balance}
        reward = next((r for r in self.program["rewards"] if r["key"] == body["reward"]), None)
        if reward is None:
            return 404, {"error": "unknown_reward", "message": "No such reward."}
        price = body.get("points", reward["points"])
        if price > self.balance:
            missing = price - self.balance
            return 409, {"error": "not_enough_points", "missing": missing, "message": "Not enough points."}
        self.balance -= price
        number = str(len(self.issues) + 1)
        self.issues[number] = {
            "id": number, "title": reward["title"], "points": price, "state": "issuing", "code": None,
            "expires_at": None, "kind": reward.get("kind", "amount_off"),
        }  # fmt: skip
        self.by_key[body["key"]] = number
        return 202, {"issue": dict(self.issues[number]), "balance": self.balance}

    def reward(self, number: str) -> tuple[int, dict[str, Any]]:
        issue = self.issues.get(number)
        if issue is None:
            return 404, {"error": "unknown_reward", "message": "No such reward."}
        self.polls_until_made -= 1
        if issue["state"] == "issuing" and self.polls_until_made <= 0:
            issue["state"] = self.ends_as
            if self.ends_as == "issued":
                issue |= {"code": f"LAUREL-{number}ZQ", "expires_at": "2027-03-31T23:59:59Z"}
            elif self.ends_as == "failed":
                self.balance += issue["points"]
        return 200, {"issue": issue, "balance": self.balance}

    def other(self, route: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What shoppers say of themselves, and what is about friends."""
        if body:
            self.told.append((route, body))
        if route == "actions":
            return self.act(body["rule"])
        if route == "birthday":
            if body["day"] == 31:
                return 422, {"error": "bad_birthday", "message": "No such day."}
            self.birthday = {**body, "celebrated_from": "2027-05-04"}
            return 200, {"birthday": body, "celebrated_from": "2027-05-04", "balance": self.balance}
        if route == "referral":
            counts = {"shared": 0, "claimed": 1, "ordered": 1, "completed": 2, "points": 1000, "pending": 500}
            return 200, {"referral": {"link": f"{self.url}/?ref=8K2MZQ4T"}, "counts": counts, "friends": []}
        if route == "referral/device":
            return 204, {}
        if route == "referral/share":
            bad = "@" not in body["emails"][0]
            return (422, {"error": "bad_email"}) if bad else (202, {"sent": 1})
        return self.befriend(route, body)

    def act(self, rule: str) -> tuple[int, dict[str, Any]]:
        """A follow earns once."""
        points = 0 if rule in self.done else 20
        self.done[rule] = "done_already"
        self.balance += points
        way = {"key": rule, "state": "done_already"}
        return 200, {"way": way, "points": points, "balance": self.balance, "pending": 0}

    def befriend(self, route: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """A friend comes with a code and claims it."""
        if route == "referral/codes/8K2MZQ4T":
            offer = {
                "code": "8K2MZQ4T",
                "friend": {"title": "$10 off"},
                "minimum": "30.00",
                "currency": "USD",
                "amount": "$30",
            }
            return 200, {"offer": offer}
        if route == "referral/claim":
            if "@" not in body["email"]:
                return 422, {"error": "bad_email"}
            reward = {"title": "$10 off", "state": "issuing", "code": None, "expires_at": None}
            self.claims["c1"] = {"id": "c1", "state": "claimed", "reward": reward}
            return 202, {"claim": self.claims["c1"] if self.gives else None, "message": ""}
        if route == "referral/claims/c1":
            self.claims["c1"]["reward"] |= {"state": "issued", "code": "FRIEND-1"}
            return 200, {"claim": self.claims["c1"]}
        return 404, {"error": "unknown_code"}


class Handler(BaseHTTPRequestHandler):
    """The shop's front door."""

    shop: Shop

    def do_GET(self) -> None:
        if self.path.startswith("/apps/laurel/"):
            self.proxy({})
        elif self.path.startswith("/assets/"):
            name = self.path.rpartition("/")[2]
            self.reply(200, TYPES[name], (EXTENSION / "assets" / name).read_bytes())
        else:
            self.reply(200, "text/html; charset=utf-8", self.shop.page.encode())

    def do_POST(self) -> None:
        self.proxy(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def proxy(self, body: dict[str, Any]) -> None:
        route, _, query = self.path.removeprefix("/apps/laurel/").partition("?")
        self.shop.language = dict(parse_qsl(query)).get("language", "")
        self.shop.asked.append(f"{self.command} {route}")
        self.shop.hold.wait(60)
        if self.shop.refuse:
            status, answer = self.shop.refuse.pop(0)
            if route == "redeem":
                self.shop.keys_sent.append(body["key"])
        elif route == "member":
            status, answer = self.shop.member()
        elif route == "redeem":
            status, answer = self.shop.redeem(body)
        elif route.startswith("rewards/"):
            status, answer = self.shop.reward(route.removeprefix("rewards/"))
        else:
            status, answer = self.shop.other(route, body)
        if self.shop.lose_replies:
            self.shop.lose_replies -= 1
            self.close_connection = True
            return
        self.reply(status, "application/json", b"" if status == 204 else json.dumps(answer).encode())

    def reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests read `asked` instead of a log."""


@contextmanager
def open_shop() -> Iterator[Shop]:
    """A shop on a free port of this machine, closed again afterwards."""
    shop = Shop()
    handler = type("ShopHandler", (Handler,), {"shop": shop})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    shop.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shop
    finally:
        shop.hold.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
