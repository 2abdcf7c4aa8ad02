"""A shop's life with the app, over real HTTP in both directions and on both databases."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from loyalty import inbox, outbox, programs, runs
from loyalty.core.facts import OrderLine, OrderSeen, OrderUnreadable, RewardRequested
from loyalty.delivery import Delivered, Dropped, Later
from loyalty.models import InboxMessage, LedgerEntry, Member, OrderStanding, OutboxMessage, RewardIssue, Run
from loyalty.points import absorb
from loyalty.redemption import request_reward
from loyalty.sending import drain_outbox
from shopify_app import documents, imports
from shopify_app.admin_api import AdminClient
from shopify_app.confirming import confirm_installed
from shopify_app.gids import gid
from shopify_app.lifecycle import look_again
from shopify_app.order_node import snapshot_of_node
from shopify_app.reread import ATTEMPTS_TO_SEE, reread
from shopify_app.reward_codes import reward_code, title_of
from shopify_app.translate import translate


def redeem(store, customer_id: int, key: str = "key-00000001", reward: str = "five_off") -> RewardIssue:
    """A member asks for a reward."""
    now = store.runtime.clock()
    with store.runtime.transaction() as session:
        shop = session.get_one(type(store.shop()), store.shop().id)
        member = session.get_one(Member, store.member(customer_id).id)
        asked = RewardRequested(reward, key, f"issue-{key}", now)
        return request_reward(session, shop, member, asked, now=now)


class TestInstall:
    """The first visit, against the local Shopify."""

    def test_visit(self, store):
        """The visit brings tokens and details; the queued work then puts the program where themes read it."""
        shop = store.shop()
        assert (shop.name, shop.currency) == ("Fern & Fig", "USD")
        assert "write_discounts" in shop.scopes
        store.settle()
        written = json.loads(store.metafield(installation(store), "program"))
        assert written["points_name"] == {"one": "point", "many": "points"}
        assert written["earn"][0]["detail"] == "1 point for every $1 spent"
        german = json.loads(store.metafield(installation(store), "program_de"))
        assert german["earn"][0]["detail"] == "1 point je $1 Einkaufswert"
        (reward,) = written["rewards"]
        assert (reward["key"], reward["title"], reward["points"]) == ("five_off", "$5 off", 500)
        assert written["proxy"] == "/apps/laurel"

    def test_waiting_deliveries(self, unvisited):
        """What arrived before the first visit waits for it and counts."""
        customer = unvisited.sign_up()
        unvisited.buy(customer=customer)
        assert unvisited.sandbox.state.sender.idle(60)
        assert unvisited.open_app().status_code == 200
        unvisited.settle()
        assert unvisited.member(customer).balance == 100 + (
            0 if unvisited.member(customer).joined_at < unvisited.shop().first_installed_at else 100
        )

    def test_uninstall_and_back(self, store):
        """Removing the app takes the tokens and stops the sending; coming back finds everything as it was."""
        customer = store.sign_up()
        store.settle()
        balance = store.member(customer).balance
        store.act("POST", "/uninstall")
        store.receive()
        gone = store.shop()
        assert gone.uninstalled_at is not None
        assert (gone.access_token, gone.refresh_token, gone.scopes) == (None, None, "")
        assert {run.state for run in store.rows(Run)} <= {"cancelling", "cancelled"}
        store.act("POST", "/install")
        assert store.open_app().status_code == 200
        back = store.shop()
        assert (back.id, back.uninstalled_at, back.first_installed_at) == (
            gone.id,
            None,
            gone.first_installed_at,
        )
        assert store.member(customer).balance == balance
        owner = gid("Customer", customer)
        with store.sandbox.state.lock:
            kept = store.sandbox.state.shop(store.domain)
            kept.metafields = {key: value for key, value in kept.metafields.items() if key[0] != owner}
        store.settle()
        assert store.metafield(owner, "points") == str(balance)

    def test_late_uninstall(self, store):
        """An old message of a removal, come late after the return, does not switch the shop off."""
        store.act("POST", "/uninstall")
        store.receive()
        (old,) = store.sandbox.state.sender.deliveries(topic="app/uninstalled")
        store.act("POST", "/install")
        store.open_app()
        store.settle()
        copy = {**old.headers, "X-Shopify-Webhook-Id": "another-delivery"}
        assert store.http.post(old.uri, data=old.body, headers=copy, timeout=30).status_code == 200
        store.settle()
        assert store.shop().uninstalled_at is None
        assert [row.state for row in store.outbox("confirm_installed")] == ["delivered"]

    def test_unheard_uninstall(self, store):
        """A removal and a return that nobody heard of: all is told anew, and the message of the removal, come at last, is not believed."""
        customer = store.sign_up()
        store.receive()
        store.switch("/webhooks/modes", hold=True)
        store.act("POST", "/uninstall")
        store.act("POST", "/install")
        drain_outbox(store.runtime, store.sender, store.shop().id)
        assert store.shop().needs_reauthorization
        assert store.open_app().status_code == 200
        store.switch("/webhooks/modes", hold=False)
        store.settle()
        assert [row.topic for row in store.rows(InboxMessage)][-1] == "app/uninstalled"
        assert store.shop().uninstalled_at is None
        assert store.metafield(gid("Customer", customer), "points") == "100"

    def test_return_while_asking(self, store):
        """A merchant who comes back while the old token is being refused keeps what was just installed."""
        store.act("POST", "/uninstall")
        store.act("POST", "/install")

        class Slow:
            def query(self, document):
                try:
                    return AdminClient(store.runtime, store.config, store.shop().id, store.http).query(
                        document
                    )
                finally:
                    assert store.open_app().status_code == 200

        assert confirm_installed(Slow(), store.runtime, store.shop().id, erase=True) == Delivered(200)
        shop = store.shop()
        assert (shop.uninstalled_at, shop.erasing_at, shop.needs_reauthorization) == (None, None, False)
        assert shop.access_token is not None

    def test_true_uninstall_after_return(self, store):
        """A removal soon after a return is believed once Shopify refuses our token."""
        store.act("POST", "/uninstall")
        store.receive()
        store.act("POST", "/install")
        store.open_app()
        store.settle()
        store.act("POST", "/uninstall")
        store.settle()
        assert store.shop().uninstalled_at is not None

    def test_scopes_and_details(self, store):
        """Scopes and the shop's own details follow what the merchant does."""
        store.act("POST", "/scopes", add=["read_all_orders"])
        store.act("PATCH", "", name="Fern, Fig & Sons", timezone="Europe/Berlin")
        store.settle()
        assert "read_all_orders" in store.shop().scopes.split(",")
        assert (store.shop().name, store.shop().timezone) == ("Fern, Fig & Sons", "Europe/Berlin")

    def test_another_kind_of_accounts(self, store):
        """A shop that lets its customers log in with a code is noticed by itself within a day, and whoever buys there is a member."""
        assert store.shop().classic_accounts
        with store.sandbox.state.lock:
            store.sandbox.state.shop(store.domain).accounts = "NEW_CUSTOMER_ACCOUNTS"
        with store.runtime.transaction() as session:
            look_again(session, store.shop().id, now=store.runtime.clock())
        store.settle()
        assert not store.shop().classic_accounts
        store.buy("40.00", email="fern@fernandfig.shop")
        store.settle()
        buyer = store.act("GET", "/customers/fern@fernandfig.shop")["id"]
        assert (store.member(buyer).state, store.member(buyer).balance) == ("member", 140)


