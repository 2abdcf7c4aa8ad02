"""The whole document: every part of it, what does not fit together, and that it is written as it was read."""

import copy
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.document import (
    DEFAULT_DOCUMENT,
    ProgramInvalid,
    Unreadable,
    parse_program,
    plain,
    read_reward,
    read_text,
    render_program,
    render_reward,
)
from loyalty.core.program import WAYS, Gift, Limit, Schedule
from loyalty.program_text import write_text
from tests.unit.core.programs import programs, rewards
from tests.unit.core.strategies import SETTINGS

WHOLE = read_text("""
point_value = "0.01"
timezone = "Europe/Berlin"
guests = "wait"
stacking = "add"
debts = "forgive"
reward_reminder_days = 5
points = { one = "bean", many = "beans" }
basis = { tax = true }
currency = { thousands = "comma", decimals = "when_needed" }

[earn.order]
title = "Place an order"
rate = "1"
channels = ["web"]
limit = { times = 2, per = "days", days = 7 }
schedule = { begins = 2026-12-01, ends = "2026-12-24" }
goods = { collections = ["gid://shopify/Collection/7", 8], without_tags = ["SALE"] }
tiers = ["gold"]

[earn.cakes]
way = "order"
title = "Cakes"
rate = "2.5"
enabled = false

[earn.tenth]
way = "order_count_goal"
title = "Ten orders"
goal = 10
points = 500

[earn.birthday]
title = "Your birthday"
reward = "cake"

[[campaigns]]
key = "advent"
title = "Advent"
schedule = { begins = 2026-12-01 }
multiplier = 2
rules = ["order"]

[[rewards]]
key = "five_off"
title = "5 off"
points = 500
amount = 5

[[rewards]]
key = "cake"
kind = "free_product"
title = "A cake"
listed = false
variant_id = "gid://shopify/ProductVariant/44"

[[rewards]]
key = "choose"
kind = "incremental"
title = "As much as you like"
points = 100
amount = "1"
minimum_points = 200
maximum_points = 1000

[[rewards]]
key = "card"
kind = "gift_card"
title = "Gift card"
points = 2000
amount = 20
code_prefix = "GIFT"

[tiers]
metric = "spent"
window = "rolling"
months = 6

[[tiers.ladder]]
key = "silver"
title = "Silver"
threshold = 0

[[tiers.ladder]]
key = "gold"
title = "Gold"
threshold = 500
multiplier = "1.5"
perks = ["Free shipping"]
entry = { points = 100, reward = "five_off" }

[referrals]
friend = "five_off"
advocate = { points = 300 }
limit = { times = 5, per = "month" }

[expiry]
kind = "age"
months = 12

[balance_reminder]
every = "month"
minimum = 100
""")


def with_change(path, value, document=WHOLE):
    """A document with one value put in place of another. What is beside the path is the document's own."""
    key, *rest = path
    changed = document.copy()
    changed[key] = with_change(rest, value, document[key]) if rest else value
    return changed


def mistakes(document):
    """What is wrong with a document, as (path, found) pairs."""
    with pytest.raises(ProgramInvalid) as invalid:
        parse_program(document, version=1)
    return [(mistake.path, mistake.found) for mistake in invalid.value.mistakes]


