"""A preview says, number for number, what a shop would be that had lived with the changed program; and it touches nothing."""

import contextlib
import copy
import itertools
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event
from sqlmodel import Session, SQLModel, col, select

from loyalty import preview, programs, runs
from loyalty.book import Book
from loyalty.calendar import refresh_step, start_refresh
from loyalty.core import ledger
from loyalty.core.decide import RewardRefused
from loyalty.core.document import DEFAULT_DOCUMENT, ProgramInvalid
from loyalty.core.facts import ActionDone, CustomersMerged, Fact, PointsAdjusted, RewardRequested
from loyalty.core.ledger import Entry
from loyalty.database import reading, transaction
from loyalty.encryption import Cipher
from loyalty.ledger.reading import as_entry
from loyalty.models import AwardRow, LedgerEntry, Member, RewardIssue, Run, Shop
from loyalty.points import absorb
from loyalty.preview import running
from loyalty.preview.comparing import Plan, compare_next
from loyalty.preview.outcome import Outcome
from loyalty.redemption import request_reward
from loyalty.runtime import Runtime
from loyalty.staff import adjust
from tests.integration.loyalty.lives import BEGAN, ENDED, Happening, documents, people
from tests.integration.loyalty.story import ADA, BO, NOW, bought, joined, play
from tests.passing_time import pass_time

FEW = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],  # to make an example smaller takes minutes
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
INSTALLED = BEGAN - timedelta(days=1)
_numbers = itertools.count(1)


def _shop(engine: Engine, document: dict[str, Any]) -> Shop:
    with transaction(engine) as session:
        domain = f"shop-{next(_numbers)}.myshopify.com"
        shop = Shop(domain=domain, first_installed_at=INSTALLED, installed_at=INSTALLED)
        session.add(shop)
        session.flush()
        assert shop.id is not None
        programs.apply(session, shop.id, document, author="test", now=INSTALLED)
    return shop


def _live(engine: Engine, shop: Shop, happenings: Iterable[Happening], *, until: datetime = ENDED) -> None:
    """Let everything happen at its moment, and time pass to the end."""
    for at, happened in sorted(happenings, key=lambda each: each[0]):
        _happen(engine, shop, at, happened)
    pass_time(engine, shop, until)


def _happen(
    engine: Engine, shop: Shop, at: datetime, happened: Fact | PointsAdjusted | RewardRequested
) -> None:
    pass_time(engine, shop, at)
    with transaction(engine) as session:
        if isinstance(happened, PointsAdjusted):
            owner = int(happened.key.partition("-")[0])
            adjust(session, shop, _member(session, shop, owner), happened, now=at)
        elif isinstance(happened, RewardRequested):
            _redeem(session, shop, at, happened)
        else:
            absorb(session, shop, [happened], now=at)


def _member(session: Session, shop: Shop, customer_id: int) -> Member:
    return session.exec(
        select(Member).where(Member.shop_id == shop.id, Member.shopify_customer_id == customer_id)
    ).one()


def _redeem(session: Session, shop: Shop, at: datetime, asked: RewardRequested) -> None:
    """Ask for a reward; whoever has not enough points gets none."""
    owner = int(asked.request_key.partition("-")[0])
    own = replace(asked, issue_id=f"{shop.id}-{asked.request_key}", code=f"C{shop.id}-{asked.request_key}")
    try:
        request_reward(session, shop, _member(session, shop, owner), own, now=at)
    except RewardRefused:
        return


def _name(member: Member) -> str:
    return str(member.email)


def _on_the_books(engine: Engine, shop: Shop, *, counts_from: datetime | None = None) -> dict[str, Outcome]:
    """What has become of everybody, read from the tables in the plainest way."""
    found = {}
    with reading(engine) as session:
        for member in session.exec(select(Member).where(Member.shop_id == shop.id)).all():
            entries = session.exec(select(LedgerEntry).where(LedgerEntry.member_id == member.id)).all()
            awards = session.exec(select(AwardRow).where(AwardRow.member_id == member.id)).all()
            gifts = session.exec(
                select(RewardIssue).where(
                    RewardIssue.member_id == member.id, col(RewardIssue.given_for).is_not(None)
                )
            ).all()
            assert member.balance == sum(entry.points for entry in entries)
            counted = [one for one in entries if counts_from is None or one.occurred_at >= counts_from]

            def sum_of(*kinds: str, counted: Iterable[LedgerEntry] = tuple(counted)) -> int:
                return sum(entry.points for entry in counted if entry.kind in kinds)

            soon = member.expires_at is not None and member.expires_at <= ENDED + timedelta(days=90)
            found[_name(member)] = Outcome(
                earned=sum_of(ledger.EARN, ledger.REVERSE),
                redeemed=-sum_of(ledger.REDEEM, ledger.RETURN),
                adjusted=sum_of(ledger.ADJUST),
                expired=-sum_of(ledger.EXPIRE),
                forgiven=sum_of(ledger.FORGIVE),
                balance=member.balance,
                pending=sum(
                    award.worth for award in awards if award.release_at is not None and not award.postings
                ),
                expiring=member.expiring_points if soon else 0,
                goals=sum(award.slot.startswith("goal:") and award.worth > 0 for award in awards),
                gifts=len(gifts),
                tier=member.tier,
            )
    return found