class TestPoints:
    """From a purchase to the balance at the storefront."""

    def test_purchase(self, store):
        """A purchase by a new customer earns, and the balance is written where the theme reads it."""
        customer = store.sign_up()
        store.buy(customer=customer)
        store.settle()
        assert store.member(customer).balance == 200
        assert store.metafield(gid("Customer", customer), "points") == "200"

    def test_repeats_and_disorder(self, store):
        """Deliveries that come three times and in any order end at the same balance."""
        store.switch("/webhooks/modes", copies=3, shuffle=True)
        customer = store.sign_up()
        for _ in range(3):
            store.buy(customer=customer)
        store.settle()
        assert store.member(customer).balance == 400
        assert len({row.delivery_id for row in store.rows(InboxMessage)}) == len(store.rows(InboxMessage))

    def test_refund(self, store):
        """A refund is only believed when Shopify says so itself, and ends at what the order is still worth."""
        customer = store.sign_up()
        order = store.buy(customer=customer, lines=[{"price": "30.00", "quantity": 2}, {"price": "40.00"}])
        store.settle()
        store.act("POST", f"/orders/{order['id']}/refund", lines=[{"index": 0, "quantity": 1}])
        store.settle()
        assert store.member(customer).balance == 100 + 70
        (standing,) = store.rows(OrderStanding)
        assert standing.authoritative
        store.act("POST", f"/orders/{order['id']}/refund", full=True)
        store.settle()
        assert store.member(customer).balance == 100
        points = [row.points for row in store.rows(LedgerEntry, source_kind="order")]
        assert sorted(points) == [-70, -30, 100]
        assert store.metafield(gid("Customer", customer), "points") == "100"

    def test_pending_refund(self, store):
        """Money that has not moved yet takes no points for an amount-only refund; when it moves, it does."""
        customer = store.sign_up()
        order = store.buy(customer=customer)
        store.act("POST", f"/orders/{order['id']}/refund", amount="25.00", status="pending")
        store.settle()
        assert store.member(customer).balance == 200
        store.act("POST", f"/orders/{order['id']}/settle")
        store.settle()
        assert store.member(customer).balance == 175

    def test_cancel(self, store):
        """A cancelled order leaves exactly nothing."""
        customer = store.sign_up()
        order = store.buy(customer=customer)
        store.settle()
        store.act("POST", f"/orders/{order['id']}/cancel")
        store.settle()
        assert store.member(customer).balance == 100

    def test_merge(self, store):
        """Two customers become one, and so do their balances, with one award for an account; a failed merge changes nothing."""
        first, second = store.sign_up(), store.sign_up("rowan@fernandfig.shop")
        store.buy(customer=second)
        store.settle()
        store.act("POST", f"/customers/{first}/merge", **{"with": second, "fail": True})
        store.settle()
        assert store.member(first).balance == 100
        store.act("POST", f"/customers/{first}/merge", **{"with": second})
        store.settle()
        assert store.member(first).balance == 200

    def test_many_balances(self, store):
        """More members than one call takes are written in several, and one that is gone does not stop the others."""
        customers = [store.sign_up(f"shopper-{n}@fernandfig.shop") for n in range(30)]
        store.receive()
        gone = customers[3]
        with store.sandbox.state.lock:
            store.sandbox.state.shop(store.domain).customers.remove(gone)
        store.settle()
        rows = store.outbox("balance_metafield")
        assert sorted({row.state for row in rows}) == ["delivered", "refused"]
        assert [row.member_id for row in rows if row.state == "refused"] == [store.member(gone).id]
        assert store.metafield(gid("Customer", customers[29]), "points") == "100"


