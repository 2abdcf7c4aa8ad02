"""Referrals told over real HTTP: a link is shared, a friend claims, buys, returns; on both databases."""

import re
import threading
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlmodel import select

from loyalty import programs, runs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.models import KlaviyoConnection, Member, MemberDevice, Referral, RewardIssue, Shop
from sandbox.shopify import signatures
from tests.passing_time import end_holds

FRIEND = "rowan@fernandfig.shop"
TERMS = {"friend": "ten_off", "advocate": {"points": 500}, "minimum": "30", "hold_days": 14}
GIFT = {"key": "ten_off", "kind": "amount_off", "title": "$10 off", "listed": False, "amount": "10.00"}
AFTER = timedelta(days=20)
HOME = {"address1": "12 Orchard Lane", "city": "Portland", "zip": "97205", "country_code": "US"}


def document(**said: Any) -> dict[str, Any]:
    """A program in which nothing earns but friends."""
    return DEFAULT_DOCUMENT | {
        "earn": {},
        "rewards": [*DEFAULT_DOCUMENT["rewards"], GIFT],
        "referrals": TERMS | said,
    }


@pytest.fixture(name="shopper")
def _shopper(store: Any) -> int:
    """A member of a shop whose members bring friends."""
    with store.runtime.transaction() as session:
        shop = session.exec(select(Shop)).one()
        now = store.runtime.clock()
        programs.apply(session, shop.id, document(), author="test", now=now)
    customer = store.sign_up()
    store.settle()
    return int(customer)


def ask(store: Any, method: str, path: str, customer: int | None = None, **more: Any) -> Any:
    """A request as Shopify's proxy passes it on."""
    pairs = [
        ("shop", store.domain),
        ("logged_in_customer_id", str(customer or "")),
        ("path_prefix", more.pop("prefix", "/apps/laurel")),
        ("timestamp", str(int(time.time()))),
        *more.pop("query", {}).items(),
    ]
    signed = [*pairs, ("signature", signatures.proxy(store.config.api_secret, pairs))]
    return store.app.test_client().open(f"/proxy{path}?{urlencode(signed)}", method=method, **more)


def code_of(store: Any, customer: int) -> str:
    """A member's own code."""
    return str(ask(store, "GET", "/referral", customer).json["referral"]["code"])


def claim(store: Any, customer: int, email: str = FRIEND, **said: Any) -> Any:
    """A friend takes up the member's offer and waits for the code."""
    body = {"code": code_of(store, customer), "email": email} | said
    answer = ask(store, "POST", "/referral/claim", json=body)
    assert answer.status_code == 202, answer.json
    store.settle()
    return answer.json["claim"]


def coupon(store: Any, claimed: Any) -> str:
    """The code that the friend sees."""
    return str(ask(store, "GET", f"/referral/claims/{claimed['id']}").json["claim"]["reward"]["code"])


def complete(store: Any) -> None:
    """Let the hold be over."""
    now = store.runtime.clock()
    end_holds(store.runtime.engine, store.shop(), now + AFTER, now=now)


def states(store: Any) -> list[tuple[str, str]]:
    """The shop's referrals: state and reason."""
    return [(row.state, row.reason) for row in store.rows(Referral)]


def found(row: Referral, check: str) -> str:
    """What a check of a referral said."""
    return str(next(each["result"] for each in row.checks if each["check"] == check))