CASES = [
    (["timezone"], "Europe/Berln", "timezone"),
    (["timezone"], "America", "timezone"),
    (["timezone"], "../etc/passwd", "timezone"),
    (["guests"], "sometimes", "guests"),
    (["point_value"], 0.01, "point_value"),
    (["reward_reminder_days"], 0, "reward_reminder_days"),
    (["basis", "tips"], True, "basis.tips"),
    (["currency"], {"display": "sign"}, "currency.display"),
    (["currency"], {"thousands": "point", "decimal": "point"}, "currency.decimal"),
    (["currency"], {"decimals": 2}, "currency.decimals"),
    (["currency"], {"symbol": "$"}, "currency.symbol"),
    (["currency"], "EUR", "currency"),
    (["earn", "order", "limit", "per"], "fortnight", "earn.order.limit.per"),
    (["earn", "order", "limit", "times"], 0, "earn.order.limit.times"),
    (["earn", "order", "limit", "days"], None, "earn.order.limit.days"),
    (["earn", "order", "limit"], {"times": 1, "per": "week", "days": 3}, "earn.order.limit.days"),
    (["earn", "order", "schedule", "ends"], "2026-11-30", "earn.order.schedule.ends"),
    (["earn", "order", "schedule", "ends"], "2026-13-01", "earn.order.schedule.ends"),
    (["earn", "order", "schedule", "begins"], datetime(2026, 12, 1), "earn.order.schedule.begins"),  # noqa: DTZ001
    (["earn", "order", "goods", "collections"], ["gid://shopify/Product/7"], "earn.order.goods.collections[0]"),
    (["earn", "order", "goods", "collections"], [0], "earn.order.goods.collections[0]"),
    (["earn", "order", "goods", "collections"], [2**63], "earn.order.goods.collections[0]"),
    (["earn", "order", "goods", "collections"], list(range(1, 252)), "earn.order.goods.collections"),
    (["earn", "order", "goods"], {"tags": ["Sale"], "without_tags": ["sale"]}, "earn.order.goods.without_tags"),
    (["earn", "order", "goods", "tags"], ["two\nlines"], "earn.order.goods.tags[0]"),
    (["earn", "order", "tiers"], ["platinum"], "earn.order.tiers[0]"),
    (["earn", "order", "tiers"], "gold", "earn.order.tiers"),
    (["earn", "order", "hold_days"], -1, "earn.order.hold_days"),
    (["earn", "order", "points"], 5, "earn.order.points"),
    (["earn", "tenth", "goal"], "9.5", "earn.tenth.goal"),
    (["earn", "tenth", "limit"], {"times": 1, "per": "day"}, "earn.tenth.limit"),
    (["earn", "birthday"], {"title": "Birthday"}, "earn.birthday.points"),
    (["earn", "birthday", "reward"], "pie", "earn.birthday.reward"),
    (["earn", "birthday", "reward"], "choose", "earn.birthday.reward"),
    (["earn", "birthday", "blackout_days"], 400, "earn.birthday.blackout_days"),
    (["earn", "big"], {"way": "order_value_goal", "title": "x", "points": 1}, "earn.big.minimum"),
    (["earn", "campaign_x"], {"way": "custom", "title": "x", "points": 1}, "earn.campaign_x"),
    (["campaigns", 0, "schedule"], {}, "campaigns[0].schedule"),
    (["campaigns", 0, "multiplier"], "1", "campaigns[0].multiplier"),
    (["campaigns", 0, "multiplier"], "101", "campaigns[0].multiplier"),
    (["campaigns", 0, "rules"], ["birthday"], "campaigns[0].rules[0]"),
    (["campaigns", 0, "key"], "Advent!", "campaigns[0].key"),
    (["rewards", 0, "kind"], "car", "rewards[0].kind"),
    (["rewards", 0, "points"], None, "rewards[0].points"),
    (["rewards", 0, "code_prefix"], "fern", "rewards[0].code_prefix"),
    (["rewards", 0, "code_prefix"], "FERN-", "rewards[0].code_prefix"),
    (["rewards", 0, "products"], [True], "rewards[0].products[0]"),
    (["rewards", 0, "percentage"], 5, "rewards[0].percentage"),
    (["rewards", 1, "points"], 100, "rewards[1].points"),
    (["rewards", 1, "variant_id"], "44x", "rewards[1].variant_id"),
    (["rewards", 2, "minimum_points"], 250, "rewards[2].minimum_points"),
    (["rewards", 2, "maximum_points"], 100, "rewards[2].maximum_points"),
    (["rewards", 2, "listed"], False, "rewards[2].listed"),
    (["rewards", 3, "code_prefix"], "GIFT-CARD", "rewards[3].code_prefix"),
    (["rewards", 3, "minimum_subtotal"], 5, "rewards[3].minimum_subtotal"),
    (["rewards", 0], {"key": "p", "kind": "percentage_off", "title": "x", "points": 1, "percentage": "100.5"},
     "rewards[0].percentage"),
    (["tiers", "ladder"], [], "tiers.ladder"),
    (["tiers", "ladder", 1, "threshold"], 0, "tiers.ladder[1].threshold"),
    (["tiers", "ladder", 1, "key"], "silver", "tiers.ladder[1].key"),
    (["tiers", "ladder", 1, "entry", "reward"], "pie", "tiers.ladder[1].entry.reward"),
    (["tiers", "ladder", 1, "perks"], ["two\nlines"], "tiers.ladder[1].perks[0]"),
    (["tiers", "metric"], "visits", "tiers.metric"),
    (["referrals", "friend"], "pie", "referrals.friend"),
    (["referrals", "friend"], "card", "referrals.friend"),
    (["referrals", "advocate"], {}, "referrals.advocate"),
    (["referrals", "checks"], ["ip"], "referrals.checks[0]"),
    (["expiry", "last_chance_days"], 30, "expiry.last_chance_days"),
    (["expiry", "months"], 1, "expiry.warning_days"),
    (["balance_reminder", "hour"], 24, "balance_reminder.hour"),
    (["balance_reminder", "hour"], 23, "balance_reminder.hour"),
    (["balance_reminder", "quiet_until"], 11, "balance_reminder.hour"),
    (["balance_reminder", "every"], "day", "balance_reminder.every"),
    (["teirs"], {}, "teirs"),
]  # fmt: skip