def untold(line: OrderLine) -> OrderLine:
    """A line as a webhook tells of it."""
    return replace(line, tags=None, collections=None)


class TestOneNormalForm:
    """The same order in the form of a webhook and in that of the Admin API."""

    @pytest.mark.parametrize(
        "order",
        [
            {"lines": [{"price": "19.99", "quantity": 3}]},
            {"lines": [{"price": "10.00"}, {"product": "Gift Card"}], "shipping": "4.90"},
            {"lines": [{"price": "33.33", "quantity": 3}], "tax_rate": "0.0825", "discount_amount": "10.00"},
            {"lines": [{"price": "100.00"}], "tax_rate": "0.19", "taxes_included": True, "shipping": "5.00"},
            {"lines": [{"price": "50.00"}], "presentment_currency": "EUR"},
            {"lines": [{"price": "50.00"}], "paid": False},
            {"lines": [{"price": "50.00"}], "test": True, "source_name": "pos"},
            {"lines": [{"price": "1.50"} for _ in range(45)], "email": "guest@fernandfig.shop"},
            {"lines": [{"price": "20.00"}, {"price": "4.00"}], "tip": "4.00"},
            {"lines": [{"price": "50.00"}], "shipping": "5.00", "shipping_tax_rate": "0.2", "duties": "3.00"},
        ],
        ids=[
            "plain",
            "gift card",
            "discount and tax",
            "tax included",
            "two currencies",
            "unpaid",
            "test",
            "long",
            "tip",
            "shipping tax and duties",
        ],
    )
    @pytest.mark.parametrize("after", ["", "refund", "cancel", "edit"])
    def test_equal(self, store, order, after):
        """Both forms give equal snapshots, whatever has happened to the order, but for what webhooks do not tell: what was received,
        and what the products are of."""
        placed = store.buy(**({"email": "iris@fernandfig.shop"} | order))
        if after == "refund" and order.get("paid", True):
            body = {
                "lines": [{"index": 0, "quantity": 1}],
                "shipping": "2.00" if order.get("shipping") else "0",
                "duties": "1.00" if order.get("duties") else "0",
            }
            store.act("POST", f"/orders/{placed['id']}/refund", **body)
        if after == "cancel":
            store.act("POST", f"/orders/{placed['id']}/cancel")
        if after == "edit":
            store.act(
                "POST",
                f"/orders/{placed['id']}/edit",
                add=[{"price": "3.00"}],
                remove=[{"index": 0, "quantity": 1}],
            )
        assert store.sandbox.state.sender.idle(60)
        told = [
            fact.order
            for row in store.rows(InboxMessage, source="shopify")
            for fact in translate(row)
            if isinstance(fact, OrderSeen)
        ]
        api = AdminClient(store.runtime, store.config, store.shop().id, store.http)
        (seen,) = reread(api, placed["id"]).facts
        newest = max(told, key=lambda snapshot: snapshot.updated_at)
        assert newest == replace(seen.order, received=None, lines=tuple(map(untold, seen.order.lines)))
        assert all(line.tags is not None and line.collections is not None for line in seen.order.lines)
        assert seen.order.received is not None
        assert seen.authoritative


