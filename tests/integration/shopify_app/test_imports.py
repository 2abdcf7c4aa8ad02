"""Bringing in what a shop had before us."""

import pytest
from sqlmodel import SQLModel, select

from loyalty import runs
from loyalty.ledger import verify
from loyalty.models import KlaviyoConnection, LedgerEntry, Member, OrderStanding, OutboxMessage, Run, RunItem
from shopify_app import imports
from shopify_app.admin_api import AdminClient, Answer
from shopify_app.reread import reread

MANY = 1_250


def begin(store, kind: str, **params) -> int:
    """Start a run, or find the open one."""
    with store.runtime.transaction() as session:
        run = runs.start(session, store.shop().id, kind, params, now=store.runtime.clock())
        assert run.id is not None
        return run.id


def members(store) -> int:
    """How many members there are."""
    with store.runtime.reading() as session:
        return len(session.exec(select(Member.id)).all())


class TestCustomers:
    """The import that begins with the installation."""

    def test_all(self, unvisited):
        """Every customer becomes a member in silence, and the run tells how many there were."""
        store = unvisited
        store.act("POST", "/customers/synthetic", count=MANY)
        assert store.open_app().status_code == 200
        run = store.advance(begin(store, "customer_import"))
        assert (run.state, run.done, run.total, run.failed) == ("done", MANY, MANY, 0)
        assert members(store) == MANY
        assert store.rows(LedgerEntry) == []
        with store.runtime.reading() as session:
            person = session.exec(
                select(Member).where(Member.email == "person-7@people.fernandfig.shop")
            ).one()
        assert (person.state, bool(person.first_name)) == ("member", True)

    def test_nobody(self, store):
        """A shop without customers is done at once."""
        run = store.advance(begin(store, "customer_import"))
        assert (run.state, run.done) == ("done", 0)

    def test_twice(self, store):
        """A second import finds everybody and adds nobody."""
        store.act("POST", "/customers/synthetic", count=40)
        store.advance(begin(store, "customer_import"))
        run = store.advance(begin(store, "customer_import"))
        assert (run.state, run.done) == ("done", 40)
        assert members(store) == 40

    def test_lost_connection(self, store, monkeypatch):
        """A connection that is lost in the middle of the file costs only what was not settled."""
        monkeypatch.setattr(imports, "CHUNK", 100)
        store.act("POST", "/customers/synthetic", count=MANY)
        store.switch("/faults", place="bulk", kind="reset_before", times=2)
        run = store.advance(begin(store, "customer_import"))
        assert (run.state, run.done) == ("done", MANY)

    def test_killed(self, store, monkeypatch):
        """A run whose process dies between two chunks goes on behind the last settled one."""
        monkeypatch.setattr(imports, "CHUNK", 100)
        store.act("POST", "/customers/synthetic", count=MANY)
        run_id = begin(store, "customer_import")
        settle, calls = imports._settle, []

        class Killed(BaseException):
            """What ends a process."""

        def dying(*args, **kwargs):
            settle(*args, **kwargs)
            calls.append(1)
            if len(calls) == 3:
                raise Killed

        monkeypatch.setattr(imports, "_settle", dying)
        with pytest.raises(Killed):
            store.advance(run_id)
        with store.runtime.reading() as session:
            stopped = session.get_one(Run, run_id)
        assert (stopped.state, stopped.done) == ("running", 300)
        monkeypatch.setattr(imports, "_settle", settle)
        run = store.advance(run_id)
        assert (run.state, run.done) == ("done", MANY)
        assert members(store) == MANY

    def test_address_ran_out(self, store):
        """A file whose address ran out is asked for again."""
        store.act("POST", "/customers/synthetic", count=10)
        store.switch("/faults", place="bulk", kind="status", status=403)
        run = store.advance(begin(store, "customer_import"))
        assert (run.state, run.done) == ("done", 10)

    def test_file_is_gone(self, store):
        """When every address of a file is refused, another file is asked for."""
        store.act("POST", "/customers/synthetic", count=10)
        store.switch("/faults", place="bulk", kind="status", status=403, times=5)
        run = store.advance(begin(store, "customer_import"))
        assert (run.state, run.done, run.cursor["restarts"]) == ("done", 10, 1)

    def test_cancelled(self, store, monkeypatch):
        """A run that is cancelled stops, and keeps what it brought in."""
        monkeypatch.setattr(imports, "CHUNK", 100)
        store.act("POST", "/customers/synthetic", count=MANY)
        run_id = begin(store, "customer_import")
        settle = imports._settle

        def cancelling(runtime, view, *args):
            settle(runtime, view, *args)
            with runtime.transaction() as session:
                runs.cancel(session, view.shop_id, view.id, now=runtime.clock())

        monkeypatch.setattr(imports, "_settle", cancelling)
        run = store.advance(run_id)
        assert (run.state, run.done, members(store)) == ("cancelled", 100, 100)

    def test_no_right(self, store):
        """Without the right to read customers the run says which one it waits for, and goes on when it is given."""
        store.act("POST", "/customers/synthetic", count=10)
        store.act("POST", "/scopes", remove=["read_customers", "write_customers"])
        run_id = begin(store, "customer_import")
        assert "waiting for the permission read_customers" in store.until_it_says(run_id, "waiting for")
        store.act("POST", "/scopes", add=["read_customers"])
        store.settle()
        with store.runtime.reading() as session:
            assert session.get_one(Run, run_id).due_at <= store.runtime.clock()
        run = store.advance(run_id)
        assert (run.state, run.done, run.error) == ("done", 10, None)