def _preview(
    engine: Engine, shop: Shop, document: dict[str, Any], *, begins: datetime | None = None
) -> tuple[dict[str, Outcome], dict[str, Outcome], dict[str, Outcome]]:
    """Everybody on the books, under the program in force, and under the changed one."""
    with reading(engine) as session:
        assert shop.id is not None
        plan = Plan(
            shop.id,
            shop.first_installed_at,
            programs.current(session, shop.id),
            programs.draft(session, shop.id, document),
            begins,
            ENDED,
        )
        compared = list(compare_next(session, plan, after=0, limit=1000))
        names = {
            member.id: _name(member)
            for member in session.exec(select(Member).where(Member.shop_id == shop.id)).all()
        }
    return (
        {names[one.past.member_id]: one.past.books for one in compared},
        {names[one.past.member_id]: one.before for one in compared},
        {names[one.past.member_id]: one.after for one in compared},
    )


def _copy(
    engine: Engine,
    original: Shop,
    other: Shop,
    happenings: list[Happening],
    *,
    changes_at: datetime | None = None,
    document: dict[str, Any] | None = None,
) -> None:
    """Live once more what is known of a shop: the same things, and the movements that no program makes."""
    known = _known(engine, original)
    told: list[tuple[datetime, Callable[[], None]]] = []
    for at, happened in happenings:
        if not isinstance(happened, ActionDone) or f"{happened.rule}:{happened.key}" in known.actions:
            told.append((at, partial(_happen, engine, other, at, happened)))
    for name, entry in known.redeemed:
        told.append((entry.occurred_at, partial(_post, engine, other, name, entry)))
    if changes_at is not None:
        told.append((changes_at, lambda: _change(engine, other, changes_at, document or {})))
    for _, tell in sorted(told, key=lambda each: each[0]):
        tell()
    _live(engine, other, ())


class _Known:
    def __init__(self, actions: set[str], redeemed: list[tuple[str, Entry]]) -> None:
        self.actions = actions
        self.redeemed = redeemed


def _known(engine: Engine, shop: Shop) -> _Known:
    """The actions that earned, and the rewards that were had."""
    with reading(engine) as session:
        actions = session.exec(
            select(AwardRow.source_ref).where(AwardRow.shop_id == shop.id, AwardRow.source_kind == "action")
        ).all()
        redeemed = session.exec(
            select(LedgerEntry, Member)
            .join(Member, col(Member.id) == col(LedgerEntry.member_id))
            .where(LedgerEntry.shop_id == shop.id, LedgerEntry.kind == ledger.REDEEM)
        ).all()
        return _Known(set(actions), [(_name(member), as_entry(entry)) for entry, member in redeemed])


def _post(engine: Engine, shop: Shop, name: str, entry: Entry) -> None:
    pass_time(engine, shop, entry.occurred_at)
    with transaction(engine) as session:
        book = Book(session, shop, now=entry.occurred_at)
        book.load_people((), (name,))
        account = book.by_email(name)
        assert account is not None
        book.post(account, (entry,), ())
        book.write()


def _change(engine: Engine, shop: Shop, at: datetime, document: dict[str, Any]) -> None:
    """Save another program, and bring everybody up to date."""
    runtime = Runtime(engine, Cipher([Fernet.generate_key().decode()]), lambda *_, **__: None, lambda: at)
    with runtime.transaction() as session:
        assert shop.id is not None
        programs.apply(session, shop.id, document, author="test", now=at)
        run_id = start_refresh(session, shop.id, now=at).id
    assert run_id is not None
    assert runs.advance(runtime, run_id, refresh_step) is None


def _everything(engine: Engine) -> dict[str, Any]:
    """Every row of every table."""
    with engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(table.select())))
            for table in SQLModel.metadata.sorted_tables
        }


