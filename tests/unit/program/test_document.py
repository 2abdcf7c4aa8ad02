"""Reading a program document: everything that can be wrong is named, and nothing wrong is taken."""

import copy
import json
import tomllib
from decimal import Decimal

import pytest

from loyalty.core.document import DEFAULT_DOCUMENT, Mistake, ProgramInvalid, parse_program
from loyalty.core.program import ActionRule, OrderRule, PointsName, Reward

GONE = object()


def changed(path, value):
    """The default document with one value put in place of another, or taken out."""
    document = copy.deepcopy(DEFAULT_DOCUMENT)
    *way, last = path
    place = document
    for step in way:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return document


def mistakes(document):
    """What is wrong with a document, as (path, found) pairs."""
    with pytest.raises(ProgramInvalid) as invalid:
        parse_program(document, version=1)
    return [(mistake.path, mistake.found) for mistake in invalid.value.mistakes]


REWARD = DEFAULT_DOCUMENT["rewards"][0]

CASES = [
    (["points"], 5, "points", 5),
    (["points", "one"], GONE, "points.one", None),
    (["points", "many"], "", "points.many", ""),
    (["points", "many"], "  ", "points.many", "  "),
    (["points", "one"], "x" * 41, "points.one", "x" * 41),
    (["points", "one"], "a\x00b", "points.one", "a\x00b"),
    (["points", "one"], "\ud800", "points.one", "\ud800"),
    (["points", "few"], "leafs", "points.few", "leafs"),
    (["earn"], [], "earn", []),
    (["earn", "friday"], {}, "earn.friday.way", None),
    (["earn", "friday"], {"way": "fridays"}, "earn.friday.way", "fridays"),
    (["earn", "friday"], {"way": ["custom"]}, "earn.friday.way", ["custom"]),
    (["earn", "Fri day"], {"way": "custom", "title": "x", "points": 1}, "earn.'Fri day'", "Fri day"),
    (["earn", "order"], True, "earn.order", True),
    (["earn", "order", "enabled"], "yes", "earn.order.enabled", "yes"),
    (["earn", "order", "title"], 7, "earn.order.title", 7),
    (["earn", "order", "title"], "x" * 121, "earn.order.title", "x" * 121),
    (["earn", "order", "title"], "two\nlines", "earn.order.title", "two\nlines"),
    (["earn", "order", "rate"], GONE, "earn.order.rate", None),
    (["earn", "order", "rate"], 1.5, "earn.order.rate", 1.5),
    (["earn", "order", "rate"], True, "earn.order.rate", True),
    (["earn", "order", "rate"], "0", "earn.order.rate", "0"),
    (["earn", "order", "rate"], "-1", "earn.order.rate", "-1"),
    (["earn", "order", "rate"], "1e3", "earn.order.rate", "1e3"),
    (["earn", "order", "rate"], "1_000", "earn.order.rate", "1_000"),
    (["earn", "order", "rate"], " 1", "earn.order.rate", " 1"),
    (["earn", "order", "rate"], "１", "earn.order.rate", "１"),
    (["earn", "order", "rate"], "NaN", "earn.order.rate", "NaN"),
    (["earn", "order", "rate"], "Infinity", "earn.order.rate", "Infinity"),
    (["earn", "order", "rate"], "one", "earn.order.rate", "one"),
    (["earn", "order", "rate"], "0.00001", "earn.order.rate", "0.00001"),
    (["earn", "order", "rate"], "100000.0001", "earn.order.rate", "100000.0001"),
    (["earn", "order", "rate"], [1], "earn.order.rate", [1]),
    (["earn", "order", "rounding"], "bankers", "earn.order.rounding", "bankers"),
    (["earn", "order", "rounding"], ["down"], "earn.order.rounding", ["down"]),
    (["earn", "order", "pionts"], 3, "earn.order.pionts", 3),
    (["earn", "signup", "points"], 0, "earn.signup.points", 0),
    (["earn", "signup", "points"], True, "earn.signup.points", True),
    (["earn", "signup", "points"], "100", "earn.signup.points", "100"),
    (["earn", "signup", "points"], 1_000_000_001, "earn.signup.points", 1_000_000_001),
    (["earn", "review", "points"], GONE, "earn.review.points", None),
    (["earn", "review", "title"], GONE, "earn.review.title", None),
    (["rewards"], {"key": "x"}, "rewards", {"key": "x"}),
    (["rewards", 0], "five_off", "rewards[0]", "five_off"),
    (["rewards", 0, "key"], "Five Off", "rewards[0].key", "Five Off"),
    (["rewards", 0, "key"], "5off", "rewards[0].key", "5off"),
    (["rewards", 0, "key"], GONE, "rewards[0].key", None),
    (["rewards", 0, "points"], 2.0, "rewards[0].points", 2.0),
    (["rewards", 0, "amount"], 5.0, "rewards[0].amount", 5.0),
    (["rewards", 0, "amount"], "1000000.01", "rewards[0].amount", "1000000.01"),
    (["rewards", 0, "minimum_subtotal"], "0", "rewards[0].minimum_subtotal", "0"),
    (["rewards", 0, "expires_after_days"], 0, "rewards[0].expires_after_days", 0),
    (["rewards", 0, "expires_after_days"], 3651, "rewards[0].expires_after_days", 3651),
    (["rewards", 0, "colour"], "red", "rewards[0].colour", "red"),
    (["programme"], {}, "programme", {}),
]


