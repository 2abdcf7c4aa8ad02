"""The program's pages: every part of a program can be seen, filled in, saved, taken out and brought back."""

import copy
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from sqlmodel import col, select

from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT, difference
from loyalty.core.program import WAYS, ActionRule, Limit
from loyalty.models import OutboxMessage, ProgramVersion
from loyalty.program_text import write_text
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, Bell
from tests.shop_story import Story
from tests.unit.program.test_document_whole import WHOLE


class Form(HTMLParser):
    """The names and values that a browser would send for a page's form."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self.action = ""
        self._choosing = ""
        self._in_template = False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attributes}
        self._in_template = self._in_template or tag == "template"
        if self._in_template:
            return
        if tag == "form":
            self.action = said["action"]
        if tag in ("s-select", "s-choice-list"):
            self._choosing = said["name"]
        elif tag in ("s-option", "s-choice"):
            if "selected" in said:
                self.fields.append((self._choosing, said["value"]))
        elif tag in ("s-switch", "s-checkbox"):
            self.fields += [(said["name"], said["value"])] if "checked" in said else []
        elif "name" in said and tag != "meta":
            self.fields.append((said["name"], said.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self._in_template = False

    def sent(self, **changes: str | list[str] | None) -> dict[str, list[str]]:
        """What is sent after changes; None takes a field away, as a switch that is off does."""
        values: dict[str, list[str]] = {}
        for name, value in self.fields:
            values.setdefault(name, []).append(value)
        for name, change in changes.items():
            values[name] = [] if change is None else change if isinstance(change, list) else [change]
        return {name: found for name, found in values.items() if found}


def form(client: FlaskClient, path: str) -> Form:
    """The form of a page."""
    page = client.get(path)
    assert page.status_code == 200
    return Form(page.text)


def save(client: FlaskClient, path: str, **changes: Any) -> Any:
    """Open a page, change its form and send it."""
    found = form(client, path)
    return client.post(found.action, data=found.sent(**changes))


def document(runtime: Runtime, story: Story) -> dict[str, Any]:
    """The document in force."""
    with runtime.reading() as session:
        return programs.document(session, story.shop_id)


def version(runtime: Runtime, story: Story) -> int:
    """The version in force."""
    with runtime.reading() as session:
        return programs.current(session, story.shop_id).version


@pytest.fixture(name="whole")
def _whole(bare: Story, runtime: Runtime) -> Story:
    """A shop whose program uses everything."""
    with runtime.transaction() as session:
        programs.apply(session, bare.shop_id, WHOLE, author="staff:1", now=NOW)
    return bare


PARTS = [
    *(f"earn/{key}" for key in WHOLE["earn"]),
    *(f"rewards/{reward['key']}" for reward in WHOLE["rewards"]),
    *("campaigns/advent", "tiers", "referrals", "expiry", "balance_reminder", "general"),
]


HOSTILE = [
    b"\x00",
    b"-1",
    b"1e9",
    "²".encode(),
    b"[]",
    b"{",
    b"gid://shopify/Product/x",
    b"\xed\xa0\x80",
    b"9" * 500,
]


class TestSaving:
    def test_new_version(self, client: FlaskClient, bare: Story, runtime: Runtime, bell: Bell) -> None:
        """Saving makes a version by the person who saved, and tells Shopify what the widget may show."""
        answer = save(client, "/program/part/earn/order", rate="1.5")

        assert answer.json["ok"] is True
        assert answer.json["redirect"].startswith("/program?shop=")
        with runtime.reading() as session:
            latest = session.exec(select(ProgramVersion).order_by(col(ProgramVersion.version).desc())).first()
            told = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "program_metafield")).one()
        assert latest is not None
        assert (latest.version, latest.author) == (2, "staff:81001")
        assert latest.document["earn"]["order"]["rate"] == "1.5"
        assert told.payload == {"version": 2}
        assert ("drain_outbox", bare.shop_id, "shopify") in bell.rung

    @pytest.mark.parametrize("part", PARTS)
    def test_nothing_changed(self, client: FlaskClient, whole: Story, runtime: Runtime, part: str) -> None:
        """What a form shows, sent back as it is, makes no version."""
        answer = save(client, f"/program/part/{part}")

        assert answer.json["message"] == "Nothing had changed"
        assert version(runtime, whole) == 2

    def test_moved(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """Whoever has an old page open is told that somebody else saved meanwhile, and takes nothing back."""
        mine = form(client, "/program/part/earn/order")
        save(client, "/program/part/general", **{"points.one": "leaf"})
        answer = client.post(mine.action, data=mine.sent(rate="3"))

        assert answer.status_code == 409
        assert "Somebody saved another version" in answer.json["message"]
        assert document(runtime, bare)["points"]["one"] == "leaf"

    def test_money(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """What is chosen for money holds on every page, and what is left to the shop is not said."""
        assert [""] == form(client, "/program/part/general").sent()["currency.display"]
        save(client, "/program/part/general", **{"currency.display": "code", "currency.position": "after"})

        assert document(runtime, bare)["currency"] == {"display": "code", "position": "after"}
        page = client.get("/program").text
        assert "12,345.00\u00a0USD, 5\u00a0USD" in page
        assert "1 point for every 1\u00a0USD spent" in page
        assert "\u00a0USD" in client.get("/").text

    def test_switched_off(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """A switch that is off is not sent at all; the way to earn is off, and keeps its settings."""
        save(client, "/program/part/earn/signup", enabled=None)

        assert document(runtime, bare)["earn"]["signup"] == {
            "enabled": False,
            "title": "Create an account",
            "points": 100,
        }
        assert "Create an account" in client.get("/program").text

    @pytest.mark.parametrize(
        ("part", "name", "value"),
        [
            ("general", "points.one", ""),
            ("general", "timezone", "Europe/Berln"),
            ("earn/order", "rate", "0"),
            ("earn/order", "rate", "1,5"),
            ("earn/order", "rate", "NaN"),
            ("earn/order", "rounding", "sideways"),
            ("earn/order", "limit.times", "0"),
            ("earn/order", "limit.per", "month"),
            ("earn/order", "goods.collections", "seven"),
            ("earn/order", "schedule.ends", "2026-11-30"),
            ("earn/order", "tiers", "platinum"),
            ("earn/tenth", "points", "ten"),
            ("earn/tenth", "points", "1.5"),
            ("earn/tenth", "title", " "),
            ("rewards/five_off", "points", "-5"),
            ("rewards/five_off", "points", ""),
            ("rewards/five_off", "amount", "five"),
            ("rewards/five_off", "minimum_subtotal", "-1"),
            ("rewards/five_off", "expires_after_days", "0"),
            ("rewards/five_off", "code_prefix", "fern!"),
            ("tiers", "ladder[1].threshold", "0"),
            ("tiers", "ladder[1].title", ""),
            ("referrals", "friend", "card"),
            ("campaigns/advent", "multiplier", "1"),
        ],
    )
    def test_mistakes(
        self, client: FlaskClient, whole: Story, runtime: Runtime, part: str, name: str, value: str
    ) -> None:
        """A mistake is told at its field, in words, and nothing is saved."""
        answer = save(client, f"/program/part/{part}", **{name: value})

        assert answer.status_code == 422
        (field,) = answer.json["errors"]
        assert field in (name, "limit.days")
        assert answer.json["errors"][field].startswith(("Enter", "Choose"))
        assert version(runtime, whole) == 2

    @pytest.mark.parametrize("path", ["earn/nothing", "cars", "cars/1", "tiers/gold", "general/x", "earn"])
    def test_no_such_part(self, client: FlaskClient, bare: Story, path: str) -> None:
        """A part that there is not is said so, seen or saved."""
        assert client.get(f"/program/part/{path}").status_code == 404
        assert client.post(f"/program/part/{path}", data={}).status_code == 404
        assert client.post(f"/program/remove/{path}").status_code == 404

    @pytest.mark.parametrize("part", ["general", "earn/order", "rewards/choose", "tiers", "campaigns/advent"])
    def test_hostile(self, client: FlaskClient, whole: Story, runtime: Runtime, part: str) -> None:
        """Whatever is sent in whatever field is answered as a mistake, or saved where it may stand."""
        found = form(client, f"/program/part/{part}")
        names = {name for name, _ in found.fields if name not in ("touched", "based_on")}
        for raw in HOSTILE:
            everywhere = {name: [raw] for name in names}
            assert self._send(client, found.action, everywhere | {"based_on": [raw]}).status_code == 422
        for name in names:
            answer = self._send(client, found.action, found.sent() | {name: [b"9" * 500]})
            assert answer.status_code in (200, 409, 422)
        odd = self._send(client, found.action, {"ladder[99999].x": [b"1"], "ladder[].key": [b"1"]})
        assert odd.status_code == 422

    def _send(self, client: FlaskClient, path: str, fields: Mapping[str, Sequence[str | bytes]]) -> Any:
        # A form field that is no UTF-8 cannot be said to the test's client otherwise.
        body = urlencode(fields, doseq=True)
        return client.post(path, data=body, content_type="application/x-www-form-urlencoded")


class TestFillingIn:
    def test_lists(self, client: FlaskClient, whole: Story, runtime: Runtime) -> None:
        """Ids, tags and choices become lists, however people put things between them."""
        changes = {
            "goods.products": "11, gid://shopify/Product/12\n13",
            "goods.tags": "new in\nsummer, linen",
            "goods.without_tags": "",
            "tiers": ["silver", "gold"],
        }
        save(client, "/program/part/earn/order", **changes)

        rule = document(runtime, whole)["earn"]["order"]
        assert rule["goods"]["products"] == [11, "gid://shopify/Product/12", 13]
        assert rule["goods"]["tags"] == ["new in", "summer", "linen"]
        assert "without_tags" not in rule["goods"]
        assert rule["tiers"] == ["silver", "gold"]

    @pytest.mark.acceptance("S4-38")
    def test_points_and_limit(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """The form of a rule has its points and how often they can be earned in a time, like twice a month."""
        limit = {"limit.times": "2", "limit.per": "month"}
        answer = save(client, "/program/part/earn/review", points="75", **limit)

        assert answer.json["ok"] is True
        with runtime.reading() as session:
            rule = programs.current(session, bare.shop_id).rule("review")
        assert isinstance(rule, ActionRule)
        assert (rule.points, rule.limit) == (75, Limit(2, "month"))
        assert "75 points, at most twice a month" in client.get("/program").text

    def test_emptied(self, client: FlaskClient, whole: Story, runtime: Runtime) -> None:
        """What is emptied is no longer said."""
        empty = {f"limit.{name}": "" for name in ("times", "per", "days")}
        save(client, "/program/part/earn/order", **empty, **{"schedule.begins": "", "schedule.ends": ""})

        assert {"limit", "schedule"} & document(runtime, whole)["earn"]["order"].keys() == set()

    def test_only_given(self, client: FlaskClient, whole: Story, runtime: Runtime) -> None:
        """A reward that is no longer for sale loses its price by that."""
        answer = save(client, "/program/part/rewards/card", listed=None)

        assert answer.json["ok"] is True
        card = document(runtime, whole)["rewards"][3]
        assert (card["listed"], "points" in card) == (False, False)

    def test_ladder(self, client: FlaskClient, whole: Story, runtime: Runtime) -> None:
        """Tiers are added with keys of their own and removed; gaps in the form's numbering do not matter."""
        found = form(client, "/program/part/tiers")
        kept = {name: value for name, value in found.sent().items() if not name.startswith("ladder[0]")}
        added = {
            "ladder[7].key": "",
            "ladder[7].title": "Gold!",
            "ladder[7].threshold": "900",
            "ladder[7].perks": "One\nTwo",
        }
        wrong = client.post(found.action, data=kept | added | {"ladder[7].threshold": "100"})
        assert list(wrong.json["errors"]) == ["ladder[7].threshold"]

        # Silver was named by nothing, so it may go.
        assert client.post(found.action, data=kept | added).json["ok"] is True
        ladder = document(runtime, whole)["tiers"]["ladder"]
        assert [(tier["key"], tier["title"]) for tier in ladder] == [("gold", "Gold"), ("gold_2", "Gold!")]
        assert ladder[1]["perks"] == ["One", "Two"]

    def test_needed_elsewhere(self, client: FlaskClient, whole: Story, runtime: Runtime) -> None:
        """What something else of the program names cannot go, and the page says what needs it."""
        answer = client.post("/program/remove/tiers")

        assert answer.status_code == 409
        assert "earn.order.tiers[0]" in answer.json["message"]
        assert version(runtime, whole) == 2


