"""What changed between two documents, in words."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.document import DEFAULT_DOCUMENT, difference, plain, render_program
from tests.unit.core.programs import programs
from tests.unit.core.strategies import SETTINGS
from tests.unit.program.test_document_whole import WHOLE


def told(change, document=WHOLE):
    """The changes that ``change`` makes to a copy of a document, as (path, text) pairs."""
    new = copy.deepcopy(document)
    change(new)
    return [(change.path, change.text) for change in difference(document, new)]


class TestDifference:
    def test_rate(self):
        """A number that changed is told with its rule, before and after."""

        def change(document):
            document["earn"]["order"]["rate"] = 2

        text = "“Place an order”, points for each unit of currency spent: 1 → 2"
        assert [("earn.order.rate", text)] == told(change, DEFAULT_DOCUMENT)

    def test_same_meaning(self):
        """Other spellings of the same program are no difference."""

        def change(document):
            document["rewards"][0] |= {"amount": 5, "listed": True, "combines": {}, "kind": "amount_off"}
            document["earn"]["order"] |= {"guests": True, "rounding": "down", "hold_days": None}

        assert [] == told(change, DEFAULT_DOCUMENT)

    def test_switched_off(self):
        """Switching something off is one change, and its settings are none."""

        def change(document):
            document["earn"]["signup"]["enabled"] = False

        assert [("earn.signup.enabled", "“Create an account”: switched off")] == told(
            change, DEFAULT_DOCUMENT
        )

    def test_settings_of_what_is_off(self):
        """What changes in a part that is switched off is told all the same."""
        before = plain(WHOLE) | {"expiry": {"enabled": False, "kind": "age", "months": 12}}

        def change(document):
            document["expiry"]["months"] = 6

        assert [("expiry.months", "Expiry of points, after: 12 months → 6 months")] == told(change, before)

    def test_keys(self):
        """Rewards are matched by their keys, wherever they stand."""

        def change(document):
            document["rewards"].append({"key": "new", "title": "New", "points": 1, "amount": 1})
            del document["rewards"][1]
            document["rewards"][0]["points"] = 400
            document["rewards"].reverse()

        assert [
            ("rewards[five_off].points", "“5 off”, price in points: 500 points → 400 points"),
            ("rewards[cake]", "Reward “A cake”: removed"),
            ("rewards[new]", "Reward “New”: added"),
            ("rewards", "Reward: put in another order"),
        ] == told(change)

    def test_another_sort(self):
        """A rule that became one of another way is not compared field by field."""

        def change(document):
            document["earn"]["tenth"] = {"way": "spend_goal", "title": "Much", "goal": 1000, "points": 500}

        assert [("earn.tenth", "Way to earn “Ten orders”: now of another sort (spend_goal)")] == told(change)

    def test_small_tables(self):
        """Limits, schedules and gifts are told as a whole, in words."""

        def change(document):
            document["earn"]["order"]["limit"] = {"times": 1, "per": "month"}
            document["earn"]["order"]["schedule"] = {"ends": "2026-12-24"}
            document["tiers"]["ladder"][1]["entry"] = {"points": 1}

        assert [
            "“Gold”, on entering: 100 points and the reward five_off → 1 point",
            "“Place an order”, limit: at most twice in 7 days → at most once a month",
            "“Place an order”, schedule: from 2026-12-01 to 2026-12-24 → until 2026-12-24",
        ] == [text for _, text in told(change)]

    def test_none(self):
        """Where there is nothing any more, it says what that means."""

        def change(document):
            for name in ("limit", "tiers", "channels", "goods"):
                del document["earn"]["order"][name]
            del document["timezone"]

        assert [
            "Time zone: Europe/Berlin → the shop's own",
            "“Place an order”, goods, only these collections: 7, 8 → all",
            "“Place an order”, goods, without products with these tags: sale → nothing",
            "“Place an order”, only these sales channels: web → all",
            "“Place an order”, limit: at most twice in 7 days → no limit",
            "“Place an order”, only for these tiers: gold → everybody",
        ] == [text for _, text in told(change)]

    def test_parts(self):
        """Whole parts come and go; one that is only not said begins from what holds by default."""

        def change(document):
            del document["referrals"]
            document["basis"] = {"shipping": True}

        assert [
            "What counts, tax counts: yes → no",
            "What counts, shipping counts: no → yes",
            "Referrals: removed",
        ] == [text for _, text in told(change)]

    @SETTINGS
    @given(programs(), st.sampled_from(sorted(plain(WHOLE))))
    def test_any(self, program, part):
        """Between a program and itself there is no difference; any one part that becomes another is one, there and back."""
        before = render_program(program)
        after = before | {part: plain(WHOLE)[part]}
        assert () == difference(before, before)
        assert before == after or (difference(before, after) and difference(after, before))
