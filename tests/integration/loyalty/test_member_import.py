"""Members come over from a file: nothing changes before it shall, every line settles once, and the whole can be taken back."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from loyalty import member_import, programs, pruning, runs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import CustomerDeleted, CustomerSeen, CustomersMerged, Identity, PointsAdjusted
from loyalty.ledger import verify
from loyalty.member_import import checking, importing, undoing
from loyalty.models import ImportBatch, ImportChunk, ImportRow, LedgerEntry, Member, OutboxMessage, Run, Shop
from loyalty.points import absorb
from loyalty.runs import RunView, Step
from loyalty.runtime import Runtime
from loyalty.staff import adjust
from tests.integration.loyalty.conftest import NOW

ADA = "ada@fernandfig.shop"
BO = "bo@fernandfig.shop"
LONG_AGO = NOW - timedelta(days=900)


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs."""


def upload(runtime: Runtime, shop: Shop, text: str | bytes, *, batch: str = "b1", **options: Any) -> str:
    """Keep a file; returns its import's id."""
    data = text if isinstance(text, bytes) else text.encode()
    with runtime.transaction() as session:
        kept = member_import.upload(
            session,
            session.get_one(Shop, shop.id),
            io.BytesIO(data),
            batch_id=batch,
            file_name="members.csv",
            author="staff:1",
            now=runtime.clock(),
            **options,
        )
        return kept.id


def follow(runtime: Runtime, run_id: int, step: Callable[[Runtime, RunView], Step] | None = None) -> Run:
    """Advance a run to its end."""
    with runtime.reading() as session:
        kind = session.get_one(Run, run_id).kind
    while runs.advance(runtime, run_id, step or member_import.STEPS[kind], seconds=60) is not None:
        pass
    with runtime.reading() as session:
        return session.get_one(Run, run_id)


def start(runtime: Runtime, shop: Shop, batch_id: str, what: str, **options: Any) -> int:
    """Begin one of the runs of an import."""
    begin = {
        "check": member_import.start_check,
        "import": member_import.start_import,
        "undo": member_import.start_undo,
    }
    with runtime.transaction() as session:
        batch = member_import.one(session, shop.id or 0, batch_id)
        assert batch is not None
        run_id = begin[what](session, batch, now=runtime.clock(), **options).id
    assert run_id is not None
    return run_id


def check(
    runtime: Runtime, shop: Shop, text: str | bytes, *, batch: str = "b1", **options: Any
) -> ImportBatch:
    """Upload a file and look through it."""
    upload(runtime, shop, text, batch=batch, **options)
    run = follow(runtime, start(runtime, shop, batch, "check"))
    assert (run.state, run.error) == ("done", None)
    return of(runtime, shop, batch)


def bring(
    runtime: Runtime, shop: Shop, text: str | bytes, *, batch: str = "b1", **options: Any
) -> ImportBatch:
    """Upload a file, look through it and import it."""
    check(runtime, shop, text, batch=batch, **options)
    run = follow(runtime, start(runtime, shop, batch, "import"))
    assert (run.state, run.error) == ("done", None)
    return of(runtime, shop, batch)


def of(runtime: Runtime, shop: Shop, batch_id: str) -> ImportBatch:
    """An import as it is now."""
    with runtime.reading() as session:
        batch = member_import.one(session, shop.id or 0, batch_id)
        assert batch is not None
        return batch


def trouble(runtime: Runtime, batch: ImportBatch) -> list[tuple[int, list[tuple[str, str]]]]:
    """Every bad line with all that is wrong with it."""
    with runtime.reading() as session:
        return [
            (row.line, list(member_import.mistakes(row)))
            for row in member_import.trouble_lines(session, batch)
        ]


def member(runtime: Runtime, email: str) -> Member | None:
    """The member with an address."""
    with runtime.reading() as session:
        return session.exec(select(Member).where(Member.email == email)).first()


