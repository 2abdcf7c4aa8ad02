"""The merchant's pages as answers: what each shows, and to whom."""

import re

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT, read_text
from loyalty.models import ProgramVersion, Run
from loyalty.runtime import Runtime
from tests.merchant_pages import ROOT, Door
from tests.shop_story import Story


def text_of(client: FlaskClient, address: str, *, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.get_data(as_text=True)[:500]
    return answer.get_data(as_text=True)


class TestEveryPage:
    def test_needs_a_merchant(self, client: FlaskClient, door: Door, story: Story) -> None:
        """Nobody sees or changes anything without having been let in."""
        door.closed = True
        addresses = re.findall(
            r"/[a-z/]*",
            "/ /program /program/text /program/versions /members /imports /privacy /klaviyo /klaviyo/events /klaviyo/reviews",
        )
        changes = (
            "/program/text",
            "/imports/customers",
            "/imports/orders",
            "/klaviyo/sync",
            "/klaviyo/events/retry",
        )

        assert {client.get(address).status_code for address in addresses} == {401}
        assert {client.post(address).status_code for address in changes} == {401}
        assert client.get(f"/members/{story.member_ids[0]}/export.json").status_code == 401

    def test_of_another_shop(self, client: FlaskClient, door: Door, runtime: Runtime, story: Story) -> None:
        """A member, a run, a message of another shop do not exist."""
        with runtime.transaction() as session:
            from loyalty.models import Shop

            other = Shop(
                domain="other.myshopify.com", first_installed_at=runtime.clock(), installed_at=runtime.clock()
            )
            session.add(other)
            session.flush()
            assert other.id is not None
            door.shop_id, door.domain = other.id, other.domain

        text_of(client, f"/members/{story.member_ids[0]}", status=404)
        text_of(client, f"/members/{story.member_ids[0]}/export.json", status=404)
        text_of(client, f"/runs/{story.run_ids[0]}.json", status=404)
        text_of(client, f"/runs/{story.run_ids[0]}", status=404)
        text_of(client, f"/klaviyo/events/{story.refused_id}", status=404)
        assert "Ada" not in text_of(client, "/members")
        assert client.post(f"/runs/{story.run_ids[1]}/cancel").status_code == 409
        assert client.post(f"/messages/{story.parked_id}/retry").status_code == 404

    def test_escapes(self, client: FlaskClient, story: Story) -> None:
        """A name with markup in it is text."""
        page = text_of(client, "/members")

        assert "&lt;b&gt;Bobby&lt;/b&gt; O&#39;Tables" in page
        assert "<b>Bobby" not in page

    def test_links_back_in(self, client: FlaskClient, story: Story) -> None:
        """Links name shop and host, so a page that is loaded without a token finds its way to a fresh one."""
        page = text_of(client, "/members")

        assert (
            f"/members/{story.member_ids[0]}?shop=fern-and-fig.myshopify.com&amp;host=YWRtaW4&amp;embedded=1"
            in page
        )


class TestExamplePrograms:
    @pytest.mark.parametrize("name", ["coffee", "cosmetics", "fashion"])
    def test_every_page(self, client: FlaskClient, runtime: Runtime, story: Story, name: str) -> None:
        """A shop that takes up one of the example programs sees every page, with rewards that are only given and no price."""
        text = (ROOT / "examples" / f"{name}.toml").read_text()
        with runtime.transaction() as session:
            programs.apply(session, 1, read_text(text), author="staff:81001", now=runtime.clock())

        for path in (
            "/",
            f"/members/{story.member_ids[0]}",
            "/program",
            "/liability",
            "/program/preview",
            "/referrals",
        ):
            assert "<s-page" in text_of(client, path)


class TestHome:
    def test_figures(self, client: FlaskClient, story: Story) -> None:
        """Members, what is outstanding and worth, earned and redeemed in 30 days."""
        page = " ".join(text_of(client, "/").split())

        assert "<dt>Members</dt><dd>8</dd>" in page
        assert "<dt>Leaves outstanding</dt>" in page
        assert "worth $" in page
        assert "38 taken back after refunds" in page
        assert "for 500 leaves" in page

    def test_name_of_points(self, client: FlaskClient, runtime: Runtime, story: Story) -> None:
        """The name of the points stays as the shop writes it."""
        document = DEFAULT_DOCUMENT | {"points": {"one": "airMile", "many": "airMiles"}}
        with runtime.transaction() as session:
            programs.apply(session, story.shop_id, document, author="staff:81001", now=runtime.clock())

        assert "<dt>AirMiles outstanding</dt>" in text_of(client, "/")
        assert "100 airMiles are worth" in text_of(client, "/liability")

    def test_needs_attention(self, client: FlaskClient, story: Story) -> None:
        """A parked message and a running job are on the first page."""
        page = text_of(client, "/")

        assert "1 message needs your attention" in page
        assert f'data-run="/runs/{story.run_ids[1]}.json"' in page

    def test_set_up(self, client: FlaskClient, story: Story) -> None:
        """The steps that are done are told from those that are not; the theme's leads to its editor."""
        page = text_of(client, "/")

        assert "<span data-steps-done>4</span> of <span data-steps-all>6</span>" in page
        assert (
            "/themes/current/editor?context=apps&amp;template=index&amp;activateAppId=laurel-client-id/launcher"
            in page
        )

    def test_new_shop(self, client: FlaskClient, bare: Story) -> None:
        """A new shop sees what to do, not empty boxes; the program that we began with does not count as saved."""
        page = text_of(client, "/")

        assert "<span data-steps-done>0</span>" in page
        assert "No points yet" in page
        assert "<svg" not in page


class TestMembers:
    def names(self, client: FlaskClient, query: str) -> list[str]:
        return re.findall(
            r'<s-link id="member-\d+"[^>]*>([^<]*)</s-link>', text_of(client, f"/members?{query}")
        )

    @pytest.mark.parametrize("search", ["ada", "LOVE", "person0@", "Ada Love", "7001"])
    def test_search(self, client: FlaskClient, story: Story, search: str) -> None:
        """By the beginning of an address, of either name, of both, or by the whole customer id."""
        assert self.names(client, f"q={search}") == ["Ada Lovelace"]

    def test_search_beyond_ascii(self, client: FlaskClient, story: Story) -> None:
        """Letters of every alphabet are found in either case."""
        assert self.names(client, "q=émi") == ["Émilie du Châtelet"]

    def test_wildcards(self, client: FlaskClient, story: Story) -> None:
        """The database's wildcards are letters like any other."""
        assert self.names(client, "q=%25da") == []
        assert self.names(client, "q=_da") == []

    def test_by_balance(self, client: FlaskClient, story: Story) -> None:
        """The highest balance can come first."""
        assert self.names(client, "sort=balance")[:2] == ["Ada Lovelace", "Grace Hopper"]

    def test_rubbish(self, client: FlaskClient, story: Story) -> None:
        """An address that was typed by hand shows the first page."""
        assert len(self.names(client, "sort=nothing&state=odd&at=older~x")) == 8
        assert len(self.names(client, "at=older~99999999999999999999999999")) == 8

    def test_nobody(self, client: FlaskClient, bare: Story) -> None:
        """Without members the page says how to get them."""
        assert "No members yet" in text_of(client, "/members")


class TestMember:
    def test_why(self, client: FlaskClient, story: Story) -> None:
        """Every movement opens to version, basis, rate, rounding and its place in the chain."""
        page = " ".join(text_of(client, f"/members/{story.member_ids[0]}").split())

        assert "<dt>What counted</dt><dd>$24.50, in 1 line of the order</dd>" in page
        assert "<dt>Rate</dt><dd>1 for each $1.00</dd>" in page
        assert "<dt>Rounding</dt><dd>fractions are dropped</dd>" in page
        assert "<dt>Program</dt><dd>Version 2, “Place an order”</dd>" in page
        assert re.search(r"Entry 1 of this member, seal [0-9a-f]{16}", page)
        assert "LAUREL-7Q4K9M" in page

    def test_version_gone(self, client: FlaskClient, runtime: Runtime, story: Story) -> None:
        """Points of a version that is not there any more are shown with what the books themselves say."""
        with runtime.transaction() as session:
            for row in session.exec(select(ProgramVersion)).all():
                session.delete(row)

        assert "Every point and why" in text_of(client, f"/members/{story.member_ids[0]}")

    def test_nobodys_merges(self, client: FlaskClient, story: Story) -> None:
        """The merges of nobody are not an empty list."""
        assert client.get("/members/987654/merges").status_code == 404

    def test_customer_link(self, client: FlaskClient, story: Story) -> None:
        """The way to the customer in the shop's own admin."""
        page = text_of(client, f"/members/{story.member_ids[0]}")

        assert 'href="https://admin.shopify.com/store/fern-and-fig/customers/7001"' in page

    def test_export(self, client: FlaskClient, story: Story) -> None:
        """What is kept of a person is a file."""
        answer = client.get(f"/members/{story.member_ids[0]}/export.json")

        assert answer.json is not None
        assert answer.json["person"]["email"] == "person0@fernandfig.shop"
        assert len(answer.json["points"]) == 8
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Cache-Control"] == "no-store"


class TestRuns:
    def test_progress(self, client: FlaskClient, story: Story) -> None:
        """A progress bar is told how far, how fast and how long, and whether to go on asking."""
        run = client.get(f"/runs/{story.run_ids[1]}.json").json

        assert run is not None
        assert (run["percent"], run["is_open"]) == (42, True)
        assert run["text"] == "42,003 of 100,000, 3 failed, 1,400 per second, about 41 seconds left"

    def test_items(self, client: FlaskClient, story: Story) -> None:
        """Who was skipped, and why, can be read afterwards."""
        assert "The customer has no e-mail address." in text_of(client, f"/runs/{story.run_ids[0]}")

    def test_order_imports(self, client: FlaskClient, bare: Story) -> None:
        """Without the scope for all orders the page says how far back an import reaches."""
        assert "the orders of the last 60 days" in text_of(client, "/imports")

    def test_without_addresses(self, client: FlaskClient, story: Story, runtime: Runtime) -> None:
        """An import that had to do without delivery addresses says so, under way and when it is done."""
        with runtime.transaction() as session:
            run = session.get_one(Run, story.run_ids[0])
            run.kind, run.cursor, run.skipped, run.failed = "order_import", {"asks_less": True}, 0, 0
        told = client.get(f"/runs/{story.run_ids[0]}.json").json
        assert told is not None
        assert "without delivery addresses, which Shopify has not approved" in told["text"]
        assert "Without delivery addresses" in text_of(client, "/imports")


class TestPrivacy:
    def test_requests_and_messages(self, client: FlaskClient, story: Story) -> None:
        """Data requests with their download, and what was put aside with its reason."""
        page = text_of(client, "/privacy")

        assert 'data-download="/privacy/requests/1/export.json"' in page
        assert "To be answered" in page
        assert "field id is missing" in page
        assert f'data-post="/messages/{story.parked_id}/retry"' in page

    def test_answered(self, client: FlaskClient, story: Story) -> None:
        """Downloading the data of a request answers it."""
        answer = client.post("/privacy/requests/1/export.json")

        assert answer.json is not None
        assert answer.json["person"]["first_name"] == "Grace"
        assert "To be answered" not in text_of(client, "/privacy")
        assert client.post("/privacy/requests/99/export.json").status_code == 404