class TestMistakes:
    def test_named(self):
        """A single wrong value is named by its path and shown as it was found."""
        unnamed = [
            (path, value)
            for path, value, where, found in CASES
            if (where, found) not in mistakes(changed(path, value))
        ]
        assert not unnamed

    def test_all_at_once(self):
        """One pass names every mistake, so that nobody mends a document one error at a time."""
        document = changed(["earn", "order"], {"rate": "x", "rounding": "up"})
        document["earn"]["signup"]["points"] = -1
        document["rewards"].append({**REWARD, "amount": "", "extra": 1})
        assert {
            "earn.order.title",
            "earn.order.rate",
            "earn.signup.points",
            "rewards[1].key",
            "rewards[1].amount",
            "rewards[1].extra",
        } == {path for path, _ in mistakes(document)}

    def test_goods_of_a_code(self):
        """What Shopify has no code for is refused: products beside collections, and a minimum for a free product."""
        free = {"key": "fern", "title": "A fern", "kind": "free_product", "points": 9, "variant_id": 7}
        document = changed(["rewards", 0, "products"], [1])
        document["rewards"][0]["collections"] = [2]
        document["rewards"].append(free | {"minimum_subtotal": "30"})
        assert {"rewards[0].collections", "rewards[1].minimum_subtotal"} == {
            path for path, _ in mistakes(document)
        }

    def test_nothing_else(self):
        """A mistake is reported once, and nothing that is right is reported with it."""
        assert [("earn.order.rate", "x")] == mistakes(changed(["earn", "order", "rate"], "x"))

    def test_expected(self):
        """A mistake reads as a sentence: where, what was expected, what was found."""
        mistake = Mistake("earn.signup.points", 0, "a whole number from 1 to 9")
        assert "earn.signup.points: expected a whole number from 1 to 9, found 0" == str(mistake)

    def test_message(self):
        """The error's own text carries all of them."""
        with pytest.raises(
            ProgramInvalid, match=r"points\.one: expected .*; rewards: expected a list"
        ) as invalid:
            parse_program({"points": {"one": 1, "many": "s"}, "rewards": 5}, version=1)
        assert 2 == len(invalid.value.mistakes)

    @pytest.mark.parametrize("document", [None, 5, "points", [], [("points", {})]])
    def test_no_table(self, document):
        """A document that is no table is one mistake about the document."""
        assert [("document", document)] == mistakes(document)

    def test_same_key(self):
        """Two rewards cannot share a key."""
        assert [("rewards[1].key", "five_off")] == mistakes(changed(["rewards"], [REWARD, REWARD]))

    def test_too_many_rewards(self):
        """There is a limit to the list of rewards."""
        many = [{**REWARD, "key": f"reward_{n}"} for n in range(51)]
        assert ["rewards"] == [path for path, _ in mistakes(changed(["rewards"], many))]

    def test_key_of_another_kind(self):
        """A key that is no text is unknown like any other."""
        assert ("points.7", "x") in mistakes(changed(["points", 7], "x"))


