"""The pages that look ahead and add up: what would change, and what is owed."""

import csv
import io
import re

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from loyalty import preview, programs, runs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.models import Member, ProgramVersion, Run
from loyalty.program_text import write_text
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, Bell
from tests.shop_story import Story

DEARER = DEFAULT_DOCUMENT | {"earn": {"order": {"title": "Order", "rate": "3"}}}


def finish(runtime: Runtime, bell: Bell) -> int:
    """Do what a worker does with the run that was rung for."""
    run_id = next(rung[1] for rung in reversed(bell.rung) if rung[0] == "advance_run")
    assert isinstance(run_id, int)
    assert runs.advance(runtime, run_id, preview.step) is None
    return run_id


def _number(pattern: str, page: str) -> int:
    """The number that a page says."""
    found = re.search(pattern, page)
    assert found is not None
    return int(found[1])


class TestPreview:
    """``/program/preview``."""

    def test_before_the_first(self, client: FlaskClient, bare: Story) -> None:
        """A shop that never looked sees its program, ready to be changed."""
        page = client.get("/program/preview").text
        assert "Place an order" in page
        assert "In short" not in page

    def test_begins_and_shows(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """It runs as a job, with its progress on the page; then the page shows the numbers and the names, and the program is as it was."""
        with runtime.reading() as session:
            before = programs.current(session, story.shop_id).version
            name = session.get_one(Member, story.member_ids[0]).first_name or "?"
        answer = client.post("/program/preview", data={"text": write_text(DEARER), "begins": ""})
        assert answer.json["ok"]
        assert "data-run=" in client.get("/program/preview").text
        run_id = finish(runtime, bell)
        page = client.get("/program/preview").text
        assert "In short" in page
        assert "Most affected" in page
        assert name in page
        assert 'rate = "3"' in page.replace("&#34;", '"')
        with runtime.reading() as session:
            assert programs.current(session, story.shop_id).version == before
            run = session.get_one(Run, run_id)
            assert name not in f"{run.params}{run.cursor}"

    def test_from_a_day(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """A day in the past is taken, one in the future is a mistake in its field."""
        text = write_text(DEARER)
        wrong = client.post("/program/preview", data={"text": text, "begins": "2027-01-01"})
        assert (wrong.status_code, list(wrong.json["errors"])) == (422, ["begins"])
        assert client.post("/program/preview", data={"text": text, "begins": "2026-11-10"}).json["ok"]
        finish(runtime, bell)
        assert "as if it had been saved on 2026-11-10" in client.get("/program/preview").text

    @pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles"])
    def test_day_of_the_shop(self, client: FlaskClient, story: Story, runtime: Runtime, zone: str) -> None:
        """The day stays the one that was entered, wherever the shop is; one that no calendar can reckon with is a mistake."""
        with runtime.transaction() as session:
            document = DEFAULT_DOCUMENT | {"timezone": zone}
            programs.apply(session, story.shop_id, document, author="test", now=NOW)
        text = write_text(DEARER | {"timezone": zone})
        wrong = client.post("/program/preview", data={"text": text, "begins": "0001-01-01"})
        assert (wrong.status_code, list(wrong.json["errors"])) == (422, ["begins"])
        assert client.post("/program/preview", data={"text": text, "begins": "2026-11-10"}).json["ok"]
        assert (
            'label="As if saved on" details="Without a day: as if it had always been in force" value="2026-11-10"'
            in (client.get("/program/preview").text)
        )

    def test_saved_since(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """What was looked at before somebody saved another version cannot be saved over it unseen, and can be put aside."""
        assert client.post("/program/preview", data={"text": write_text(DEARER)}).json["ok"]
        finish(runtime, bell)
        old = _number(r'name="based_on" value="(\d+)"', client.get("/program/preview").text)
        with runtime.transaction() as session:
            document = DEFAULT_DOCUMENT | {"points": {"one": "fig", "many": "figs"}}
            programs.apply(session, story.shop_id, document, author="staff:2", now=NOW)
        page = client.get("/program/preview").text
        based_on = _number(r'name="based_on" value="(\d+)"', page)
        assert f"Version {old + 1} was saved since" in page
        answer = client.post("/program/text", data={"text": write_text(DEARER), "based_on": str(based_on)})
        assert answer.status_code == 409
        fresh = client.get("/program/preview?fresh=1").text
        assert "figs" in fresh
        assert _number(r'name="based_on" value="(\d+)"', fresh) == old + 1

    def test_version_gone(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """A preview whose version of the program is not there any more is one without a result."""
        assert client.post("/program/preview", data={"text": write_text(DEARER)}).json["ok"]
        finish(runtime, bell)
        with runtime.transaction() as session:
            for row in session.exec(select(ProgramVersion)).all():
                session.delete(row)
        page = client.get("/program/preview")
        assert (page.status_code, "In short" in page.text) == (200, False)

    def test_mistakes(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """What is wrong with the text is said by its place, and no job begins."""
        answer = client.post("/program/preview", data={"text": 'guests = "sometimes"'})
        assert answer.status_code == 422
        assert "guests" in [mistake["path"] for mistake in answer.json["mistakes"]]
        broken = client.post("/program/preview", data={"text": "this is = = no"})
        assert (broken.status_code, list(broken.json["errors"])) == (422, ["text"])
        with runtime.reading() as session:
            assert preview.latest(session, story.shop_id) is None

    def test_one_at_a_time(self, client: FlaskClient, story: Story) -> None:
        """While one is under way another is refused, not silently taken for it."""
        assert client.post("/program/preview", data={"text": write_text(DEARER)}).json["ok"]
        again = client.post("/program/preview", data={"text": write_text(DEFAULT_DOCUMENT)})
        assert again.status_code == 409


class TestPartPreview:
    """The forms of single parts, and what saving them would do."""

    def test_part(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """What was entered in the form of one rule is looked at with the rest of the program, and nothing is saved."""
        page = client.get("/program/part/earn/order").text
        assert 'data-elsewhere="/program/preview/part/earn/order"' in page
        with runtime.reading() as session:
            before = programs.document(session, story.shop_id)
        entered = {
            "enabled": "on",
            "title": "Place an order",
            "rate": "3",
            "rounding": "down",
            "multiplied": "on",
        }
        answer = client.post("/program/preview/part/earn/order", data=entered | {"guests": "on"})
        assert answer.json["redirect"].startswith("/program/preview?shop=")
        run_id = finish(runtime, bell)
        with runtime.reading() as session:
            run = session.get_one(Run, run_id)
            asked = preview.Asked.from_json(run.params)
            found = preview.result(session, run)
            assert before == programs.document(session, story.shop_id)
        assert asked.document["earn"]["order"]["rate"] == "3"
        assert asked.document["rewards"] == before["rewards"]
        assert found == preview.compare(runtime, story.shop_id, asked)
        assert found["after"]["earned"] > found["before"]["earned"]
        page = client.get("/program/preview").text
        assert "points for each unit of currency spent: 1 → 3" in page

    def test_new(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """So is what is new: tiers where there were none move people."""
        ladder = {"ladder[0].title": "Gold", "ladder[0].threshold": "1", "ladder[0].multiplier": "2"}
        asked = {"metric": "spent", "window": "lifetime", "grace_days": "0"} | ladder
        assert client.post("/program/preview/part/tiers", data=asked).json["ok"]
        finish(runtime, bell)
        assert "Gold" in client.get("/program/preview").text
        reward = {"title": "Ten off", "points": "10", "amount": "10", "listed": "on", "code_prefix": "LAUREL"}
        assert client.post("/program/preview/new/rewards/amount_off", data=reward).json["ok"]

    def test_mistakes(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """A mistake stands in its field, as when saving, and no job begins."""
        answer = client.post("/program/preview/part/earn/order", data={"title": "x", "rate": "-1"})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["rate"])
        assert client.post("/program/preview/part/earn/nothing", data={}).status_code == 404
        assert client.post("/program/preview/new/earn/nothing", data={}).status_code == 404
        with runtime.reading() as session:
            assert preview.latest(session, story.shop_id) is None


class TestRemovalPreview:
    """What a program would be without a part of it."""

    def test_removed(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Before a rule is taken out one can see what that would change; nothing is saved."""
        page = client.get("/program/part/earn/order").text
        assert 'data-post="/program/preview/remove/earn/order"' in page
        answer = client.post("/program/preview/remove/earn/order")
        assert answer.json["redirect"].startswith("/program/preview?shop=")
        with runtime.reading() as session:
            run = preview.latest(session, story.shop_id)
            assert run is not None
            assert "order" not in preview.Asked.from_json(run.params).document["earn"]
            assert "order" in programs.document(session, story.shop_id)["earn"]

    def test_none(self, client: FlaskClient, story: Story) -> None:
        """What is not there, or has to be, cannot be looked away."""
        for path in ("earn/nothing", "general", "rewards"):
            assert client.post(f"/program/preview/remove/{path}").status_code == 404


class TestLiability:
    """``/liability``."""

    def test_pending_now(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """What cannot be spent yet is what members have now, whatever period is looked at."""
        with runtime.transaction() as session:
            session.get_one(Member, story.member_ids[0]).pending = 4321
        for query in ("", "?by=day&from=2026-10-01&to=2026-10-02"):
            page = " ".join(client.get(f"/liability{query}").text.split())
            assert re.search(r"pending</dt><dd>4,321</dd>", page), query

    def test_shows(self, client: FlaskClient, story: Story) -> None:
        """By month and by day, with what is outstanding, its worth, and why nothing is said of what will never be spent."""
        page = client.get("/liability").text
        assert "not enough history yet" in page
        assert "“$5 off”" in page
        assert "2026-11" in page
        days = client.get("/liability?by=day&from=2026-11-01&to=2026-11-22").text
        assert "Nov 22, 2026" in days

    def test_strange_asks(self, client: FlaskClient, story: Story) -> None:
        """Whatever stands in the address, the page answers with something sensible."""
        for query in ("by=year", "from=9999-12-31", "from=x&to=y", "by=day&from=1900-01-01", "to=0001-01-01"):
            assert client.get(f"/liability?{query}").status_code == 200, query

    def test_file(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """The file ends with what members have now."""
        answer = client.get("/liability.csv?by=day")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        with runtime.reading() as session:
            members = session.exec(select(Member).where(Member.shop_id == story.shop_id)).all()
        assert answer.mimetype == "text/csv"
        assert int(rows[-1]["outstanding"]) == sum(member.balance for member in members)

    def test_no_program(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """A shop without a program is told so."""
        with runtime.transaction() as session:
            for row in session.exec(select(ProgramVersion)).all():
                session.delete(row)
        assert client.get("/liability").status_code == 404