def join(runtime: Runtime, shop: Shop, customer_id: int, email: str) -> None:
    """Somebody has had an account since before the installation: a member without points."""
    seen = CustomerSeen(Identity(customer_id, email), "Ada", "Byron", "en", LONG_AGO, NOW, history=True)
    with runtime.transaction() as session:
        absorb(session, session.get_one(Shop, shop.id), [seen], now=NOW)


def entries(runtime: Runtime, email: str) -> list[LedgerEntry]:
    """A member's movements of points."""
    with runtime.reading() as session:
        return list(
            session.exec(
                select(LedgerEntry)
                .join(Member, col(Member.id) == col(LedgerEntry.member_id))
                .where(Member.email == email)
                .order_by(col(LedgerEntry.position))
            )
        )


def balances(runtime: Runtime) -> dict[int, int]:
    """Every balance that is not nothing."""
    with runtime.reading() as session:
        return {row.id: row.balance for row in session.exec(select(Member)) if row.id and row.balance}


def tiered(runtime: Runtime, shop: Shop, **changes: Any) -> None:
    """Give the program two tiers, and whatever else."""
    ladder = [
        {"key": "silver", "title": "Silver", "threshold": "100"},
        {"key": "gold", "title": "Gold Circle", "threshold": "500"},
    ]
    document = DEFAULT_DOCUMENT | {"tiers": {"metric": "spent", "ladder": ladder}} | changes
    with runtime.transaction() as session:
        programs.apply(session, shop.id or 0, document, author="test", now=NOW)


class TestUpload:
    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"", "empty"),
            (b"name,points\nAda,1\n", "no column for the e-mail"),
            (b"email,points\n", "nothing below"),
            (b"PK\x03\x04\x00\x01\x02" + bytes(range(256)) * 9, "not text"),
        ],
    )
    def test_refused(self, runtime, shop, data, words):
        """What members cannot be read from is refused with the reason, and nothing of it is kept."""
        with pytest.raises(member_import.UploadRefused, match=words):
            upload(runtime, shop, data)
        with runtime.reading() as session:
            assert session.exec(select(ImportBatch)).first() is None
            assert session.exec(select(ImportChunk)).first() is None

    def test_name(self, runtime, shop):
        """Of a file's name neither a path nor anything unprintable is kept."""
        with runtime.transaction() as session:
            batch = member_import.upload(
                session,
                session.get_one(Shop, shop.id),
                io.BytesIO(b"email\nada@fernandfig.shop\n"),
                batch_id="b1",
                file_name="C:\\Users\\ada\\points\x00.csv",
                author="x",
                now=NOW,
            )
            assert batch.file_name == "points.csv"