class TestStory:
    """From the link to the points."""

    def test_by_email(self, store: Any, shopper: int) -> None:
        """A friend claims, buys by the same e-mail without the code, and the member has the points when the hold is over."""
        claimed = claim(store, shopper)
        assert (claimed["state"], claimed["reward"]["title"], claimed["reward"]["code"]) == (
            "claimed",
            "$10 off",
            None,
        )
        assert coupon(store, claimed).startswith("LAUREL-")
        store.buy("50.00", email=FRIEND)
        store.settle()
        own = ask(store, "GET", "/referral", shopper).json
        assert own["counts"] == {
            "shared": 0, "claimed": 0, "ordered": 1, "completed": 0, "ended": 0, "points": 0, "pending": 500,
        }  # fmt: skip
        (friend,) = own["friends"]
        assert (friend["friend"], friend["state"], friend["points"]) == ("r…@f…", "ordered", 500)
        complete(store)
        assert store.member(shopper).balance == 500
        assert ask(store, "GET", "/referral", shopper).json["counts"]["points"] == 500

    def test_by_code(self, store: Any, shopper: int) -> None:
        """An order with the code by another e-mail completes it too, and Shopify takes the code off the price."""
        code = coupon(store, claim(store, shopper))
        bought = store.buy("50.00", email="other@fernandfig.shop", code=code)
        store.settle()
        assert states(store) == [("ordered", "")]
        assert store.rows(Referral)[0].order_id == bought["id"]
        assert store.rows(RewardIssue)[0].used_order_id == bought["id"]

    @pytest.mark.parametrize("late", [False, True])
    def test_refund(self, store: Any, shopper: int, *, late: bool) -> None:
        """Money back within the hold cancels; after it, the points are taken back."""
        claim(store, shopper)
        order = store.buy("50.00", email=FRIEND)
        store.settle()
        if late:
            complete(store)
            assert store.member(shopper).balance == 500
        store.act("POST", f"/orders/{order['id']}/refund", full=True)
        store.settle()
        complete(store)
        assert states(store) == [("reversed" if late else "cancelled", "refunded")]
        assert (store.member(shopper).balance, store.member(shopper).pending) == (0, 0)

    def test_oneself(self, store: Any, shopper: int) -> None:
        """A member who refers a spelling of their own address is given nothing, in words that tell nothing."""
        before = ask(
            store,
            "POST",
            "/referral/claim",
            json={"code": code_of(store, shopper), "email": "iris+1@fernandfig.shop"},
        )
        assert (before.status_code, before.json["claim"]) == (202, None)
        known = store.sign_up("known@fernandfig.shop")
        store.settle()
        known_id = store.member(known).id
        with store.runtime.transaction() as session:
            session.get_one(Member, known_id).joined_at = store.runtime.clock() - AFTER
        other = ask(
            store,
            "POST",
            "/referral/claim",
            json={"code": code_of(store, shopper), "email": "known@fernandfig.shop"},
        )
        assert other.json == before.json
        assert states(store) == [("blocked", "self"), ("blocked", "existing_customer")]
        assert store.rows(RewardIssue) == []

    def test_device(self, store: Any, shopper: int) -> None:
        """A friend in the member's own browser is found out; only a hash of it is kept."""
        browser = "0f0f0f0f-aaaa-4bbb-8ccc-123456789abc"
        assert ask(store, "POST", "/referral/device", shopper, json={"device": browser}).status_code == 204
        assert claim(store, shopper, device=browser) is None
        (row,) = store.rows(Referral)
        assert (row.state, row.reason) == ("blocked", "device")
        assert browser not in (row.device or "")

    def test_merge(self, store: Any, shopper: int) -> None:
        """A friend whose account becomes the member's own was nobody's friend."""
        claim(store, shopper)
        order = store.buy("50.00", email=FRIEND)
        store.settle()
        complete(store)
        store.act("POST", f"/customers/{order['customer_id']}/merge", **{"with": shopper})
        store.settle()
        assert states(store) == [("reversed", "self")]
        assert store.member(shopper).balance == 0

    @pytest.mark.parametrize("who", ["friend", "advocate"])
    def test_erased(self, store: Any, shopper: int, who: str) -> None:
        """Erasing either of them leaves a referral that names nobody; the advocate keeps what was earned."""
        claim(store, shopper, device="0f0f0f0f-aaaa-4bbb-8ccc-123456789abc")
        order = store.buy("50.00", email=FRIEND)
        store.settle()
        complete(store)
        gone = order["customer_id"] if who == "friend" else shopper
        store.act("POST", f"/customers/{gone}/redact")
        store.settle()
        (row,) = store.rows(Referral)
        with store.runtime.reading() as session:
            left = session.get_one(Member, row.friend_id if who == "friend" else row.advocate_id)
        assert (left.state, left.email) == ("redacted", None)
        assert (row.state, row.device is None) == ("completed", who == "friend")
        assert (store.rows(MemberDevice) == []) == (who == "friend")

    def test_share(self, store: Any, shopper: int) -> None:
        """Invitations are told to both; whether an address was known makes no difference to the answer."""
        with store.runtime.transaction() as session:
            shop = session.exec(select(Shop)).one()
            link = KlaviyoConnection(
                shop_id=shop.id, road="private_key", state="connected", connected_at=store.runtime.clock()
            )
            session.add(link)
        emails = [FRIEND, "iris@fernandfig.shop"]
        assert ask(store, "POST", "/referral/share", shopper, json={"emails": emails}).json == {"sent": 2}
        assert [len(store.outbox(kind)) for kind in ("referral_shared", "referral_received")] == [1, 1]
        assert ask(store, "GET", "/referral", shopper).json["counts"]["shared"] == 1