class TestOrders:
    """The import of past orders."""

    def test_all(self, store):
        """Past orders earn as history: their points are there, and nothing that would start a flow is told."""
        customer = store.sign_up()
        store.buy("30.00", customer=customer, silent=True)
        store.buy("12.50", customer=customer, silent=True, shipping="5.00", tax_rate="0.1")
        store.buy("8.00", email="guest@fernandfig.shop", silent=True)
        store.receive()
        now = store.runtime.clock()
        with store.runtime.transaction() as session:
            session.add(
                KlaviyoConnection(shop_id=store.shop().id, road="oauth", state="connected", connected_at=now)
            )
        run = store.advance(begin(store, "order_import"))
        assert (run.state, run.done, run.total) == ("done", 3, 3)
        assert store.member(customer).balance == 100 + 30 + 12
        with store.runtime.reading() as session:
            told = session.exec(select(OutboxMessage).where(OutboxMessage.channel == "klaviyo")).all()
        assert {(row.kind, row.backfill) for row in told} == {("points_earned", True)}

    def test_since(self, store):
        """Only orders since a day are asked for."""
        store.buy("30.00", email="a@fernandfig.shop", silent=True, processed_at="2020-01-01T00:00:00Z")
        store.buy("30.00", email="a@fernandfig.shop", silent=True)
        run = store.advance(begin(store, "order_import", since="2021-01-01"))
        assert run.done == 1

    def test_bad_day(self, store):
        """A day that is none fails the run, and never gets into the query."""
        run = store.advance(begin(store, "order_import", since='2021-01-01" } }'))
        assert (run.state, run.error) == ("failed", "since_is_not_a_day")

    def test_beside_webhooks(self, store):
        """An order that came by webhook before is not paid for twice."""
        customer = store.sign_up()
        store.buy("30.00", customer=customer)
        store.settle()
        store.advance(begin(store, "order_import"))
        store.settle()
        assert store.member(customer).balance == 130

    def test_refunded(self, store):
        """An order that was refunded unheard is read again before points are taken back."""
        customer = store.sign_up()
        order = store.buy("30.00", customer=customer)
        store.settle()
        store.switch("/webhooks/modes", drop_percent=100)
        store.act("POST", f"/orders/{order['id']}/refund", full=True)
        store.advance(begin(store, "order_import"))
        store.settle()
        assert store.member(customer).balance == 100
        assert [row.authoritative for row in store.rows(OrderStanding)] == [True]

    def test_unreadable(self, store, monkeypatch):
        """A line that cannot be understood is counted and named; its neighbours are brought in."""
        store.buy("30.00", email="a@fernandfig.shop", silent=True)
        bad = store.buy("30.00", email="b@fernandfig.shop", silent=True)
        with store.sandbox.state.lock:
            store.sandbox.state.shop(store.domain).orders[bad["id"]].currency = ""
        run = store.advance(begin(store, "order_import"))
        assert (run.state, run.done, run.failed) == ("done", 1, 1)
        (item,) = store.rows(RunItem)
        assert item.subject == f"gid://shopify/Order/{bad['id']}"
        assert item.reason == "currencyCode is not a text"


PLACES = (
    {"address1": "12 Orchard Lane", "city": "Portland", "zip": "97205", "country_code": "US"},
    {"address1": "12 Müller-Straße", "address2": "Flat 3", "city": "Berlin", "zip": "10115", "country_code": "DE"},
    {"address1": "1 Main Street", "city": "Hamilton", "country_code": "BM", "first_name": "Iris"},
)  # fmt: skip


def marks(store) -> list[str | None]:
    """The marks of the orders that are known, in the order of their numbers."""
    rows = sorted(store.rows(OrderStanding), key=lambda row: row.order_id)
    return [row.snapshot.get("address_mark") for row in rows]


def forget_marks(store) -> None:
    """The orders as they were known before anybody asked where they went."""
    with store.runtime.transaction() as session:
        for row in session.exec(select(OrderStanding)).all():
            row.snapshot = {name: said for name, said in row.snapshot.items() if name != "address_mark"}