class TestPreview:
    @pytest.mark.timeout(600)
    @FEW
    @given(data=st.data())
    def test_equals_a_copy(self, engine: Engine, data: st.DataObject) -> None:
        """The changed program's numbers are those of a shop that had it from the first day, member by member."""
        in_force, changed = data.draw(documents()), data.draw(documents())
        everybody = [data.draw(people(number)) for number in range(1, 4)]
        original = _shop(engine, in_force)
        _live(engine, original, [one for person in everybody for one in person.as_it_came()])
        books, before, after = _preview(engine, original, changed)
        assert books == _on_the_books(engine, original)
        was = [one for person in everybody for one in person.as_it_was()]
        for document, expected in ((changed, after), (in_force, before)):
            other = _shop(engine, document)
            _copy(engine, original, other, was)
            assert expected == _on_the_books(engine, other)

    @pytest.mark.timeout(600)
    @FEW
    @given(data=st.data())
    def test_from_a_day(self, engine: Engine, data: st.DataObject) -> None:
        """With a day, the numbers are those of a shop in which the program was changed on that day, and everybody brought up to date."""
        in_force, changed = data.draw(documents()), data.draw(documents())
        everybody = [data.draw(people(number)) for number in range(1, 4)]
        original = _shop(engine, in_force)
        _live(engine, original, [one for person in everybody for one in person.as_it_came()])
        begins = (BEGAN + timedelta(days=data.draw(st.integers(40, 300)))).replace(hour=0, minute=0)
        _, _, after = _preview(engine, original, changed, begins=begins)
        other = _shop(engine, in_force)
        was = [one for person in everybody for one in person.as_it_was()]
        _copy(engine, original, other, was, changes_at=begins, document=changed)
        assert after == _on_the_books(engine, other, counts_from=begins)

    def test_merged_accounts(self, engine: Engine) -> None:
        """Two accounts that turned out to be one person's are one history, and what both had once is had once."""
        original = _shop(engine, DEFAULT_DOCUMENT)
        _happen(engine, original, NOW, joined(ADA))
        _happen(engine, original, NOW, joined(BO))
        _happen(engine, original, NOW, bought(ADA, 1, "40"))
        _happen(engine, original, NOW, bought(BO, 2, "30"))
        _happen(engine, original, NOW, CustomersMerged(7002, 7001, NOW))
        books, before, after = _preview(engine, original, _dearer(2))
        name = str(BO.email)
        assert books[name].balance == before[name].balance == 170
        assert after[name].balance == 240
        assert list(after) == [name]

    def test_touches_nothing(self, runtime: Runtime, engine: Engine) -> None:
        """Not one row of any table is another afterwards, and no message is queued."""
        shop = _shop(engine, DEFAULT_DOCUMENT)
        play(engine, shop)
        before = _everything(engine)
        with reading(engine) as session:
            asked = preview.ask(session, shop, _dearer(3), begins=None, now=NOW)
        found = preview.compare(runtime, shop.id or 0, asked)
        assert found["after"]["earned"] > found["before"]["earned"]
        assert _everything(engine) == before


@pytest.mark.postgres
class TestReading:
    def test_looks_at_nobody_else(self, postgres_engine: Engine) -> None:
        """What is asked of a batch of members is found by who they are, however many others there are."""
        shop, asked = _shop(postgres_engine, DEFAULT_DOCUMENT), []
        _live(postgres_engine, shop, [(NOW, joined(ADA))])

        def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
            if "ANY" in statement:
                asked.append((statement, parameters))

        event.listen(postgres_engine, "before_cursor_execute", keep)
        _preview(postgres_engine, shop, DEFAULT_DOCUMENT)
        event.remove(postgres_engine, "before_cursor_execute", keep)
        assert len(asked) == 7
        with postgres_engine.connect() as connection:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            for statement, parameters in asked:
                plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
                assert re.search(r"(Index|Recheck) Cond: .*ANY", "\n".join(plan)), statement


