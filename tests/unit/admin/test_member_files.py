"""The pages that bring members over, and take imports and merges back."""

import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlmodel import col, select

from loyalty import member_import, runs
from loyalty.core.facts import CustomerDeleted, CustomersMerged
from loyalty.member_import import STEPS
from loyalty.models import ImportBatch, Member, MemberMerge, Run, Shop
from loyalty.points import absorb
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, Bell
from tests.shop_story import Story, email_of

FILE = f"email,points,tier\n{email_of(0)},120,\nnew@fernandfig.shop,30,\nbad,1,\n=cmd|x@y,2,\n"


def send(client: FlaskClient, text: str = FILE, **form: str) -> Any:
    """Upload a file."""
    data = {"file": (io.BytesIO(text.encode()), "points.csv"), "mode": "add", "dates": "month_first"} | form
    return client.post("/imports/members", data=data, content_type="multipart/form-data")


def work(runtime: Runtime) -> None:
    """Do what a worker would: every open run of an import, to its end."""
    with runtime.reading() as session:
        found = session.exec(select(Run).where(col(Run.state).in_(runs.OPEN))).all()
    for run in found:
        if run.kind in STEPS:
            assert runs.advance(runtime, run.id or 0, STEPS[run.kind], seconds=30) is None


def the_batch(runtime: Runtime) -> ImportBatch:
    """The latest import."""
    with runtime.reading() as session:
        return session.exec(select(ImportBatch).order_by(col(ImportBatch.created_at).desc())).first()


def balance(runtime: Runtime, email: str) -> int | None:
    """What somebody has, None for nobody."""
    with runtime.reading() as session:
        return session.exec(select(Member.balance).where(Member.email == email)).first()


class TestImports:
    def test_whole_way(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """Upload, dry run, import and taking it back, each with its page."""
        before = balance(runtime, email_of(0))
        assert "Nobody has been brought over yet" in client.get("/imports/members").text
        answer = send(client)
        batch = the_batch(runtime)
        assert answer.json["redirect"].startswith(f"/imports/members/{batch.id}?")
        assert bell.rung[-1][0] == "advance_run"
        work(runtime)
        page = client.get(f"/imports/members/{batch.id}").text
        assert "What would happen" in page
        assert email_of(0) in page
        assert "is not an e-mail address" in page
        assert balance(runtime, "new@fernandfig.shop") is None
        report = client.get(f"/imports/members/{batch.id}/report.csv")
        assert report.text.splitlines()[:2] == ["line,column,mistake", "4,email,is not an e-mail address"]
        assert client.post(f"/imports/members/{batch.id}/start").json["ok"] is True
        work(runtime)
        assert balance(runtime, email_of(0)) == (before or 0) + 120
        assert balance(runtime, "new@fernandfig.shop") == 30
        assert "Take the import back" in client.get(f"/imports/members/{batch.id}").text
        assert client.post(f"/imports/members/{batch.id}/undo").json["ok"] is True
        work(runtime)
        assert balance(runtime, email_of(0)) == before
        assert "This import was taken back" in client.get(f"/imports/members/{batch.id}").text
        assert "points.csv" in client.get("/imports/members").text

    def test_same_file(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """The very same file is told to have been imported, and imported once more only when that is said."""
        for _ in range(2):
            place = send(client).json["redirect"].partition("?")[0]
            work(runtime)
            answer = client.post(f"{place}/start")
            work(runtime)
        assert answer.status_code == 409
        assert "imported on" in answer.json["message"]
        assert "The very same file" in client.get(place).text
        assert client.post(f"{place}/start", data={"again": "on"}).json["ok"] is True

    @pytest.mark.parametrize(
        ("text", "form", "field"),
        [("", {}, "file"), ("name\nAda\n", {}, "file"), (FILE, {"mode": "multiply"}, "mode")],
    )
    def test_mistakes(self, client: FlaskClient, story: Story, text: str, form: dict, field: str) -> None:
        """What cannot be read is told at its field, and nothing is kept."""
        answer = send(client, text, **form)
        assert answer.status_code == 422
        assert list(answer.json["errors"]) == [field]
        assert (
            client.post("/imports/members", data={"mode": "add"}).json["errors"]["file"] == "Choose a file."
        )

    def test_discard(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """A file that shall not be imported is removed; one that was is not."""
        send(client)
        batch = the_batch(runtime)
        work(runtime)
        assert client.post(f"/imports/members/{batch.id}/discard").json["ok"] is True
        assert client.get(f"/imports/members/{batch.id}").status_code == 404

    def test_stranger(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Another shop's import is nobody's business here."""
        with runtime.transaction() as session:
            other = Shop(domain="other.myshopify.com", first_installed_at=NOW, installed_at=NOW)
            session.add(other)
            session.flush()
            member_import.upload(
                session,
                other,
                io.BytesIO(FILE.encode()),
                batch_id="theirs",
                file_name="x",
                author="x",
                now=NOW,
            )
        assert client.get("/imports/members/theirs").status_code == 404
        for what in ("start", "undo", "discard"):
            assert client.post(f"/imports/members/theirs/{what}").status_code == 404

    def test_export(self, client: FlaskClient, story: Story) -> None:
        """The members as a file, in which no name runs as a formula."""
        answer = client.get("/members/export.csv")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.text.startswith("email,customer_id,")
        assert email_of(0) in answer.text

    def test_export_of_the_deleted(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Who was deleted at Shopify is not in it: read back, their points would be owed again."""
        with runtime.transaction() as session:
            shop = session.get_one(Shop, story.shop_id)
            absorb(session, shop, [CustomerDeleted(7001)], now=NOW)
        text = client.get("/members/export.csv").text
        assert email_of(0) not in text
        assert email_of(1) in text


class TestMerges:
    def test_way_back(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """A merge is shown on both accounts, and taken back once."""
        with runtime.transaction() as session:
            shop = session.get_one(Shop, story.shop_id)
            absorb(session, shop, [CustomersMerged(7001, 7002, NOW)], now=NOW)
            merge_id = session.exec(select(MemberMerge.id)).one()
        kept, gone = story.member_ids[:2]
        assert "Became a part of this account" in client.get(f"/members/{kept}/merges").text
        assert "This account became a part of it" in client.get(f"/members/{gone}/merges").text
        assert client.post(f"/members/{story.member_ids[3]}/merges/{merge_id}/undo").status_code == 404
        assert client.post(f"/members/{kept}/merges/{merge_id}/undo").json["ok"] is True
        assert client.post(f"/members/{kept}/merges/{merge_id}/undo").status_code == 409
        assert "Taken back" in client.get(f"/members/{kept}/merges").text

    def test_none(self, client: FlaskClient, story: Story) -> None:
        """Most accounts were never merged."""
        assert "never merged" in client.get(f"/members/{story.member_ids[4]}/merges").text