class TestProgram:
    def test_default(self):
        """The document that a shop begins with is a whole program."""
        program = parse_program(DEFAULT_DOCUMENT, version=4)
        assert (4, PointsName("point", "points")) == (program.version, program.points_name)
        assert (
            OrderRule(key="order", way="order", title="Place an order", rate=Decimal(1)),
            ActionRule(key="signup", way="signup", title="Create an account", points=100),
            ActionRule(key="review", way="review", title="Leave a verified review", points=50),
        ) == program.earning
        five_off = Reward(
            key="five_off",
            kind="amount_off",
            title="$5 off",
            points=500,
            amount=Decimal("5.00"),
            expires_after_days=90,
        )
        assert (five_off,) == program.rewards

    @pytest.mark.parametrize("rule", ["order", "signup", "review"])
    def test_off(self, rule):
        """A rule that is switched off, or is not there, is None."""
        off = changed(["earn", rule, "enabled"], False)
        gone = changed(["earn", rule], GONE)
        assert parse_program(off, version=1).rule(rule) is None
        assert parse_program(off, version=1) == parse_program(gone, version=1)

    def test_off_is_checked(self):
        """A rule that is off is still read, so switching it on later cannot fail."""
        document = changed(["earn", "order"], {"enabled": False, "title": "Orders", "rate": "x"})
        assert [("earn.order.rate", "x")] == mistakes(document)

    def test_least(self):
        """Names for the points are all that a document must say."""
        program = parse_program({"points": {"one": "leaf", "many": "leaves"}}, version=1)
        assert ((), (), None, None) == (program.earning, program.rewards, program.tiers, program.expiry)

    @pytest.mark.parametrize(
        ("rate", "exact"), [("0.0001", "0.0001"), ("100000", "100000"), (2, "2"), ("007.50", "7.50")]
    )
    def test_rates(self, rate, exact):
        """Rates are taken exactly, as text or as whole numbers."""
        program = parse_program(changed(["earn", "order", "rate"], rate), version=1)
        assert Decimal(exact) == program.order_rules[0].rate

    @pytest.mark.parametrize("rounding", ["down", "half_up", "up"])
    def test_roundings(self, rounding):
        """Every rounding can be chosen."""
        program = parse_program(changed(["earn", "order", "rounding"], rounding), version=1)
        assert rounding == program.order_rules[0].rounding

    def test_usual_rounding(self):
        """Points are rounded down when nothing is said."""
        program = parse_program(changed(["earn", "order", "rounding"], GONE), version=1)
        assert "down" == program.order_rules[0].rounding

    @pytest.mark.parametrize("name", ["Blätter", "ポイント", "👩‍🌾 seeds", "of'Fern & <Fig>"])
    def test_any_language(self, name):
        """Names may be in any script, with joined emoji and marks of all kinds."""
        assert name == parse_program(changed(["points", "many"], name), version=1).points_name.many

    def test_trimmed(self):
        """Blanks around a text are not part of it."""
        assert "leaf" == parse_program(changed(["points", "one"], " leaf "), version=1).points_name.one

    def test_optional(self):
        """A reward may have a smallest order and never run out; both may also be said to be none."""
        document = changed(["rewards", 0, "minimum_subtotal"], "25.00")
        document["rewards"][0]["expires_after_days"] = None
        (reward,) = parse_program(document, version=1).rewards
        assert (Decimal("25.00"), None) == (reward.minimum_subtotal, reward.expires_after_days)

    def test_round_trip(self):
        """The same program comes from the document as data, as JSON and as TOML."""
        toml = """
            [points]
            one = "point"
            many = "points"
            [earn.order]
            enabled = true
            title = "Place an order"
            rate = "1"
            rounding = "down"
            [earn.signup]
            title = "Create an account"
            points = 100
            [earn.review]
            title = "Leave a verified review"
            points = 50
            [[rewards]]
            key = "five_off"
            title = "$5 off"
            points = 500
            amount = "5.00"
            expires_after_days = 90
        """
        expected = parse_program(DEFAULT_DOCUMENT, version=1)
        assert expected == parse_program(json.loads(json.dumps(DEFAULT_DOCUMENT)), version=1)
        assert expected == parse_program(tomllib.loads(toml), version=1)