class TestDryRun:
    def test_changes_nothing(self, runtime, shop):
        """The dry run says what would happen and leaves every member as they are."""
        join(runtime, shop, 7001, ADA)
        batch = check(runtime, shop, f"email,points\n{ADA},120\n{BO},30\n")
        assert batch.state == "checked"
        assert {name: batch.report[name] for name in ("good", "bad", "known", "new", "points", "moved")} == {
            "good": 2, "bad": 0, "known": 1, "new": 1, "points": 150, "moved": 2,
        }  # fmt: skip
        assert batch.report["largest"] == [
            {"line": 2, "change": 120, "balance": 0},
            {"line": 3, "change": 30, "balance": 0},
        ]
        assert balances(runtime) == {}
        assert member(runtime, BO) is None

    def test_report(self, runtime, shop):
        """Every bad line is reported with everything that is wrong with it, twins included."""
        tiered(runtime, shop)
        batch = check(
            runtime,
            shop,
            "email,points,tier,birthday\n"
            "ada@fernandfig.shop,x,platinum,31/31\n"
            "\n"
            " BO@fernandfig.shop ,5,gold circle,\n"
            "bo@fernandfig.shop,6,,\n"
            "cy@fernandfig.shop,1,2,3,4\n"
            '"dee,7\n'
            "eve@fernandfig.shop,8,,12-25\n",
        )
        assert batch.report["good"] == 1
        assert batch.report["bad"] == 5
        assert trouble(runtime, batch) == [
            (
                2,
                [
                    ("points", "is not a whole number (write it without separators, like 52620)"),
                    ("tier", "is not a tier of the program"),
                    ("birthday", "is not a birthday (write 1990-12-25, 12-25 or 12/25/1990)"),
                ],
            ),
            (4, [("", "is about the same person as line 5")]),
            (5, [("", "is about the same person as line 4")]),
            (6, [("", "has 5 cells where the header has 4: is a comma not quoted?")]),
            (7, [("", "a quotation mark is opened and not closed")]),
        ]

    def test_twin_of_a_bad_line(self, runtime, shop):
        """A line whose twin is bad is bad too: nobody can tell which of them is meant."""
        batch = check(runtime, shop, f"email,points\n{ADA},many\n{ADA},5\n")
        assert (batch.report["good"], batch.report["bad"]) == (0, 2)

    def test_twin_customers(self, runtime, shop):
        """Two addresses with one customer's number are one person."""
        batch = check(runtime, shop, f"email,customer_id,points\n{ADA},7001,1\n{BO},7001,5\n")
        assert batch.report["bad"] == 2

    def test_unknown_customer(self, runtime, shop):
        """A line with nothing but the number of a customer whom nobody knows cannot make a member."""
        join(runtime, shop, 7001, ADA)
        batch = check(runtime, shop, "email,customer_id,points\n,7001,1\n,7002,5\n")
        assert (batch.report["good"], batch.report["known"], batch.report["bad"]) == (1, 1, 1)
        assert trouble(runtime, batch)[0][1] == [
            ("", "No member has this customer number: add the e-mail address.")
        ]

    def test_refused(self, runtime, shop):
        """What the import would have to skip is named beforehand, and no sum counts it: whoever is gone, and balances below zero."""
        join(runtime, shop, 7001, ADA)
        bring(runtime, shop, f"email,points\n{BO},30\n", batch="b0")
        with runtime.transaction() as session:
            absorb(session, session.get_one(Shop, shop.id), [CustomerDeleted(7001)], now=NOW)
        batch = check(
            runtime, shop, f"email,points\n{ADA},5\n{BO},-31\nnew@fernandfig.shop,-1\nx@fernandfig.shop,2\n"
        )
        assert [batch.report[name] for name in ("good", "bad", "points", "taken")] == [1, 3, 2, 0]
        assert trouble(runtime, batch) == [
            (2, [("", "The customer was deleted in Shopify.")]),
            (3, [("", "It would take the balance below zero.")]),
            (4, [("", "It would take the balance below zero.")]),
        ]
        enough = check(runtime, shop, f"email,points\n{BO},-30\n", batch="b2")
        assert (enough.report["good"], enough.report["taken"]) == (1, 30)

    def test_set(self, runtime, shop):
        """Where balances are set, the changes are the differences, up and down."""
        join(runtime, shop, 7001, ADA)
        bring(runtime, shop, f"email,points\n{ADA},100\n")
        batch = check(runtime, shop, f"email,points\n{ADA},40\n{BO},7\n", batch="b2", mode="set")
        assert (batch.report["points"], batch.report["taken"]) == (-53, 60)
        assert batch.report["largest"][0] == {"line": 2, "change": -60, "balance": 100}

    def test_killed(self, runtime, shop, hands, monkeypatch):
        """A dry run that is killed goes on where it was, through every line once."""
        monkeypatch.setattr(checking, "LINES_AT_ONCE", 7)
        text = "email,points\n" + "".join(f'p{n}@fernandfig.shop,"{n}"\n\n' for n in range(1, 41))
        upload(runtime, shop, text)
        run_id = start(runtime, shop, "b1", "check")
        save, saved = runs.save, []

        def save_and_die(*args, **options):
            save(*args, **options)
            saved.append(options)
            if len(saved) == 3:
                raise Killed

        monkeypatch.setattr(runs, "save", save_and_die)
        with pytest.raises(Killed):
            follow(runtime, run_id)
        monkeypatch.setattr(runs, "save", save)
        hands.later(runtime.lease_seconds + 1)
        run = follow(runtime, run_id)
        batch = of(runtime, shop, "b1")
        assert (run.state, run.done, batch.report["good"], batch.report["points"]) == ("done", 40, 40, 820)
        with runtime.reading() as session:
            lines = session.exec(select(ImportRow.line).order_by(col(ImportRow.number))).all()
        assert lines == [2 + 2 * n for n in range(40)]

    def test_many_pieces(self, runtime, shop, monkeypatch):
        """A file of many pieces, with records across their ends, is read as one."""
        monkeypatch.setattr("loyalty.member_file.encoding.PIECE", 64)
        text = "email,points,first_name\n" + "".join(
            f'p{n}@fernandfig.shop,1,"Ada\nthe {n}."\n' for n in range(60)
        )
        batch = check(runtime, shop, text.replace("the", "the").replace('"Ada\n', '"Ada '))
        assert (batch.report["good"], batch.report["points"]) == (60, 60)
        broken = check(runtime, shop, text, batch="b2")
        assert broken.report["bad"] == 60  # a name with a line end in it is no name
        with runtime.reading() as session:
            assert session.exec(select(ImportChunk)).first() is None

    def test_discard(self, runtime, shop):
        """An import that was never begun can be thrown away whole."""
        check(runtime, shop, f"email,points\n{ADA},120\n")
        with runtime.transaction() as session:
            batch = member_import.one(session, shop.id, "b1")
            assert member_import.discard(session, batch)
        with runtime.reading() as session:
            assert session.exec(select(ImportRow)).first() is None
            assert session.exec(select(ImportBatch)).first() is None


