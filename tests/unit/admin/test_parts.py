"""The pages' own arithmetic: the chart, what is kept for a while, how things are written, and the reasons of an entry."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from klaviyo_oauth.checklist import review_checks
from loyalty.core.document import DEFAULT_DOCUMENT, parse_program, read_text
from loyalty.models import KlaviyoConnection
from loyalty.statement.formats import Formats
from loyalty.statement.home import Day, points_worth
from loyalty.statement.members import EntryRow
from shopify_app.admin.chart import HEIGHT, WIDTH, draw
from shopify_app.admin.explained import Known, explain
from shopify_app.admin.fresh import FreshEnough
from shopify_app.admin.member_rewards import in_words
from tests.merchant_pages import ROOT

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)


class TestChart:
    def test_bars(self) -> None:
        """A day at the scale's end fills the height, none leaves the drawing, and a single point can be seen."""
        chart = draw([Day(date(2026, 11, 1), earned=400), Day(date(2026, 11, 2), earned=1, spent=100)])

        assert [(bar.kind, bar.points) for bar in chart.bars] == [
            ("earned", 400),
            ("earned", 1),
            ("spent", 100),
        ]
        assert (chart.top, chart.bars[0].height) == (400, HEIGHT)
        assert chart.bars[1].height >= 1
        assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH for bar in chart.bars)
        assert all(bar.y >= 0 and bar.y + bar.height == pytest.approx(HEIGHT) for bar in chart.bars)

    @pytest.mark.parametrize(
        ("most", "top"),
        [
            (1, 2),
            (7, 8),
            (11, 12),
            (17, 20),
            (399, 400),
            (1_057, 1_200),
            (2_164, 2_400),
            (1_600_001, 2_000_000),
        ],
    )
    def test_scale(self, most: int, top: int) -> None:
        """The scale ends at the next round number, and its middle is a whole number as well."""
        chart = draw([Day(date(2026, 11, 1), earned=most)])

        assert (chart.top, chart.middle * 2) == (top, top)
        assert chart.bars[0].height == pytest.approx(HEIGHT * most / top, abs=0.01)

    @pytest.mark.parametrize("days", [[], [Day(date(2026, 11, 1))], [Day(date(2026, 11, 1), spent=-500)]])
    def test_nothing(self, days: list[Day]) -> None:
        """No days, or days on which nothing was earned or spent, draw nothing."""
        assert draw(days).empty


class TestFreshEnough:
    def test_dear(self) -> None:
        """What took long to read is kept for fifty times as long, each key for itself."""
        seconds = [0.0]
        reads: list[str] = []

        def reading(name: str, cost: float) -> str:
            def read() -> str:
                reads.append(name)
                seconds[0] += cost
                return name

            return kept.get(name, read)

        kept: FreshEnough[str] = FreshEnough(clock=lambda: seconds[0])
        assert reading("big", 1.0) == "big"
        seconds[0] += 49
        reading("big", 1.0)
        reading("small", 0.0)
        seconds[0] += 1.1
        reading("big", 1.0)
        reading("small", 0.0)

        assert reads == ["big", "small", "big", "small"]


class TestFormats:
    def test_in_the_shop(self) -> None:
        """Times are the shop's own, and money has the decimals of its currency."""
        formats = Formats("JPY", "America/New_York")

        assert formats.moment(NOW) == "Nov 21, 2026, 10:30 PM"
        assert formats.today(NOW) == date(2026, 11, 21)
        assert formats.start_of_day(date(2026, 11, 1)) == datetime(2026, 11, 1, 4, tzinfo=UTC)
        assert formats.start_of_day(date(2026, 11, 2)) == datetime(2026, 11, 2, 5, tzinfo=UTC)
        assert formats.money(Decimal(1200)) == "¥1,200"
        assert formats.money(Decimal("84.5"), "USD") == "$84.50"

    def test_strange_zone(self) -> None:
        """A time zone that this machine does not know is read as UTC, not as an error."""
        assert Formats("USD", "Mars/Olympus").moment(NOW) == "Nov 22, 2026, 3:30 AM"
        assert Formats("USD", "../../etc/passwd").today(NOW) == date(2026, 11, 22)

    def test_signs(self) -> None:
        """A movement has its sign, with a minus that is one."""
        assert [Formats().signed(points) for points in (1200, -3, 0)] == ["+1,200", "−3", "0"]