class TestAdding:
    @pytest.mark.parametrize("way", sorted(WAYS))
    def test_ways(self, client: FlaskClient, bare: Story, runtime: Runtime, way: str) -> None:
        """Every way to earn can be added, also a second time, under a key from its title."""
        filled = {
            "order": {"rate": "2"},
            "order_count_goal": {"points": "5", "goal": "10"},
            "spend_goal": {"points": "5", "goal": "99.50"},
            "order_value_goal": {"points": "5", "minimum": "100"},
        }.get(way, {"points": "5"})
        for title in ("Once more", "Once more"):
            answer = save(client, f"/program/new/earn/{way}", title=title, **filled)
            assert answer.json["ok"] is True, answer.json

        earn = document(runtime, bare)["earn"]
        assert len(earn) == (4 if way not in DEFAULT_DOCUMENT["earn"] else 5) + (
            way not in DEFAULT_DOCUMENT["earn"]
        )
        assert [rule.way for rule in self._rules(runtime, bare)].count(way) >= 2

    def _rules(self, runtime: Runtime, story: Story) -> Any:
        with runtime.reading() as session:
            return programs.current(session, story.shop_id).earning

    @pytest.mark.parametrize(
        ("title", "key"),
        [("Plant a tree!", "plant_a_tree"), ("10 visits", "way_10_visits"), ("日本", "way"), ("Campaign day", "way_campaign_day")],
    )  # fmt: skip
    def test_keys(self, client: FlaskClient, bare: Story, runtime: Runtime, title: str, key: str) -> None:
        """A key comes from the title, whatever script it is in, and is always one that a document may have."""
        save(client, "/program/new/earn/custom", title="Plain", points="5")
        assert save(client, "/program/new/earn/custom", title=title, points="5").json["ok"] is True
        assert list(document(runtime, bare)["earn"])[-1] == key

    @pytest.mark.parametrize(
        ("kind", "filled"),
        [
            ("amount_off", {"amount": "5"}),
            ("percentage_off", {"percentage": "10"}),
            ("free_shipping", {}),
            ("free_product", {"variant_id": "44"}),
            ("incremental", {"amount": "1", "minimum_points": "200"}),
            ("gift_card", {"amount": "20"}),
            ("store_credit", {"amount": "5"}),
        ],
    )
    def test_rewards(
        self, client: FlaskClient, bare: Story, runtime: Runtime, kind: str, filled: dict[str, str]
    ) -> None:
        """Every kind of reward can be added."""
        answer = save(client, f"/program/new/rewards/{kind}", title="$20 off!", points="100", **filled)

        assert answer.json["ok"] is True
        reward = document(runtime, bare)["rewards"][1]
        assert (reward["key"], reward.get("kind", "amount_off")) == ("reward_20_off", kind)
        assert reward["expires_after_days"] == 90
        assert "valid for 90 days" in client.get("/program").text.lower()

    def test_campaign(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """A campaign needs a time and something to give."""
        empty = save(client, "/program/new/campaigns/new", title="Advent")
        assert set(empty.json["errors"]) == {"schedule", "multiplier"}
        filled = {"title": "Advent", "schedule.begins": "2026-12-01", "multiplier": "2", "rules": ["order"]}
        assert save(client, "/program/new/campaigns/new", **filled).json["ok"] is True
        assert document(runtime, bare)["campaigns"] == [
            {
                "key": "advent",
                "title": "Advent",
                "schedule": {"begins": "2026-12-01"},
                "multiplier": "2",
                "rules": ["order"],
            }
        ]

    def test_wholes(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """Tiers, referrals, expiry and reminders begin with their forms."""
        tier = {"ladder[0].key": "", "ladder[0].title": "Gold", "ladder[0].threshold": "500"}
        save(client, "/program/part/tiers", **tier)
        save(client, "/program/part/referrals", friend="five_off", **{"advocate.points": "300"})
        save(client, "/program/part/expiry")
        save(client, "/program/part/balance_reminder")

        found = document(runtime, bare)
        assert found["tiers"] == {"ladder": [{"key": "gold", "title": "Gold", "threshold": "500"}]}
        assert found["referrals"] == {"friend": "five_off", "advocate": {"points": 300}}
        assert found["expiry"] == {"kind": "inactivity", "months": 12}
        assert found["balance_reminder"] == {"every": "month"}
        page = client.get("/program").text
        assert "All points after 12 months without activity" in page
        assert "Spend $500" in page

    @pytest.mark.parametrize("path", ["cars", "tiers", "earn/cars", "rewards/order", "campaigns/x"])
    def test_no_such_thing(self, client: FlaskClient, bare: Story, path: str) -> None:
        """What cannot be added has no form."""
        assert client.get(f"/program/new/{path}").status_code == 404
        if "/" in path:
            assert client.post(f"/program/new/{path}", data={}).status_code == 404

    def test_removed(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """A way to earn and a reward can be taken out."""
        for path in ("earn/review", "rewards/five_off"):
            assert client.post(f"/program/remove/{path}").json["ok"] is True
        found = document(runtime, bare)
        assert (list(found["earn"]), found["rewards"]) == (["order", "signup"], [])
        assert "points cannot be spent" in client.get("/program").text


class TestText:
    def test_saved(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """The text is the whole program; saved as it is it changes nothing, and changed it is a version."""
        assert save(client, "/program/text").json["message"] == "Nothing had changed"
        assert save(client, "/program/text", text=write_text(WHOLE)).json["ok"] is True
        assert difference(WHOLE, document(runtime, bare)) == ()

    def test_mistakes(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """Every mistake is told with its place, what was expected and what was found."""
        wrong = copy.deepcopy(DEFAULT_DOCUMENT)
        wrong["earn"]["order"]["rate"] = "much"
        wrong["teirs"] = {}
        answer = save(client, "/program/text", text=write_text(wrong))

        assert answer.status_code == 422
        assert answer.json["errors"] == {"text": "There are 2 mistakes; nothing was changed."}
        assert [mistake["path"] for mistake in answer.json["mistakes"]] == ["teirs", "earn.order.rate"]
        assert answer.json["mistakes"][1]["found"] == "'much'"
        assert version(runtime, bare) == 1

    @pytest.mark.parametrize("text", ["", "points = ", "{", "\ud800", "[" * 5000, "a = " + "9" * 5000])
    def test_no_document(self, client: FlaskClient, bare: Story, runtime: Runtime, text: str) -> None:
        """What is no document is said to be none."""
        raw = text.encode("utf-8", "surrogatepass")
        answer = client.post("/program/text", data={"text": raw})
        assert answer.status_code == 422
        assert version(runtime, bare) == 1

    def test_moved(self, client: FlaskClient, bare: Story) -> None:
        """The text of an older version is not saved over a newer one."""
        mine = form(client, "/program/text")
        save(client, "/program/part/earn/order", rate="2")
        answer = client.post(mine.action, data=mine.sent(text=write_text(WHOLE)))
        assert answer.status_code == 409


class TestVersions:
    def test_list(self, client: FlaskClient, bare: Story) -> None:
        """Each version says who saved it and what it changed."""
        save(client, "/program/part/earn/order", rate="2")
        page = client.get("/program/versions").text

        assert "points for each unit of currency spent: 1 → 2" in page
        assert "Staff member 81001" in page
        assert "Laurel, at the installation" in page

    def test_back(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """Going back is a new version with the words of the old one, after showing what that changes."""
        save(client, "/program/part/earn/order", rate="2")
        page = client.get("/program/versions/1").text
        assert "points for each unit of currency spent: 2 → 1" in page
        assert "Go back to this version" in page
        assert client.post("/program/versions/1/restore").json["ok"] is True

        assert version(runtime, bare) == 3
        assert document(runtime, bare)["earn"]["order"]["rate"] == "1"
        assert "Go back to this version" not in client.get("/program/versions/3").text

    def test_moved(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """Going back is refused when the version that it was compared with is no longer in force."""
        save(client, "/program/part/earn/order", rate="2")
        page = client.get("/program/versions/1").text
        assert 'data-post="/program/versions/1/restore?based_on=2"' in page
        save(client, "/program/part/earn/order", rate="3")
        assert client.post("/program/versions/1/restore?based_on=2").status_code == 409
        assert document(runtime, bare)["earn"]["order"]["rate"] == "3"

    @pytest.mark.parametrize("number", ["0", "7", str(2**70)])
    def test_none(self, client: FlaskClient, bare: Story, number: str) -> None:
        """A version that there is not is said so."""
        assert client.get(f"/program/versions/{number}").status_code == 404
        assert client.post(f"/program/versions/{number}/restore").status_code == 404

    def test_many(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """A long list is turned over page by page."""
        with runtime.transaction() as session:
            for rate in range(2, 26):
                earn = DEFAULT_DOCUMENT["earn"] | {"order": {"title": "x", "rate": rate}}
                programs.apply(
                    session, bare.shop_id, DEFAULT_DOCUMENT | {"earn": earn}, author="staff:1", now=NOW
                )
        first = client.get("/program/versions").text
        (before,) = set(re.findall(r"before=(\d+)", first))
        assert (first.count('href="/program/versions/'), before) == (20, "6")
        assert client.get(f"/program/versions?before={before}").text.count('href="/program/versions/') == 5


class TestExample:
    @pytest.mark.parametrize(
        ("rate", "rounding", "text"),
        [
            ("1", "down", "An order of $84.50 earns 84 points."),
            ("1", "up", "An order of $84.50 earns 85 points."),
            ("0.012", "down", "An order of $84.50 earns 1 point."),
            ("much", "down", "Enter how many points an order earns, and an example appears here."),
            ("1e400000", "down", "Enter how many points an order earns, and an example appears here."),
        ],
    )
    def test_live(self, client: FlaskClient, bare: Story, rate: str, rounding: str, text: str) -> None:
        """The live example counts as real orders are counted."""
        query = {"rate": rate, "rounding": rounding}
        assert client.get("/program/example.json", query_string=query).json == {"text": text}


class TestWithoutProgram:
    @pytest.mark.acceptance("S2-06")
    def test_shown(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """Before there is a program, the one that a shop begins with is shown and can be saved."""
        with runtime.transaction() as session:
            for row in session.exec(select(ProgramVersion)).all():
                session.delete(row)
        assert "Nothing is saved yet" in client.get("/program").text
        assert client.get("/program/versions").status_code == 200
        assert save(client, "/program/part/earn/order").json["ok"] is True
        assert version(runtime, bare) == 1