class TestPruning:
    def test_forgotten(self, runtime, shop, hands, monkeypatch):
        """A file that nobody went on with goes after a month; what was imported stays, so that it can be taken back."""
        monkeypatch.setattr(pruning, "ROWS_AT_ONCE", 2)
        bring(runtime, shop, f"email,points\n{ADA},120\n")
        check(runtime, shop, f"email,points\n{ADA},1\n{BO},2\nbad,3\n", batch="b2")
        upload(runtime, shop, f"email,points\n{ADA},5\n", batch="b3")
        pruning.prune(runtime)
        assert of(runtime, shop, "b2").state == "checked"
        hands.later(31 * 86_400)
        pruning.prune(runtime)
        with runtime.reading() as session:
            assert session.exec(select(ImportBatch.id)).all() == ["b1"]
            assert session.exec(select(ImportRow.state)).all() == ["done"]
            assert session.exec(select(ImportChunk)).first() is None


class TestImport:
    def test_adds(self, runtime, shop):
        """Known members get the points on top, unknown ones become guests; the books hold and explain it."""
        join(runtime, shop, 7001, ADA)
        batch = bring(
            runtime,
            shop,
            f"email,points,lifetime_points,first_name\n{ADA.upper()},120,900,Augusta\n{BO},30,,Bo\n",
        )
        assert batch.state == "imported"
        ada, bo = member(runtime, ADA), member(runtime, BO)
        assert (ada.balance, ada.lifetime_earned, ada.first_name) == (120, 0, "Ada")
        assert (bo.balance, bo.state, bo.joined_at, bo.first_name) == (30, "guest", None, "Bo")
        (entry,) = entries(runtime, ADA)
        assert (entry.kind, entry.source_kind, entry.source_ref) == ("import", "import", "b1:1")
        assert entry.why == {
            "told": 120,
            "mode": "add",
            "line": 2,
            "format": "laurel",
            "lifetime_points": 900,
        }
        with runtime.reading() as session:
            assert list(verify.verify(session)) == []

    def test_silent(self, runtime, shop):
        """Klaviyo is told of no event, only to show other points; Shopify gets the new balances of customers."""
        join(runtime, shop, 7001, ADA)
        with runtime.reading() as session:
            before = {row.id for row in session.exec(select(OutboxMessage))}
        bring(runtime, shop, f"email,points\n{ADA},120\n{BO},30\n")
        with runtime.reading() as session:
            told = [row for row in session.exec(select(OutboxMessage)) if row.id not in before]
        assert sorted((row.channel, row.kind) for row in told) == [
            ("klaviyo_profile", "profile"),
            ("klaviyo_profile", "profile"),
            ("shopify", "balance_metafield"),
        ]

    def test_set(self, runtime, shop):
        """A balance is set by the difference, under the lock of the member, and an empty cell leaves it."""
        join(runtime, shop, 7001, ADA)
        join(runtime, shop, 7002, BO)
        bring(runtime, shop, f"email,points\n{ADA},100\n{BO},9\n")
        bring(runtime, shop, f"email,points\n{ADA},40\n{BO},\n", batch="b2", mode="set")
        assert (member(runtime, ADA).balance, member(runtime, BO).balance) == (40, 9)
        assert entries(runtime, ADA)[-1].why["balance_before"] == 100

    def test_by_customer(self, runtime, shop):
        """The customer's number counts more than an address that has changed since."""
        join(runtime, shop, 7001, ADA)
        bring(runtime, shop, "email,customer_id,points\nada.old@fernandfig.shop,7001,120\n")
        assert member(runtime, ADA).balance == 120
        assert member(runtime, "ada.old@fernandfig.shop") is None

    def test_person(self, runtime, shop):
        """Tier, birthday, referral code and enrolment come over; what a member said of themselves stays."""
        tiered(runtime, shop)
        join(runtime, shop, 7001, ADA)
        bring(
            runtime,
            shop,
            "email,tier,tier_until,birthday,referral_code,joined_at\n"
            f"{ADA},Gold Circle,2027-01-01,1990-12-25,ADA-1,2019-05-01\n"
            f"{BO},silver,2026-01-01,,ADA-1,2019-05-01\n",
        )
        ada, bo = member(runtime, ADA), member(runtime, BO)
        assert (ada.hand_tier, ada.hand_tier_until) == ("gold", datetime(2027, 1, 1, tzinfo=UTC))
        assert (ada.tier, ada.hand_tier_by) == ("gold", "the import of members.csv")
        assert (ada.birthday_month, ada.birthday_day) == (12, 25)
        assert ada.birthday_told_at == ada.joined_at == datetime(2019, 5, 1, tzinfo=UTC)
        assert ada.referral_code == "ADA-1"
        # A tier that has ended is none, a code that is taken stays with whoever has it, and a guest has not joined.
        assert (bo.hand_tier, bo.referral_code, bo.joined_at) == (None, None, None)
        bring(runtime, shop, f"email,birthday\n{ADA},01-01\n", batch="b2")
        assert member(runtime, ADA).birthday_month == 12

    def test_earned_at(self, runtime, shop):
        """Points keep the day on which they were earned, and end on the day on which they would have ended."""
        tiered(runtime, shop, expiry={"kind": "age", "months": 12})
        bring(
            runtime,
            shop,
            "email,points,points_earned_at,points_expire_at\n"
            f"{ADA},10,2026-03-05,\n{BO},20,,2027-02-07\ncy@fernandfig.shop,30,,2031-01-01\n",
        )
        assert entries(runtime, ADA)[0].occurred_at == datetime(2026, 3, 5, tzinfo=UTC)
        assert entries(runtime, BO)[0].occurred_at == datetime(2026, 2, 7, tzinfo=UTC)
        assert entries(runtime, "cy@fernandfig.shop")[0].occurred_at == NOW
        assert entries(runtime, BO)[0].why["told_expiry"].startswith("2027-02-07")

    def test_below_zero(self, runtime, shop):
        """A line that would take the balance below zero by the time of the import is skipped with its reason; the others go on."""
        join(runtime, shop, 7001, ADA)
        bring(runtime, shop, f"email,points\n{ADA},5\n", batch="b0")
        check(runtime, shop, f"email,points\n{ADA},-5\n{BO},7\n")
        bring(runtime, shop, f"email,points\n{ADA},-2\n", batch="b2")
        follow(runtime, start(runtime, shop, "b1", "import"))
        batch = of(runtime, shop, "b1")
        assert member(runtime, BO).balance == 7
        assert trouble(runtime, batch) == [(2, [("", "It would take the balance below zero.")])]

    def test_same_member(self, runtime, shop):
        """A customer's number and an address that turn out to be one member's count once."""
        join(runtime, shop, 7001, ADA)
        batch = bring(runtime, shop, f"email,customer_id,points\n{ADA},,5\nada.old@fernandfig.shop,7001,7\n")
        assert member(runtime, ADA).balance == 5
        assert [line for line, _ in trouble(runtime, batch)] == [3]

    def test_gone(self, runtime, shop):
        """Nobody whose customer record is gone is given points."""
        join(runtime, shop, 7001, ADA)
        with runtime.transaction() as session:
            absorb(session, session.get_one(Shop, shop.id), [CustomerDeleted(7001)], now=NOW)
        batch = bring(runtime, shop, f"email,points\n{ADA},5\n")
        assert trouble(runtime, batch) == [(2, [("", "The customer was deleted in Shopify.")])]

    def test_later_customer(self, runtime, shop):
        """A guest of an import who makes an account has the points there."""
        bring(runtime, shop, f"email,points\n{BO},30\n")
        seen = CustomerSeen(Identity(7002, BO), "Bo", "Bird", "en", LONG_AGO, NOW, history=True)
        with runtime.transaction() as session:
            absorb(session, session.get_one(Shop, shop.id), [seen], now=NOW)
        assert (member(runtime, BO).shopify_customer_id, member(runtime, BO).balance) == (7002, 30)

    @pytest.mark.parametrize("die_after", [1, 2])
    def test_killed(self, runtime, shop, hands, monkeypatch, die_after):
        """An import that is killed goes on where it was and gives nothing twice."""
        monkeypatch.setattr(importing, "ROWS_AT_ONCE", 4)
        text = "email,points\n" + "".join(f"p{n}@fernandfig.shop,{n}\n" for n in range(1, 11))
        check(runtime, shop, text)
        run_id = start(runtime, shop, "b1", "import")

        def step(runtime: Runtime, view: RunView) -> Step:
            importer, done = importing._import, list[int]()

            def once(*args, **options):
                if len(done) == die_after:
                    raise Killed
                done.append(1)
                return importer(*args, **options)

            monkeypatch.setattr(importing, "_import", once)
            try:
                return importing.import_step(runtime, view)
            finally:
                monkeypatch.setattr(importing, "_import", importer)

        with pytest.raises(Killed):
            follow(runtime, run_id, step)
        assert sum(balances(runtime).values()) == sum(range(1, 4 * die_after + 1))
        hands.later(runtime.lease_seconds + 1)
        run = follow(runtime, run_id)
        assert (run.state, run.done) == ("done", 10)
        assert sum(balances(runtime).values()) == 55
        with runtime.reading() as session:
            assert list(verify.verify(session)) == []

    def test_killed_at_its_end(self, runtime, shop, hands):
        """Whoever is killed right after the last piece leaves a run that is done, not one that finds its import over and fails."""

        def dying(runtime: Runtime, view: RunView) -> Step:
            if member_import.STEPS[view.kind](runtime, view).finished:
                raise Killed
            return Step()

        upload(runtime, shop, f"email,points\n{ADA},120\n")
        for what in ("check", "import", "undo"):
            run_id = start(runtime, shop, "b1", what)
            with pytest.raises(Killed):
                follow(runtime, run_id, dying)
            hands.later(runtime.lease_seconds + 1)
            run = follow(runtime, run_id)
            assert (run.state, run.error, run.done) == ("done", None, 1)

    def test_forgets_the_file(self, runtime, shop):
        """After the import no line keeps an address or what it said: the members have it."""
        bring(runtime, shop, f"email,points,birthday\n{ADA},1,12-25\nbad,2,\n{BO},x,\n")
        with runtime.reading() as session:
            rows = session.exec(select(ImportRow)).all()
        assert {(row.email, row.customer_id, str(row.told)) for row in rows} == {(None, None, "{}")}

    def test_again(self, runtime, shop):
        """The very same file is refused a second time, unless it is meant."""
        text = f"email,points\n{ADA},120\n"
        bring(runtime, shop, text)
        check(runtime, shop, text, batch="b2")
        with pytest.raises(member_import.AlreadyImported) as refused:
            start(runtime, shop, "b2", "import")
        assert refused.value.batch_id == "b1"
        follow(runtime, start(runtime, shop, "b2", "import", again=True))
        assert member(runtime, ADA).balance == 240

    def test_one_at_a_time(self, runtime, shop):
        """While one import is under way no other begins."""
        check(runtime, shop, f"email,points\n{ADA},120\n")
        check(runtime, shop, f"email,points\n{ADA},121\n", batch="b2")
        start(runtime, shop, "b1", "import")
        with pytest.raises(member_import.ImportBusy):
            start(runtime, shop, "b2", "import")

    def test_not_before_the_dry_run(self, runtime, shop):
        """Nothing is imported that was not looked through."""
        upload(runtime, shop, f"email,points\n{ADA},120\n")
        with pytest.raises(member_import.NotReady):
            start(runtime, shop, "b1", "import")