class TestExplained:
    def entry(self, **why: object) -> EntryRow:
        return EntryRow("e", 3, 5, "earn", "order", "1", "order", 2, "Order", dict(why), NOW, NOW, "ab" * 32)

    def test_order(self) -> None:
        """An order's entry says basis, rate, rounding, what was given before, version and place in the chain."""
        why = {
            "basis": "84.5",
            "currency": "EUR",
            "rate": "2",
            "rounding": "half_up",
            "worth": 169,
            "already": 164,
        }
        found = dict(explain(self.entry(order="#1", status="partially_refunded", **why), Formats()))

        assert found["What counted"] == "€84.50"
        assert found["Rate"] == "2 for each €1.00"
        assert found["Rounding"] == "to the nearest point"
        assert (found["Worth now"], found["Given before"]) == ("169", "164")
        assert found["The sum"] == "€84.50 × 2 → 169"
        assert found["Order"] == "#1, partially refunded"
        assert found["Place in the books"] == "Entry 3 of this member, seal abababababababab"

    def test_multiplied(self) -> None:
        """What multiplied an order's points is named as the program of that time calls it, and stands in the sum."""
        document = read_text((ROOT / "examples" / "coffee.toml").read_text())
        known = Known(programs={2: parse_program(document, version=2)})
        why = {
            "order": "#9",
            "basis": "93.3333",
            "currency": "EUR",
            "status": "paid",
            "rate": "1",
            "rounding": "half_up",
        }
        more = {
            "multiplier": "1.5",
            "multiplied_by": ["cold_brew_summer"],
            "tier": "barista",
            "lines": [1, 2],
        }
        found = dict(explain(self.entry(**why, **more, worth=140, already=0), Formats(), known))

        assert found["Multiplier"] == "× 1.5 (Cold brew summer)"
        assert found["Tier"] == "Barista"
        assert found["What counted"] == "€93.33, in 2 lines of the order"
        assert found["The sum"] == "€93.33 × 1 × 1.5 → 140"
        assert found["Program"] == "Version 2, “Buy coffee and gear”"
        assert "Given before" not in found

    def test_no_keys(self) -> None:
        """No key, no word of the tables and no timestamp of a machine is shown."""
        found = dict(
            explain(
                self.entry(
                    account_created_at="2026-11-22T07:04:52+00:00",
                    reward="five_off",
                    because="product_is_gone",
                    metric="orders",
                    threshold="6",
                    by_hand=False,
                    from_member=4,
                    to_member=5,
                ),
                Formats(timezone="America/New_York"),
                Known(people={4: "Ada Lovelace"}, failures=in_words),
            )
        )

        assert found["Account made"] == "Nov 22, 2026, 2:04 AM"
        assert found["Because"] == "The product is not in the store any more."
        assert found["Reached by"] == "number of orders, from 6"
        assert (found["From"], found["To"]) == ("Ada Lovelace", "Member 5")
        assert not [value for value in found.values() if "_" in value]

    def test_unknown(self) -> None:
        """Reasons that a later version of the program will write do not break the page."""
        found = dict(explain(self.entry(basis="a lot", rounding="sideways", moon="full"), Formats()))

        assert found["What counted"] == "a lot"
        assert found["Rounding"] == "Sideways"


class TestWorth:
    def test_of_a_reward(self) -> None:
        """Points are worth what the cheapest reward in money gives for them; debts are worth nothing, and nobody knows without a reward."""
        program = parse_program(DEFAULT_DOCUMENT, version=1)

        assert points_worth(1000, program) == Decimal(10)
        assert points_worth(-10, program) == 0
        assert points_worth(10, parse_program(DEFAULT_DOCUMENT | {"rewards": []}, version=1)) is None
        assert points_worth(10, None) is None

    def test_only_given(self) -> None:
        """A reward that is only given has no price, and says nothing of what points are worth."""
        given = {
            "key": "gift",
            "kind": "percentage_off",
            "title": "A gift",
            "percentage": 10,
            "listed": False,
        }
        alone = parse_program(DEFAULT_DOCUMENT | {"rewards": [given]}, version=1)
        with_value = parse_program(DEFAULT_DOCUMENT | {"rewards": [given], "point_value": "0.05"}, version=1)

        assert points_worth(1000, alone) is None
        assert points_worth(1000, with_value) == Decimal(50)


@pytest.mark.acceptance("S4-39")
class TestReviewChecklist:
    def link(self, **values: object) -> KlaviyoConnection:
        scopes = "events:write metrics:read reviews:read"
        plain: dict[str, Any] = {
            "shop_id": 1,
            "road": "oauth",
            "state": "connected",
            "scopes": scopes,
            "connected_at": NOW,
        }
        return KlaviyoConnection(**(plain | values))

    def checked(self, link: KlaviyoConnection, *, seen: bool = False) -> list[bool | None]:
        program = parse_program(DEFAULT_DOCUMENT, version=1)
        return [check.done for check in review_checks(link, program, seen=seen, formats=Formats(), now=NOW)]

    def test_order_does_not_matter(self) -> None:
        """Before the first review what cannot be known is said to be unknown, and the first review settles it."""
        assert self.checked(self.link()) == [True, True, None, None]
        assert self.checked(self.link(review_cursor=NOW), seen=True) == [True, True, True, True]

    def test_lacking(self) -> None:
        """A missing permission and a rule that is off are to do."""
        off = parse_program(DEFAULT_DOCUMENT | {"earn": {}}, version=1)
        checks = review_checks(self.link(scopes=""), off, seen=False, formats=Formats(), now=NOW)

        assert [check.done for check in checks[:2]] == [False, False]
        assert "reviews:read" in checks[1].text