class TestWholeMistakes:
    def test_named(self):
        """What is wrong, alone or beside the rest of the document, is named by its path."""
        unnamed = [
            (path, value)
            for path, value, where in CASES
            if where not in [path for path, _ in mistakes(with_change(path, value))]
        ]
        assert not unnamed

    def test_meant(self):
        """The nearest name is suggested for one that is not known."""
        with pytest.raises(ProgramInvalid, match=r"teirs: expected .*\(did you mean tiers\?\)"):
            parse_program({**WHOLE, "teirs": {}}, version=1)

    def test_one_pass(self):
        """Mistakes of shape and of sense are told together."""
        document = with_change(["earn", "order", "tiers"], ["platinum"])
        document = with_change(["earn", "order", "rate"], 1.5, document)
        document = with_change(["tiers", "ladder", 1, "threshold"], 0, document)
        document = with_change(["referrals", "friend"], "pie", document)
        assert {
            "earn.order.tiers[0]",
            "earn.order.rate",
            "tiers.ladder[1].threshold",
            "referrals.friend",
        } == {path for path, _ in mistakes(document)}

    def test_wrong_neighbour(self):
        """A reward that has a mistake of its own is still there for those that name it."""
        assert [("rewards[0].amount", "x")] == mistakes(with_change(["rewards", 0, "amount"], "x"))

    @SETTINGS
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
            ),
            max_leaves=12,
        )
    )
    def test_anything(self, document):
        """Whatever stands in a document, reading it ends with its mistakes, which can be printed."""
        with pytest.raises(ProgramInvalid) as invalid:
            parse_program(document, version=1)
        str(invalid.value).encode()

    @SETTINGS
    @given(st.data())
    def test_anything_anywhere(self, data):
        """The same for anything in any place of a document that is right otherwise."""
        document = copy.deepcopy(WHOLE)
        place: Any = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            inner = place[key]
            if not (isinstance(inner, (dict, list)) and inner) or data.draw(st.booleans()):
                break
            place = inner
        place[key] = data.draw(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
            | st.just({}) | st.just([]) | st.just([[]]) | st.just([{}]) | st.just({"key": []}) | st.just([None])
        )  # fmt: skip
        try:
            parse_program(document, version=1)
        except ProgramInvalid as invalid:
            str(invalid).encode()

    def test_very_long(self):
        """Even a number that Python refuses to write out is shown."""
        assert "very many digits" in str(ProgramInvalid(_of({**WHOLE, "reward_reminder_days": 10**5000})))


def _of(document):
    with pytest.raises(ProgramInvalid) as invalid:
        parse_program(document, version=1)
    return invalid.value.mistakes