class TestAddresses:
    """Where imported orders went: a mark of it, where the app may see it."""

    def test_same_mark(self, store):
        """A webhook, an import and a reading of one order make the same mark; an import gives it to orders that were known without."""
        orders = [store.buy("30.00", email="a@fernandfig.shop", shipping_address=place) for place in PLACES]
        store.buy("30.00", email="b@fernandfig.shop", source_name="pos")
        store.receive()
        told = marks(store)
        assert [bool(mark) for mark in told] == [True, True, True, False]
        assert len(set(told)) == len(told)
        forget_marks(store)
        points, digest = ledger(store)
        run = store.advance(begin(store, "order_import"))
        assert (run.state, run.done, marks(store)) == ("done", 4, told)
        assert ledger(store) == (points, digest)
        api = AdminClient(store.runtime, store.config, store.shop().id, store.http)
        read = [reread(api, order["id"]).facts[0].order.address_mark for order in orders]
        assert read == told[:3]

    def test_nothing_but_marks(self, store):
        """Of an address nothing else is kept, in no table."""
        store.buy("30.00", email="a@fernandfig.shop", silent=True, shipping_address=PLACES[0])
        store.advance(begin(store, "order_import"))
        store.settle()
        assert all(marks(store))
        with store.runtime.reading() as session:
            for table in SQLModel.metadata.sorted_tables:
                rows = session.execute(table.select()).all()
                assert not [row for row in rows if "orchard" in str(row).casefold() or "97205" in str(row)]

    def test_not_approved(self, store):
        """An app that may not see addresses imports everything else, however Shopify says so, and loses no mark that it had. Once it is
        approved, another import brings the marks."""
        store.buy("30.00", email="a@fernandfig.shop", shipping_address=PLACES[0])
        store.receive()
        (known,) = marks(store)
        store.buy("12.00", email="b@fernandfig.shop", silent=True, shipping_address=PLACES[1])
        store.act("PATCH", "", protected_data="name,email")
        for answers in ("fail", "null", "refuse"):
            store.switch("/limits", bulk_unapproved=answers)
            run = store.advance(begin(store, "order_import"))
            assert (run.state, run.done, run.failed, run.cursor["restarts"]) == ("done", 2, 0, 0)
            assert bool(run.cursor.get("asks_less")) == (answers != "null")
            assert marks(store) == [known, None]
        store.act("PATCH", "", protected_data="level2")
        store.advance(begin(store, "order_import"))
        assert all(marks(store))

    def test_no_right(self, store):
        """What was refused for another reason is refused without addresses, too, and the run says why."""
        store.buy("30.00", email="a@fernandfig.shop", silent=True, shipping_address=PLACES[0])
        store.act("PATCH", "", protected_data="none")
        run = store.advance(begin(store, "order_import"))
        assert (run.state, run.error) == ("failed", "access_denied")

    def test_refused_reading(self, store, monkeypatch):
        """An order of which nothing is told because of its address is read without it."""
        order = store.buy("30.00", email="a@fernandfig.shop", shipping_address=PLACES[0])
        api = AdminClient(store.runtime, store.config, store.shop().id, store.http)
        store.act("PATCH", "", protected_data="name,email")
        (seen,) = reread(api, order["id"]).facts
        assert (seen.order.name, seen.order.address_mark) == (order["name"], None)
        store.act("PATCH", "", protected_data="level2")
        store.switch("/faults", place="graphql", kind="status", status=400, match="shippingAddress")
        (seen,) = reread(api, order["id"]).facts
        assert (seen.order.name, seen.order.address_mark) == (order["name"], None)
        ask = api.query
        nothing = Answer({"order": None}, ("UNSPECIFIED",))
        monkeypatch.setattr(
            api, "query", lambda text, said=None: nothing if "shippingAddress" in text else ask(text, said)
        )
        (seen,) = reread(api, order["id"]).facts
        assert (seen.order.name, seen.order.address_mark) == (order["name"], None)

    def test_erased(self, store):
        """The mark of an erased customer's order does not come back with an import."""
        customer = store.sign_up()
        order = store.buy("30.00", customer=customer, shipping_address=PLACES[0])
        store.settle()
        kept = store.sandbox.state.shop(store.domain).orders[order["id"]].shipping_address
        store.act("POST", f"/customers/{customer}/redact")
        store.settle()
        with store.sandbox.state.lock:
            # Shopify may keep the address for the merchant's books.
            store.sandbox.state.shop(store.domain).orders[order["id"]].shipping_address = kept
        store.advance(begin(store, "order_import"))
        assert marks(store) == [None]


def ledger(store) -> tuple[int, object]:
    """All points, and the digest of the ledger."""
    with store.runtime.reading() as session:
        balance = sum(session.exec(select(Member.balance)).all())
        return balance, verify.digest(session, store.shop().id)
