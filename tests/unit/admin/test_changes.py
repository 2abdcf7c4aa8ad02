"""What the merchant's pages change, and what they answer to the scripts that ask."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlmodel import col, select
from werkzeug.test import TestResponse

from loyalty.models import InboxMessage, LedgerEntry, Member, Run
from loyalty.runtime import Runtime
from tests.merchant_pages import Bell
from tests.shop_story import Story


def told(answer: TestResponse) -> dict[str, Any]:
    """What a script is answered."""
    assert answer.json is not None
    return dict(answer.json)


class TestAdjust:
    def adjust(self, client: FlaskClient, member_id: int, **changes: str) -> Any:
        form = {"points": "50", "note": "For you", "staff": "asked nicely", "key": "k" * 24} | changes
        return client.post(f"/members/{member_id}/adjust", data=form)

    def balance(self, runtime: Runtime, member_id: int) -> int:
        with runtime.reading() as session:
            return session.exec(select(Member.balance).where(Member.id == member_id)).one()

    def test_once(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """The same form sent twice gives the points once, and the reason is kept."""
        member_id = story.member_ids[1]
        before = self.balance(runtime, member_id)
        assert self.adjust(client, member_id).json["ok"] is True
        assert self.adjust(client, member_id).json["ok"] is True

        assert self.balance(runtime, member_id) == before + 50
        with runtime.reading() as session:
            entry = session.exec(select(LedgerEntry).where(LedgerEntry.source_ref == "k" * 24)).one()
        assert entry.reason == "For you"
        assert entry.why == {"staff": "Staff member 81001: asked nicely"}
        assert ("drain_outbox", story.shop_id, "klaviyo") in bell.rung

    def test_lost_answer(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Whoever never heard that it worked and sends other points is told what is in the books, not that those are."""
        member_id = story.member_ids[1]
        before = self.balance(runtime, member_id)
        self.adjust(client, member_id)
        for changed in ({"points": "70"}, {"note": "Sorry"}):
            answer = self.adjust(client, member_id, **changed)
            assert answer.status_code == 409
            assert "+50" in answer.json["message"]

        assert self.balance(runtime, member_id) == before + 50

    def test_below_zero(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Below zero only when that was said."""
        member_id = story.member_ids[1]
        refused = self.adjust(client, member_id, points="-100000")
        allowed = self.adjust(client, member_id, points="-100000", may_go_negative="on")

        assert refused.status_code == 422
        assert "below zero" in refused.json["errors"]["points"]
        assert allowed.json["ok"] is True
        assert self.balance(runtime, member_id) < 0

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("points", "0"),
            ("points", "many"),
            ("points", "99999999999"),
            ("note", ""),
            ("note", "x" * 121),
            ("key", ""),
        ],
    )
    def test_mistakes(self, client: FlaskClient, story: Story, name: str, value: str) -> None:
        """What is wrong is told at its field."""
        answer = self.adjust(client, story.member_ids[1], **{name: value})

        assert answer.status_code == 422
        assert list(answer.json["errors"]) == [name]

    def test_another_shop(self, client: FlaskClient, story: Story) -> None:
        """Nobody's points are changed but the shop's own members'."""
        assert self.adjust(client, 987654).status_code == 404


class TestRuns:
    def test_begin(self, client: FlaskClient, bare: Story, runtime: Runtime, bell: Bell) -> None:
        """A button begins a job and rings for it; pressed again, it is the same job."""
        for _ in range(2):
            assert told(client.post("/imports/customers"))["ok"] is True
        client.post("/imports/orders", data={"since": "2026-01-31"})

        with runtime.reading() as session:
            found = session.exec(select(Run).order_by(col(Run.id))).all()
        assert [(run.kind, run.params) for run in found] == [
            ("customer_import", {}),
            ("order_import", {"since": "2026-01-31"}),
        ]
        assert bell.rung[0] == ("advance_run", found[0].id)

    def test_under_way(self, client: FlaskClient, bare: Story, runtime: Runtime) -> None:
        """Another day does not change an import that is under way, and nobody is told that it does."""
        assert told(client.post("/imports/orders", data={"since": "2026-01-31"}))["ok"] is True
        other = client.post("/imports/orders", data={"since": "2025-01-31"})

        assert other.status_code == 409
        assert "is under way" in told(other)["message"]
        with runtime.reading() as session:
            assert session.exec(select(Run.params)).all() == [{"since": "2026-01-31"}]

    @pytest.mark.parametrize("since", ["", "2027-01-01", "31.01.2026", "1999-01-01"])
    def test_bad_day(self, client: FlaskClient, bare: Story, since: str) -> None:
        """A day that cannot be is told at its field."""
        assert list(told(client.post("/imports/orders", data={"since": since}))["errors"]) == ["since"]

    def test_cancel(self, client: FlaskClient, story: Story) -> None:
        """An open job is asked to stop; one that has ended cannot be."""
        assert told(client.post(f"/runs/{story.run_ids[1]}/cancel"))["ok"] is True
        assert client.post(f"/runs/{story.run_ids[0]}/cancel").status_code == 409


class TestParkedMessage:
    def test_retry(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """A message that was put aside is due again, once."""
        assert told(client.post(f"/messages/{story.parked_id}/retry"))["ok"] is True
        assert client.post(f"/messages/{story.parked_id}/retry").status_code == 404

        with runtime.reading() as session:
            assert (
                session.exec(select(InboxMessage.state).where(InboxMessage.id == story.parked_id)).one()
                == "due"
            )
        assert ("drain_inbox", story.domain) in bell.rung