class TestFigures:
    def test_the_whole_story(self, runtime: Runtime, engine: Engine) -> None:
        """Points, money, who is affected and by how much: by hand, for a small life of a shop."""
        shop = _shop(engine, {**_dearer(1), "point_value": "0.02"})
        play(engine, shop)
        with reading(engine) as session:
            document = {**_dearer(2), "point_value": "0.02"}
            asked = preview.ask(session, shop, document, begins=None, now=NOW + timedelta(hours=1))
        found = preview.compare(runtime, shop.id or 0, asked)
        # Ada: 800 - 100 refunded, 100 for joining, 50 for a review, 500 spent. Bo: 40.50, joined (also as Cy), 7 taken by staff.
        assert found["books"]["earned"] == found["before"]["earned"] == 700 + 100 + 50 + 40 + 100
        assert found["after"]["earned"] == 1400 + 100 + 50 + 81 + 100
        assert [found[side]["redeemed"] for side in ("books", "before", "after")] == [500, 500, 500]
        assert [found[side]["adjusted"] for side in ("books", "before", "after")] == [-7, -7, -7]
        assert found["after"]["outstanding"] - found["before"]["outstanding"] == 741
        assert found["cost"] == found["liability_change"] == Decimal("14.82")
        assert (found["members"], found["orders"], found["gaining"], found["losing"]) == (2, 2, 2, 0)
        assert [(one["name"], one["difference"]) for one in found["most_affected"]] == [
            ("Ada Byron", 700),
            ("Ada Byron", 41),
        ]

    def test_tiers(self, runtime: Runtime, engine: Engine) -> None:
        """Who moves between which tiers is counted, and whether that is up or down."""
        ladder = [
            {"key": "silver", "title": "Silver", "threshold": 30},
            {"key": "gold", "title": "Gold", "threshold": 600},
        ]
        shop = _shop(engine, {**_dearer(1), "tiers": {"metric": "spent", "ladder": ladder}})
        play(engine, shop)
        steeper = [{**ladder[0], "threshold": 50}, {**ladder[1], "threshold": 500}]
        with reading(engine) as session:
            document = {**_dearer(1), "tiers": {"metric": "spent", "ladder": steeper}}
            asked = preview.ask(session, shop, document, begins=None, now=NOW + timedelta(hours=1))
        found = preview.compare(runtime, shop.id or 0, asked)
        assert found["before"]["tiers"] == {"gold": 1, "silver": 1}
        assert found["after"]["tiers"] == {"gold": 1}
        assert (
            found["tier_moves"]
            == found["tier_moves_from_books"]
            == [{"before": "silver", "after": None, "members": 1, "direction": "down"}]
        )
        assert (found["tiers_up"], found["tiers_down"]) == (0, 1)

    def test_products_that_nobody_knows(self, runtime: Runtime, engine: Engine) -> None:
        """Orders whose products are not known well enough for the changed program are counted, not guessed."""
        shop = _shop(engine, DEFAULT_DOCUMENT)
        play(engine, shop)
        document = _dearer(1)
        document["earn"]["order"]["goods"] = {"tags": ["tea"]}
        with reading(engine) as session:
            asked = preview.ask(session, shop, document, begins=None, now=NOW)
        assert preview.compare(runtime, shop.id or 0, asked)["orders_with_unknown_products"] == 2

    def test_mistakes(self, engine: Engine) -> None:
        """A document with a mistake is refused before anything begins."""
        shop = _shop(engine, DEFAULT_DOCUMENT)
        with reading(engine) as session, pytest.raises(ProgramInvalid):
            preview.ask(session, shop, {**DEFAULT_DOCUMENT, "guests": "sometimes"}, begins=None, now=NOW)


class TestRun:
    def test_equals_the_whole(
        self, runtime: Runtime, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that stops after every batch, and does one of them twice for having been killed, finds what is found at once."""
        monkeypatch.setattr(running, "BATCH", 1)
        monkeypatch.setattr(running, "STEP_SECONDS", 0.0)
        shop = _shop(engine, DEFAULT_DOCUMENT)
        play(engine, shop)
        with runtime.transaction() as session:
            asked = preview.ask(session, shop, _dearer(2), begins=None, now=NOW)
            run_id = preview.start(session, shop, asked, now=NOW).id
        assert run_id is not None
        killed = iter([False, True, False])

        def step(runtime: Runtime, view: runs.RunView) -> runs.Step:
            if next(killed, False):
                with contextlib.suppress(runs.RunStopped):
                    preview.step(runtime, replace(view, id=0))  # its work is lost before it is written down
            return preview.step(runtime, view)

        assert runs.advance(runtime, run_id, step) is None
        with reading(engine) as session:
            run = session.get_one(Run, run_id)
            found = preview.result(session, run)
        assert run.total == run.done == 2
        assert found == preview.compare(runtime, shop.id or 0, asked)
        assert "Ada" not in json.dumps([run.params, run.cursor])


def _dearer(rate: int) -> dict[str, Any]:
    """The program that a shop begins with, with so many points for each unit of money."""
    document = copy.deepcopy(DEFAULT_DOCUMENT)
    document["earn"]["order"]["rate"] = str(rate)
    return document