class TestEditedBeforePaid:
    """Pieces that were taken off before anybody paid for them do not hide money that goes back for others."""

    @pytest.mark.parametrize(
        ("order", "refund", "points"),
        [
            ({}, "15.00", 45),
            ({"shipping": "5.00", "shipping_tax_rate": "0.2"}, "15.00", 45),
            ({"tip": "6.00"}, "11.00", 50),
            ({"duties": "7.00"}, "15.00", 45),
            ({"tax_rate": "0.25"}, "15.00", 48),
            ({"tax_rate": "0.25", "taxes_included": True, "shipping": "5.00"}, "15.00", 36),
            ({"presentment_currency": "EUR"}, "15.00", 45),
            ({"discount_amount": "10.00"}, "15.00", 39),
        ],
        ids=[
            "plain",
            "shipping with tax",
            "tip",
            "duties",
            "tax",
            "tax included",
            "two currencies",
            "discount",
        ],
    )
    def test_amount_back(self, store, order, refund, points):
        """Two lines placed unpaid, one removed, the rest paid, an amount given back: the points are worth the money that stayed."""
        customer = store.sign_up()
        lines = [{"price": "60.00"}, {"price": "40.00"}]
        placed = store.buy(customer=customer, lines=lines, paid=False, **order)
        store.settle()
        store.act("POST", f"/orders/{placed['id']}/edit", remove=[{"index": 1, "quantity": 1}])
        store.settle()
        assert store.member(customer).balance == 100
        store.act("POST", f"/orders/{placed['id']}/pay")
        store.settle()
        store.act("POST", f"/orders/{placed['id']}/refund", amount=refund)
        store.settle()
        assert store.member(customer).balance == 100 + points
        # A webhook of the same state tells less than the reading; it must not bring the points back.
        store.act("POST", f"/orders/{placed['id']}/fulfill")
        store.settle()
        assert store.member(customer).balance == 100 + points

    def test_goods_back(self, store):
        """A piece that was paid and comes back with its money takes its own worth, however many were removed before."""
        customer = store.sign_up()
        lines = [{"price": "60.00"}, {"price": "40.00"}, {"price": "30.00"}]
        placed = store.buy(customer=customer, lines=lines, paid=False, shipping="5.00", tip="6.00")
        store.act("POST", f"/orders/{placed['id']}/edit", remove=[{"index": 1, "quantity": 1}])
        store.act("POST", f"/orders/{placed['id']}/pay")
        store.settle()
        assert store.member(customer).balance == 100 + 90
        store.act("POST", f"/orders/{placed['id']}/refund", lines=[{"index": 2, "quantity": 1}])
        store.settle()
        assert store.member(customer).balance == 100 + 60

    def test_told_again(self, store):
        """A delivery that repeats the state which was read asks for no other reading."""
        customer = store.sign_up()
        placed = store.buy(customer=customer)
        store.act("POST", f"/orders/{placed['id']}/refund", amount="25.00")
        store.settle()
        asked = len(store.outbox("reread_order"))
        told = store.http.get(
            f"{store.sandbox.url}/_sandbox/webhooks", params={"topic": "orders/updated", "body": 1}
        )
        body = next(row["body"] for row in told.json()["deliveries"] if row["body"]["refunds"])
        again = InboxMessage(
            topic="orders/updated",
            body=json.dumps(body).encode(),
            shop_domain=store.domain,
            source=inbox.SHOPIFY,
            delivery_id="again",
            received_at=store.runtime.clock(),
            due_at=store.runtime.clock(),
        )
        with store.runtime.transaction() as session:
            absorb(session, store.shop(), translate(again), now=store.runtime.clock())
        store.settle()
        assert len(store.outbox("reread_order")) == asked