class TestAddress:
    """Where a friend's order goes, by Shopify's own webhooks."""

    def brought(self, store: Any, shopper: int, **order: Any) -> Referral:
        """What becomes of a friend whose order the member's own order, to their home, came before."""
        store.buy("20.00", customer=shopper, shipping_address=HOME)
        claim(store, shopper)
        store.buy("50.00", email=FRIEND, **order)
        store.settle()
        (row,) = store.rows(Referral)
        assert isinstance(row, Referral)
        return row

    @pytest.mark.parametrize("said", [{}, {"address1": "12, ORCHARD LANE", "zip": "97 205"}])
    def test_same(self, store: Any, shopper: int, said: dict[str, str]) -> None:
        """An order to the member's own door is refused for that reason, however it is spelled; staff see it, nobody is paid."""
        row = self.brought(store, shopper, shipping_address=HOME | said)
        assert (row.state, row.reason) == ("blocked", "address")
        assert found(row, "address") == "failed"
        complete(store)
        assert (store.member(shopper).balance, store.member(shopper).pending) == (0, 0)

    @pytest.mark.parametrize("approved", ["level2", "name,email"])
    def test_read_again(self, store: Any, shopper: int, approved: str) -> None:
        """Reading the order at Shopify does not make it good, whether the app may see addresses then or not."""
        self.brought(store, shopper, shipping_address=HOME)
        store.act("PATCH", "", protected_data=approved)
        (order,) = store.act("GET", "/orders?limit=1")["orders"]
        store.act("POST", f"/orders/{order['id']}/refund", amount="1.00")
        store.settle()
        assert states(store) == [("blocked", "address")]

    def test_imported(self, store: Any, shopper: int) -> None:
        """A member who has bought nothing since the installation is known by the door that an import of past orders tells of."""
        store.buy("20.00", customer=shopper, shipping_address=HOME, silent=True)
        claim(store, shopper)
        store.buy("50.00", email=FRIEND, shipping_address=HOME)
        store.settle()
        (row,) = store.rows(Referral)
        assert (row.state, found(row, "address")) == ("ordered", "unknown")
        with store.runtime.transaction() as session:
            run = runs.start(session, row.shop_id, "order_import", {}, now=store.runtime.clock())
            run_id = run.id
        assert store.advance(run_id).state == "done"
        (row,) = store.rows(Referral)
        assert (row.state, row.reason, found(row, "address")) == ("blocked", "address", "failed")
        complete(store)
        assert (store.member(shopper).balance, store.member(shopper).pending) == (0, 0)

    def test_next_door(self, store: Any, shopper: int) -> None:
        """An order to another door passes the check."""
        row = self.brought(store, shopper, shipping_address=HOME | {"address1": "14 Orchard Lane"})
        assert (row.state, row.reason) == ("ordered", "")
        assert found(row, "address") == "passed"

    def test_nothing_shipped(self, store: Any, shopper: int) -> None:
        """An order that goes nowhere is not held against the friend."""
        row = self.brought(store, shopper, lines=[{"price": "50.00", "title": "Workshop"}], source_name="pos")
        assert (row.state, row.reason) == ("ordered", "")
        assert found(row, "address") == "unknown"