class TestWhole:
    def test_read(self):
        """Everything that a document says is in the program, and what is switched off is not."""
        program = parse_program(WHOLE, version=2)
        order = program.order_rules[0]
        assert ["order", "tenth", "birthday"] == [rule.key for rule in program.earning]
        assert Limit(2, "days", 7) == order.limit
        assert Schedule(date(2026, 12, 1), date(2026, 12, 24)) == order.schedule
        assert (frozenset({7, 8}), frozenset({"sale"})) == (order.goods.collections, order.goods.without_tags)
        assert 44 == program.reward("cake").variant_id
        assert Gift(100, "five_off") == program.tiers.tier("gold").entry
        assert ("wait", "add", "forgive", 5) == (
            program.guests,
            program.stacking,
            program.debts,
            program.reward_reminder_days,
        )

    def test_every_way(self):
        """Every way to earn may stand under any key, also more than once."""
        more: dict[str, dict[str, Any]] = {
            "order": {"rate": 1},
            "order_value_goal": {"points": 1, "minimum": 100},
            "order_count_goal": {"points": 1, "goal": 3},
            "spend_goal": {"points": 1, "goal": "99.5"},
        }
        rules = {way: {"title": "x", **more.get(way, {"points": 1})} for way in sorted(WAYS)}
        again = {f"{way}_again": {"way": way, **rule} for way, rule in rules.items()}
        program = parse_program({"points": WHOLE["points"], "earn": rules | again}, version=1)
        ways = [*((way, way) for way in rules), *((f"{way}_again", way) for way in rules)]
        assert ways == [(rule.key, rule.way) for rule in program.earning]

    def test_shop_zone(self):
        """A program that names no time zone lives in the shop's; without one, in UTC."""
        zone = ZoneInfo("Asia/Tokyo")
        assert zone == parse_program(DEFAULT_DOCUMENT, version=1, timezone=zone).timezone
        assert "UTC" == parse_program(DEFAULT_DOCUMENT, version=1).timezone.key
        assert "Europe/Berlin" == parse_program(WHOLE, version=1, timezone=zone).timezone.key

    def test_campaign_about_nothing(self):
        """A campaign for rules that are all switched off is over; it does not become one for all rules."""
        document = with_change(["campaigns", 0, "rules"], ["cakes"])
        assert () == parse_program(document, version=1).campaigns
        document["campaigns"][0]["extra"] = 50
        (campaign,) = parse_program(document, version=1).campaigns
        assert (Decimal(1), 50) == (campaign.multiplier, campaign.extra)

    @pytest.mark.parametrize("part", ["referrals", "expiry", "balance_reminder"])
    def test_part_off(self, part):
        """A part that is switched off keeps its settings in the document and is not in the program."""
        assert getattr(parse_program(with_change([part, "enabled"], False), version=1), part) is None


class TestRendering:
    @SETTINGS
    @given(programs())
    def test_comes_back(self, program):
        """A program's document reads to the same program, straight or by way of JSON and TOML."""
        document = render_program(program)
        assert program == parse_program(document, version=program.version)
        assert document == json.loads(json.dumps(document)) == read_text(write_text(document))

    @SETTINGS
    @given(rewards())
    def test_rewards(self, reward):
        """A reward by itself comes back too."""
        assert reward == read_reward(render_reward(reward))

    def test_normal(self):
        """The normal form of a normal form is itself, and says nothing that is so anyway."""
        document = render_program(parse_program(WHOLE, version=1))
        assert document == render_program(parse_program(document, version=1))
        assert {"title": "Your birthday", "reward": "cake"} == document["earn"]["birthday"]

    def test_bad_terms(self):
        """A reward by itself is checked like one in a document."""
        with pytest.raises(ProgramInvalid, match=r"reward\.amount"):
            read_reward({"key": "a", "title": "x", "points": 1, "amount": "-1"})


NAMES = st.text(max_size=9)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


class TestText:
    @SETTINGS
    @given(st.dictionaries(NAMES, VALUES, max_size=5))
    def test_toml(self, document):
        """Whatever tables, lists and texts a document holds, its TOML reads back to it."""
        assert document == read_text(write_text(document))

    def test_readable(self):
        """The text is what a person would have written."""
        text = write_text(WHOLE)
        assert '[points]\none = "bean"\nmany = "beans"' in text
        assert 'limit = {times = 2, per = "days", days = 7}' in text
        assert "[[tiers.ladder]]" in text
        assert plain(WHOLE) == plain(read_text(text))

    @pytest.mark.parametrize(
        "text",
        ["points = ", "{", '{"a": 1, "a": 2}', "a = 1\na = 2", '{"a": 1} x', "[" * 3000, '{"a":' * 100_000],
    )
    def test_unreadable(self, text):
        """A text that is neither TOML nor JSON, or says a key twice, is refused."""
        with pytest.raises(Unreadable):
            read_text(text)

    def test_line_ends(self):
        """Files from any machine can be read, with or without a mark of their encoding."""
        assert {"a": 1, "b": 2} == read_text("\ufeffa = 1\r\nb = 2\r\n")
        assert {"a": 1} == read_text('\ufeff {"a": 1}')