class TestTip:
    """A tip is a line of the order, and no goods."""

    def test_earns_nothing(self, store):
        """Points are for the goods; a tip that is given back takes none."""
        customer = store.sign_up()
        placed = store.buy("50.00", customer=customer, tip="10.00")
        store.settle()
        assert store.member(customer).balance == 150
        store.act("POST", f"/orders/{placed['id']}/refund", lines=[{"index": 1, "quantity": 1}])
        store.settle()
        assert store.member(customer).balance == 150

    def test_read(self, store):
        """An order that is read says which line is the tip just as a webhook does."""
        customer = store.sign_up()
        placed = store.buy("50.00", customer=customer, tip="10.00", paid=False)
        store.act("POST", f"/orders/{placed['id']}/pay")
        store.act("POST", f"/orders/{placed['id']}/refund", amount="6.00")
        store.settle()
        assert store.member(customer).balance == 100 + 45


class TestDuties:
    """Duties are charged apart from the goods."""

    def test_given_back(self, store):
        """Duties that go back take no points."""
        customer = store.sign_up()
        placed = store.buy("50.00", customer=customer, duties="8.00")
        store.settle()
        assert store.member(customer).balance == 150
        store.act("POST", f"/orders/{placed['id']}/refund", duties="8.00")
        store.settle()
        assert store.member(customer).balance == 150


class TestReread:
    """Reading an order that is not simple."""

    def test_gone(self, store):
        """An order that Shopify does not show is asked for again, and in the end taken for one that cannot be read."""
        api = AdminClient(store.runtime, store.config, store.shop().id, store.http)
        assert isinstance(reread(api, 1, attempt=ATTEMPTS_TO_SEE - 1), Later)
        assert reread(api, 1, attempt=ATTEMPTS_TO_SEE) == Dropped("order_not_shown", (OrderUnreadable(1),))

    def test_no_orders_at_all(self, store):
        """Without the right to read orders the reading waits for it, however long, and is carried out when it is there again."""
        customer = store.sign_up()
        order = store.buy(customer=customer)
        store.settle()
        store.act("POST", f"/orders/{order['id']}/cancel")
        store.receive()
        store.act("POST", "/scopes", remove=["read_orders"])
        store.settle()
        assert store.member(customer).balance == 200
        rows = store.outbox("reread_order")
        assert {(row.state, row.attempts, row.error) for row in rows} == {("due", 0, "access_denied")}
        store.act("POST", "/scopes", add=["read_orders"])
        with store.runtime.transaction() as session:
            for row in rows:
                session.get_one(OutboxMessage, row.id).due_at = store.runtime.clock()
        store.settle()
        assert store.member(customer).balance == 100

    def test_without_personal_data(self, store):
        """Where the app may not see who bought, the order still counts for the customer's id."""
        customer = store.sign_up()
        order = store.buy(customer=customer)
        store.act("PATCH", "", protected_data="none")
        api = AdminClient(store.runtime, store.config, store.shop().id, store.http)
        outcome = reread(api, order["id"])
        (seen,) = outcome.facts
        assert seen.order.order_id == order["id"]
        assert seen.identity.email is None