class TestUndo:
    def test_all_back(self, runtime, shop):
        """Undoing brings every balance and person back, by entries against entries, and the books hold."""
        tiered(runtime, shop)
        join(runtime, shop, 7001, ADA)
        with runtime.transaction() as session:
            fact = PointsAdjusted(50, "gift", "For you", "staff", NOW)
            adjust(session, session.get_one(Shop, shop.id), member(runtime, ADA), fact, now=NOW)
        before, person = balances(runtime), member(runtime, ADA)
        bring(
            runtime,
            shop,
            f"email,points,tier,birthday,referral_code,joined_at\n{ADA},120,gold,12-25,ADA-1,2019-05-01\n{BO},30,,,,\n",
        )
        run = follow(runtime, start(runtime, shop, "b1", "undo"))
        assert (run.state, run.done) == ("done", 2)
        assert of(runtime, shop, "b1").state == "undone"
        assert balances(runtime) == before
        after = member(runtime, ADA)
        for name in (
            "hand_tier",
            "hand_tier_by",
            "tier",
            "birthday_month",
            "birthday_told_at",
            "referral_code",
            "joined_at",
        ):
            assert getattr(after, name) == getattr(person, name), name
        assert [(entry.kind, entry.points) for entry in entries(runtime, ADA)[1:]] == [
            ("import", 120),
            ("import", -120),
        ]
        with runtime.reading() as session:
            assert list(verify.verify(session)) == []

    def test_code_taken(self, runtime, shop):
        """A referral code that somebody else was given since stays with them, and everything else comes back."""
        join(runtime, shop, 7001, ADA)
        bring(runtime, shop, f"email,points,referral_code\n{ADA},1,OLD-1\n", batch="a1")
        before = member(runtime, ADA).balance
        bring(runtime, shop, f"email,points,referral_code\n{ADA},120,NEW-1\n")
        bring(runtime, shop, f"email,points,referral_code\n{BO},10,OLD-1\n", batch="c1")

        run = follow(runtime, start(runtime, shop, "b1", "undo"))
        assert (run.state, run.done) == ("done", 1)
        assert member(runtime, BO).referral_code == "OLD-1"
        assert member(runtime, ADA).referral_code == "NEW-1"
        assert member(runtime, ADA).balance == before

    def test_changed_since(self, runtime, shop):
        """What was changed since the import stays as it was changed."""
        tiered(runtime, shop)
        join(runtime, shop, 7001, ADA)
        bring(runtime, shop, f"email,points,tier,referral_code\n{ADA},120,gold,ADA-1\n")
        with runtime.transaction() as session:
            row = session.get_one(Member, member(runtime, ADA).id)
            row.hand_tier = "silver"
            session.add(row)
        follow(runtime, start(runtime, shop, "b1", "undo"))
        after = member(runtime, ADA)
        assert (after.hand_tier, after.referral_code, after.balance) == ("silver", None, 0)

    def test_spent_since(self, runtime, shop):
        """Points that were spent meanwhile are owed."""
        join(runtime, shop, 7001, ADA)
        bring(runtime, shop, f"email,points\n{ADA},120\n")
        with runtime.transaction() as session:
            fact = PointsAdjusted(-100, "spent", "For you", "staff", NOW)
            adjust(session, session.get_one(Shop, shop.id), member(runtime, ADA), fact, now=NOW)
        follow(runtime, start(runtime, shop, "b1", "undo"))
        assert member(runtime, ADA).balance == -100

    def test_half_an_import(self, runtime, shop, monkeypatch):
        """An import that was cancelled half-way can be gone on with, or undone as far as it came."""
        monkeypatch.setattr(importing, "ROWS_AT_ONCE", 4)
        monkeypatch.setattr(Runtime, "step_seconds", 0)
        text = "email,points\n" + "".join(f"p{n}@fernandfig.shop,{n}\n" for n in range(1, 11))
        check(runtime, shop, text)
        run_id = start(runtime, shop, "b1", "import")
        assert runs.advance(runtime, run_id, importing.import_step, seconds=0) == 0
        with runtime.transaction() as session:
            runs.cancel(session, shop.id, run_id, now=runtime.clock())
        assert follow(runtime, run_id).state == "cancelled"
        assert sum(balances(runtime).values()) == 10
        run = follow(runtime, start(runtime, shop, "b1", "undo"))
        assert (run.state, run.done, balances(runtime)) == ("done", 4, {})
        with runtime.reading() as session:
            lines = session.exec(select(ImportRow)).all()
        assert [line for line in lines if line.email or line.told] == [], (
            "whom the rest was about is forgotten"
        )

    def test_killed(self, runtime, shop, hands, monkeypatch):
        """An undoing that is killed goes on where it was and takes nothing twice."""
        monkeypatch.setattr(undoing, "ROWS_AT_ONCE", 4)
        text = "email,points\n" + "".join(f"p{n}@fernandfig.shop,{n}\n" for n in range(1, 11))
        bring(runtime, shop, text)
        run_id = start(runtime, shop, "b1", "undo")
        undo, done = undoing._undo, list[int]()

        def dying(*args, **options):
            if len(done) == 1:
                raise Killed
            done.append(1)
            undo(*args, **options)

        monkeypatch.setattr(undoing, "_undo", dying)
        with pytest.raises(Killed):
            follow(runtime, run_id)
        monkeypatch.setattr(undoing, "_undo", undo)
        hands.later(runtime.lease_seconds + 1)
        follow(runtime, run_id)
        assert balances(runtime) == {}
        with runtime.reading() as session:
            assert list(verify.verify(session)) == []

    def test_merged_since(self, runtime, shop):
        """Whoever has become a part of somebody else is found there."""
        join(runtime, shop, 7001, ADA)
        join(runtime, shop, 7002, BO)
        bring(runtime, shop, f"email,points\n{ADA},120\n{BO},30\n")
        with runtime.transaction() as session:
            absorb(session, session.get_one(Shop, shop.id), [CustomersMerged(7001, 7002, NOW)], now=NOW)
        assert member(runtime, ADA).balance == 150
        follow(runtime, start(runtime, shop, "b1", "undo"))
        assert member(runtime, ADA).balance == 0
