"""What the merchant's pages change, and what they answer to the scripts that ask."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlmodel import col, select
from werkzeug.test import TestResponse

from loyalty import programs
from loyalty.models import InboxMessage, LedgerEntry, Member, OutboxMessage, ProgramVersion, Run
from loyalty.runtime import Runtime
from tests.merchant_pages import Bell
from tests.shop_story import Story

FORM = {
    "touched": "1",
    "points.one": "leaf",
    "points.many": "leaves",
    "earn.order.enabled": "on",
    "earn.order.title": "Place an order",
    "earn.order.rate": "1",
    "earn.order.rounding": "down",
    "earn.signup.enabled": "on",
    "earn.signup.title": "Create an account",
    "earn.signup.points": "100",
    "earn.review.enabled": "on",
    "earn.review.title": "Leave a verified review",
    "earn.review.points": "50",
    "rewards[0].key": "five_off",
    "rewards[0].title": "$5 off",
    "rewards[0].points": "500",
    "rewards[0].amount": "5.00",
    "rewards[0].minimum_subtotal": "",
    "rewards[0].expires_after_days": "90",
}


def save(client: FlaskClient, **changes: str | None) -> Any:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    form = {name: value for name, value in (FORM | named).items() if value is not None}
    return client.post("/program", data=form)


def version(runtime: Runtime, shop_id: int) -> int:
    with runtime.reading() as session:
        return programs.current(session, shop_id).version


def told(answer: TestResponse) -> dict[str, Any]:
    """What a script is answered."""
    assert answer.json is not None
    return dict(answer.json)


class TestProgram:
    def test_new_version(self, client: FlaskClient, story: Story, runtime: Runtime, bell: Bell) -> None:
        """Saving makes a version by the person who saved, and tells Shopify what the widget may show."""
        answer = save(client, earn__order__rate="1.5")

        assert answer.json["ok"] is True
        assert answer.json["redirect"].startswith("/program?shop=")
        with runtime.reading() as session:
            latest = session.exec(select(ProgramVersion).order_by(col(ProgramVersion.version).desc())).first()
            told = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "program_metafield")).one()
        assert latest is not None
        assert (latest.version, latest.author) == (3, "staff:81001")
        assert latest.document["earn"]["order"]["rate"] == "1.5"
        assert told.payload == {"version": 3}
        assert ("drain_outbox", story.shop_id, "shopify") in bell.rung

    def test_nothing_changed(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """What the page shows, sent back as it is, makes no version."""
        answer = save(client)

        assert answer.json["message"] == "Nothing had changed"
        assert version(runtime, story.shop_id) == 2

    def test_switched_off(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """A switch that is off is not sent at all, and the way to earn is off."""
        save(client, **{"earn.signup.enabled": None})

        with runtime.reading() as session:
            assert programs.current(session, story.shop_id).signup is None

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("points.one", ""),
            ("earn.order.rate", "0"),
            ("earn.order.rate", "1,5"),
            ("earn.order.rate", "NaN"),
            ("earn.order.rounding", "sideways"),
            ("earn.signup.points", "ten"),
            ("earn.signup.points", "1.5"),
            ("earn.review.title", " "),
            ("rewards[0].points", "-5"),
            ("rewards[0].amount", "five"),
            ("rewards[0].minimum_subtotal", "-1"),
            ("rewards[0].expires_after_days", "0"),
        ],
    )
    def test_mistakes(
        self, client: FlaskClient, story: Story, runtime: Runtime, name: str, value: str
    ) -> None:
        """A mistake is told at its field, in words, and nothing is saved."""
        answer = save(client, **{name: value})

        assert answer.status_code == 422
        assert list(answer.json["errors"]) == [name]
        assert answer.json["errors"][name].startswith(("Enter", "Choose"))
        assert version(runtime, story.shop_id) == 2

    def test_rewards(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """Rewards are added with keys of their own and removed; gaps in the form's numbering do not matter."""
        removed = {name: None for name in FORM if name.startswith("rewards[0]")}
        added: dict[str, str | None] = {}
        for index in ("3", "7"):
            added |= {
                f"rewards[{index}].key": "",
                f"rewards[{index}].title": "$20 off!",
                f"rewards[{index}].points": "1800",
            }
            added |= {f"rewards[{index}].amount": "20"}
        answer = save(client, **(removed | added))

        assert answer.json["ok"] is True
        with runtime.reading() as session:
            rewards = programs.current(session, story.shop_id).rewards
        assert [reward.key for reward in rewards] == ["reward_20_off", "reward_20_off_2"]
        assert rewards[0].expires_after_days is None

    def test_mistake_in_a_gap(self, client: FlaskClient, story: Story) -> None:
        """A mistake in a reward is told at the number that its field has in the form."""
        answer = save(
            client,
            **{
                "rewards[4].key": "",
                "rewards[4].title": "Ten",
                "rewards[4].points": "x",
                "rewards[4].amount": "10",
            },
        )

        assert list(answer.json["errors"]) == ["rewards[4].points"]

    @pytest.mark.parametrize(
        ("rate", "rounding", "text"),
        [
            ("1", "down", "An order of $84.50 earns 84 pips."),
            ("1", "up", "An order of $84.50 earns 85 pips."),
            ("0.012", "down", "An order of $84.50 earns 1 pip."),
            ("much", "down", "Enter how many points an order earns, and an example appears here."),
            ("1e400000", "down", "Enter how many points an order earns, and an example appears here."),
        ],
    )
    def test_example(self, client: FlaskClient, story: Story, rate: str, rounding: str, text: str) -> None:
        """The live example counts as real orders are counted, under what is being typed."""
        query = {
            "earn.order.rate": rate,
            "earn.order.rounding": rounding,
            "points.one": "pip",
            "points.many": "pips",
        }

        assert client.get("/program/example.json", query_string=query).json == {"text": text}


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