class TestReward:
    """From points to a code that works at the checkout."""

    @pytest.fixture
    def rich(self, store):
        """A customer with 600 points."""
        customer = store.sign_up()
        store.buy("500.00", customer=customer)
        store.settle()
        return customer

    def test_issued_and_used(self, store, rich):
        """The code is the customer's own, works once, and its use is noticed."""
        issue = redeem(store, rich)
        store.settle()
        row = get(store, issue.id)
        assert row.state == "issued"
        (discount,) = store.act("GET", "/discounts")["discounts"]
        assert (discount["code"], discount["title"]) == (row.code, title_of(row))
        order = store.buy(customer=rich, code=row.code)
        store.settle()
        assert get(store, issue.id).state == "used"
        assert get(store, issue.id).used_order_id == order["id"]
        assert store.member(rich).balance == 100 + 95

    @pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
    def test_lost_reply(self, store, rich, kind):
        """A reply that is lost, before or after the code was made, ends in one code and one debit."""
        issue = redeem(store, rich)
        store.switch("/faults", place="graphql", kind=kind, match="discountCodeBasicCreate")
        store.settle()
        if kind == "reset_before":
            (message,) = store.outbox("issue_reward")
            assert (message.state, message.error) == ("due", "lost:ConnectionError")
            make_due(store, message)
            store.settle()
        assert get(store, issue.id).state == "issued"
        assert len(store.act("GET", "/discounts")["discounts"]) == 1
        assert store.member(rich).balance == 100

    def test_waits_for_nobody(self, store, rich):
        """A code is made while any number of balances and orders still have to wait for their turn."""
        store.sign_up("rowan@fernandfig.shop")
        store.receive()
        issue = redeem(store, rich)
        drain_outbox(store.runtime, store.rewards, store.shop().id)
        assert get(store, issue.id).state == "issued"
        assert {row.state for row in store.outbox("balance_metafield")} == {"delivered", "due"}

    def test_tokens_were_dead(self, store, rich):
        """What had to wait for the merchant goes as soon as the merchant opens the app, not within the hour."""
        store.act("POST", "/expire_tokens", refresh=True)
        issue = redeem(store, rich)
        with store.runtime.transaction() as session:
            run_id = runs.start(session, store.shop().id, "order_import", {}, now=store.runtime.clock()).id
        drain_outbox(store.runtime, store.rewards, store.shop().id)
        (message,) = store.outbox("issue_reward")
        assert (message.state, message.attempts, store.shop().needs_reauthorization) == ("due", 0, True)
        step = imports.steps(store.config, store.http)["order_import"]
        assert (runs.advance(store.runtime, run_id, step, seconds=0) or 0) > 60
        assert store.open_app().status_code == 200
        store.settle()
        assert get(store, issue.id).state == "issued"
        (run,) = store.rows(Run, id=run_id)
        assert run.due_at <= store.runtime.clock()

    def test_asked_twice(self, store, rich):
        """Sending the message again finds the first one's code."""
        issue = redeem(store, rich)
        store.settle()
        (message,) = store.outbox("issue_reward")
        with store.runtime.transaction() as session:
            session.get_one(RewardIssue, issue.id).state = "issuing"
        make_due(store, message)
        store.settle()
        assert get(store, issue.id).state == "issued"
        assert len(store.act("GET", "/discounts")["discounts"]) == 1

    def test_taken_by_another(self, store, rich):
        """A code that belongs to something else is not adopted: the points come back."""
        issue = redeem(store, rich)
        api = AdminClient(store.runtime, store.config, store.shop().id, store.http)
        foreign = {
            "title": "Summer",
            "code": reward_code(store.runtime.cipher, store.shop(), issue.id).lower(),
            "startsAt": "2026-01-01T00:00:00Z",
            "context": {"all": "ALL"},
            "customerGets": {"items": {"all": True}, "value": {"percentage": 0.1}},
        }
        made = api.mutate(documents.DISCOUNT_CREATE, {"discount": foreign}, idempotent=False)
        assert made.data["discountCodeBasicCreate"]["userErrors"] == []
        store.settle()
        assert (get(store, issue.id).state, get(store, issue.id).failure) == (
            "failed",
            "code_taken_by_another",
        )
        assert store.member(rich).balance == 600

    def test_no_right(self, store, rich):
        """When the merchant took the right to make discounts back, the points come back."""
        store.act("POST", "/scopes", remove=["write_discounts"])
        issue = redeem(store, rich)
        store.settle()
        assert get(store, issue.id).state == "failed"
        assert store.member(rich).balance == 600

    def test_throttled(self, store, rich):
        """Throttling delays and counts nothing against the message."""
        issue = redeem(store, rich)
        store.switch("/faults", place="graphql", kind="throttled", times=1)
        store.settle()
        assert get(store, issue.id).state == "issued"
        assert [row.attempts for row in store.outbox("issue_reward")] == [1]

    def test_shopify_down(self, store, rich):
        """With Shopify down the points wait with the reward; when it is back the code comes."""
        issue = redeem(store, rich)
        store.switch("/faults", place="graphql", kind="status", status=503, times=50)
        store.receive()
        outbox_before = store.rewards.send(store.shop().id, claimed(store))
        assert {type(outcome).__name__ for outcome in outbox_before.values()} == {"Later"}
        assert get(store, issue.id).state == "issuing"

    def test_deactivated(self, store, rich):
        """A code whose reward was given up is made unusable."""
        issue = redeem(store, rich)
        store.settle()
        now = store.runtime.clock()
        with store.runtime.transaction() as session:
            session.get_one(RewardIssue, issue.id).state = "failed"
            outbox.put(
                session,
                store.shop().id,
                "shopify",
                "deactivate_code",
                "deactivate:1",
                {"issue_id": issue.id},
                occurred_at=now,
                now=now,
            )
        store.settle()
        (discount,) = store.act("GET", "/discounts")["discounts"]
        assert discount["status"] == "EXPIRED"

    def test_minimum(self, store, rich):
        """A minimum and an end of the program's reward are the discount's too."""
        now = store.runtime.clock()
        document = {
            "points": {"one": "leaf", "many": "leaves"},
            "rewards": [
                {
                    "key": "big",
                    "title": "$20 off",
                    "points": 300,
                    "amount": "20.00",
                    "minimum_subtotal": "80.00",
                }
            ],
        }
        with store.runtime.transaction() as session:
            programs.apply(session, store.shop().id, document, author="test", now=now)
        issue = redeem(store, rich, reward="big")
        store.settle()
        issue = get(store, issue.id)
        assert issue.state == "issued"
        refused = store.http.post(
            f"{store.sandbox.url}/_sandbox/shops/{store.domain}/orders",
            json={"customer": rich, "lines": [{"price": "79.00"}], "code": issue.code},
            timeout=30,
        )
        assert refused.status_code >= 400
        assert Decimal(str(store.buy("80.00", customer=rich, code=issue.code)["total"])) == Decimal("60.00")


