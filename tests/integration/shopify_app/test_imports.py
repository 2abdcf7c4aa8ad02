"""Bringing in what a shop had before us."""

import pytest
from sqlmodel import select

from loyalty import runs
from loyalty.models import KlaviyoConnection, LedgerEntry, Member, OrderStanding, OutboxMessage, Run, RunItem
from shopify_app import imports

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