class TestOwn:
    """A member's own link."""

    def test_link(self, store: Any, shopper: int) -> None:
        """It is the shop's address with the code, and a page for browsers without scripts where the merchant has the proxy."""
        own = ask(store, "GET", "/referral", shopper, prefix="/a/club").json["referral"]
        assert own["link"] == f"https://{store.domain}/?ref={own['code']}"
        assert own["page"] == f"https://{store.domain}/a/club/r/{own['code']}"
        assert (own["friend"], own["advocate"]) == ({"title": "$10 off"}, {"points": 500, "title": None})
        assert (own["minimum"], own["currency"]) == ("30", "USD")

    def test_stranger(self, store: Any, shopper: int) -> None:
        """Whoever is not logged in, or not known yet, has no link; the answer is stored nowhere."""
        answer = ask(store, "GET", "/referral")
        assert (answer.status_code, answer.json["error"]) == (403, "not_signed_in")
        assert answer.headers["Cache-Control"] == "no-store"
        assert ask(store, "GET", "/referral", 4242).json["error"] == "not_available"

    def test_switched_off(self, store: Any, shopper: int) -> None:
        """A program without referrals says so at every door."""
        code = code_of(store, shopper)
        with store.runtime.transaction() as session:
            shop = session.exec(select(Shop)).one()
            programs.apply(session, shop.id, document(enabled=False), author="t", now=store.runtime.clock())
        for method, path, body in (
            ("GET", "/referral", None),
            ("GET", f"/referral/codes/{code}", None),
            ("POST", "/referral/claim", {"code": code, "email": FRIEND}),
            ("POST", "/referral/share", {"emails": [FRIEND]}),
        ):
            answer = ask(store, method, path, shopper, json=body)
            assert (answer.status_code, answer.json["error"]) == (404, "no_referrals"), path

    def test_out_of_schedule(self, store: Any, shopper: int) -> None:
        """Outside of its days no offer is shown or taken up, and the member reads why there is no link; who was brought before sees the code."""
        code, claimed = code_of(store, shopper), claim(store, shopper)
        over = document(schedule={"ends": "2026-01-01"})
        with store.runtime.transaction() as session:
            shop = session.exec(select(Shop)).one()
            programs.apply(session, shop.id, over, author="t", now=store.runtime.clock())
        for method, path, body, status, error in (
            ("GET", "/referral", None, 409, "out_of_schedule"),
            ("POST", "/referral/share", {"emails": ["di@fernandfig.shop"]}, 409, "out_of_schedule"),
            ("GET", f"/referral/codes/{code}", None, 404, "no_referrals"),
            ("POST", "/referral/claim", {"code": code, "email": "di@fernandfig.shop"}, 404, "no_referrals"),
        ):
            answer = ask(store, method, path, shopper, json=body)
            assert (answer.status_code, answer.json["error"]) == (status, error), path
        assert ask(store, "GET", f"/r/{code}").status_code == 404
        assert coupon(store, claimed)
        assert coupon(store, claimed) in ask(store, "GET", f"/r/{code}/{claimed['id']}").text

    def test_clash(self, store: Any, shopper: int) -> None:
        """Where somebody else was given this member's code, the member is shown another, and it works."""
        code = code_of(store, shopper)
        other = store.sign_up("other@fernandfig.shop")
        store.settle()
        other_id = store.member(other).id
        with store.runtime.transaction() as session:
            session.get_one(Member, other_id).referral_code = code
        assert code_of(store, shopper) != code
        claim(store, shopper)
        assert store.rows(Referral)[0].advocate_id == store.member(shopper).id


class TestRefused:
    """What no door takes."""

    @pytest.mark.parametrize(
        ("path", "body", "error"),
        [
            ("/referral/claim", {"code": "x", "email": "no address"}, "bad_email"),
            ("/referral/claim", {"code": 7, "email": FRIEND}, "bad_request"),
            ("/referral/claim", {"code": "NOBODYS1", "email": FRIEND}, "unknown_code"),
            ("/referral/claim", {"code": "{{ shop }}", "email": FRIEND}, "unknown_code"),
            ("/referral/claim", ["x"], "bad_request"),
            ("/referral/share", {"emails": []}, "bad_request"),
            ("/referral/share", {"emails": "x"}, "bad_request"),
            ("/referral/share", {"emails": [FRIEND, "x", 7]}, "bad_email"),
            ("/referral/share", {"emails": [FRIEND] * 11}, "bad_request"),
            ("/referral/device", {"device": "short"}, "bad_request"),
            ("/referral/device", {}, "bad_request"),
        ],
    )
    def test_body(self, store: Any, shopper: int, path: str, body: Any, error: str) -> None:
        """A body that cannot be understood changes nothing and is answered with what is wrong."""
        answer = ask(store, "POST", path, shopper, json=body)
        assert answer.json["error"] == error
        assert answer.json["message"]
        assert store.rows(Referral) == []

    def test_claims_key(self, store: Any, shopper: int) -> None:
        """A claim is only found by its key."""
        claim(store, shopper)
        assert ask(store, "GET", "/referral/claims/unknown").status_code == 404

    def test_flood(self, store: Any, shopper: int) -> None:
        """One network does not claim without end; another one still may."""
        code = code_of(store, shopper)
        for number in range(21):
            body = {"code": code, "email": f"friend{number}@fernandfig.shop"}
            answer = ask(
                store, "POST", "/referral/claim", json=body, headers={"X-Forwarded-For": "203.0.113.7"}
            )
        assert (answer.status_code, answer.json["error"]) == (429, "too_many")
        other = ask(
            store, "POST", "/referral/claim", json=body, headers={"X-Forwarded-For": "203.0.113.8, 10.0.0.1"}
        )
        assert other.status_code == 202