def get(store, issue_id: str) -> RewardIssue:
    """A reward as it is now."""
    with store.runtime.reading() as session:
        return session.get_one(RewardIssue, issue_id)


def make_due(store, message: OutboxMessage) -> None:
    """Let the wait of a message be over."""
    with store.runtime.transaction() as session:
        row = session.get_one(OutboxMessage, message.id)
        row.state, row.due_at = "due", store.runtime.clock()


def claimed(store):
    """The due messages, as a drain would claim them."""
    from datetime import timedelta

    with store.runtime.transaction() as session:
        return outbox.claim(
            session,
            store.shop().id,
            outbox.REWARDS,
            limit=50,
            now=store.runtime.clock(),
            lease=timedelta(seconds=60),
        )


def installation(store) -> str:
    """The global id of the app's installation."""
    api = AdminClient(store.runtime, store.config, store.shop().id, store.http)
    return api.query(documents.INSTALLATION).data["currentAppInstallation"]["id"]


def test_snapshot_needs_lines():
    """A node's snapshot is made of the lines that it is given."""
    node = {
        "id": "gid://shopify/Order/1",
        "name": "#1",
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "currencyCode": "USD",
        "totalOutstandingSet": {"shopMoney": {"amount": "0.0"}},
        "totalRefundedShippingSet": {"shopMoney": {"amount": "0.0"}},
    }
    assert snapshot_of_node(node, ()).lines == ()