class TestAtOnce:
    """Impatient fingers."""

    def test_same_friend(self, store: Any, shopper: int) -> None:
        """Claims of one friend that come at the same moment, by one offer and by another, are all answered and give one code."""
        other = store.sign_up("other@fernandfig.shop")
        store.settle()
        codes = [code_of(store, shopper), code_of(store, other)]
        start, answers = threading.Barrier(6), []

        def tap(code: str) -> None:
            start.wait(60)
            answers.append(ask(store, "POST", "/referral/claim", json={"code": code, "email": FRIEND}))

        taps = [threading.Thread(target=tap, args=(codes[number % 2],)) for number in range(6)]
        for each in taps:
            each.start()
        for each in taps:
            each.join(120)
        assert [answer.status_code for answer in answers] == [202] * 6
        assert sorted(state for state, _ in states(store)) == ["blocked", "claimed"]
        assert len(store.rows(RewardIssue)) == 1
        assert len(store.rows(Member, email=FRIEND)) == 1


class TestPage:
    """The page for browsers without scripts."""

    def test_story(self, store: Any, shopper: int) -> None:
        """A form, then a page to look again, then the code."""
        code = code_of(store, shopper)
        form = ask(store, "GET", f"/r/{code}")
        assert form.content_type == "application/liquid; charset=utf-8"
        assert f'action="/apps/laurel/r/{code}"' in form.text
        assert "$10 off for your first order of $30 or more" in form.text
        waiting = ask(store, "POST", f"/r/{code}", data={"email": FRIEND})
        address = waiting.text.partition('href="/apps/laurel')[2].partition('"')[0]
        store.settle()
        shown = ask(store, "GET", address)
        (issue,) = store.rows(RewardIssue)
        assert f"<strong>{issue.code}</strong>" in shown.text

    def test_language(self, store: Any, shopper: int) -> None:
        """Every step is in the language that was asked for by name, or in the browser's."""
        address, german = f"/r/{code_of(store, shopper)}", {"language": "de"}
        assert "Freunde laden Sie ein: $10 off" in ask(store, "GET", address, query=german).text
        in_french = ask(store, "GET", address, headers={"Accept-Language": "fr-CA,en;q=0.5"})
        assert '<div class="laurel-referral page-width" lang="fr">' in in_french.text
        assert "Obtenir mon code" in in_french.text
        assert (
            "Ihr Code wird erstellt."
            in ask(store, "POST", address, query=german, data={"email": FRIEND}).text
        )
        refused = ask(store, "POST", address, query=german, data={"email": "friend"})
        assert "Das hat nicht geklappt" in refused.text
        assert "Das sieht nicht nach einer E-Mail-Adresse aus." in refused.text
        again = ask(store, "POST", address, query=german, data={"email": FRIEND}).text
        assert re.search(r'href="/apps/laurel/r/\w+/\w+\?language=de"', again)

    def test_through_the_shop(self, store: Any, shopper: int) -> None:
        """It is shown inside the shop's theme, through the shop's own address."""
        address = f"{store.sandbox.url}/storefront/{store.domain}/apps/laurel/r/{code_of(store, shopper)}"
        page = store.http.get(address, timeout=30)
        assert page.status_code == 200
        assert "Get my code" in page.text
        taken = store.http.post(address, data={"email": FRIEND}, timeout=30)
        assert "Your code is being made" in taken.text

    @pytest.mark.parametrize(
        ("code", "email", "status", "words"),
        [
            ("8K2MZQ4T", FRIEND, 404, "This link leads nowhere"),
            (None, "friend", 422, "like an e-mail address"),
        ],
    )
    def test_refused(
        self, store: Any, shopper: int, code: str | None, email: str, status: int, words: str
    ) -> None:
        """Whoever cannot be given a code reads why, on a page too."""
        page = ask(store, "POST", f"/r/{code or code_of(store, shopper)}", data={"email": email})
        assert (page.status_code, page.content_type) == (status, "application/liquid; charset=utf-8")
        assert words in page.text
        assert page.headers["Cache-Control"] == "no-store"

    def test_nothing(self, store: Any, shopper: int) -> None:
        """Whoever gets nothing reads the same words as everybody who gets nothing."""
        page = ask(store, "POST", f"/r/{code_of(store, shopper)}", data={"email": "iris@fernandfig.shop"})
        assert "for new customers" in page.text

    def test_liquid(self, store: Any, shopper: int) -> None:
        """What a merchant wrote is shown as it is, and is run by nobody."""
        title = "{{ 7 | times: 6 }} <b>{% raw %}"
        with store.runtime.transaction() as session:
            shop = session.exec(select(Shop)).one()
            programs.apply(session, shop.id, document(title=title), author="t", now=store.runtime.clock())
        text = ask(store, "GET", f"/r/{code_of(store, shopper)}").text
        assert "{{" not in text
        assert "{%" not in text
        assert "<b>" not in text
        assert "&#123;&#123; 7 | times: 6 &#125;&#125; &lt;b&gt;" in text
