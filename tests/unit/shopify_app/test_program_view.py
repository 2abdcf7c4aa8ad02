"""What the widget may show of a program."""

import json
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.document import DEFAULT_DOCUMENT, parse_program
from shopify_app.phrases import ENGLISH, LANGUAGES
from shopify_app.program_view import MOST_BYTES, program_metafield, program_view
from shopify_app.program_words import Words
from tests.theme import LOCALES, locale
from tests.unit.core.programs import programs
from tests.unit.core.strategies import SETTINGS
from tests.unit.program.test_document_whole import WHOLE

POINTS = {"points": {"one": "bean", "many": "beans"}}


def view_of(document, **said):
    """The view of a document in dollars."""
    return program_view(parse_program(document, version=1), currency="USD", **said)


def detail(rule, **beside):
    """The line of a single way to earn."""
    rule = {"title": "x", **rule}
    (way,) = view_of(POINTS | beside | {"earn": {"one": rule}})["earn"]
    return way["detail"]


class TestView:
    def test_default(self):
        """The first program in the words that themes rely on."""
        view = view_of(DEFAULT_DOCUMENT)
        assert {"points_name", "earn", "rewards", "proxy"} == set(view)
        assert ["1 point for every $1 spent", "100 points", "50 points"] == [
            w["detail"] for w in view["earn"]
        ]
        (reward,) = view["rewards"]
        assert ("five_off", "$5 off", 500, "amount_off") == tuple(
            reward[name] for name in ("key", "title", "points", "kind")
        )

    def test_listed_only(self):
        """What is only ever given is not offered."""
        assert ["five_off", "choose", "card"] == [reward["key"] for reward in view_of(WHOLE)["rewards"]]

    def test_incremental(self):
        """A reward whose amount is chosen says from what to what, and in what steps."""
        choose = view_of(WHOLE)["rewards"][1]
        assert (200, 100, 200, 1000) == tuple(
            choose[name] for name in ("points", "step", "minimum", "maximum")
        )
        assert "$1 for every 100 beans" == choose["detail"]

    def test_tiers(self):
        """Tiers say how they are reached, and what they are worth."""
        silver, gold = view_of(WHOLE)["tiers"]
        assert ("For every member", []) == (silver["threshold"], silver["perks"])
        assert "Spend $500 within 6 months" == gold["threshold"]
        assert ["1.5× beans on orders", "100 beans and 5 off on entering", "Free shipping"] == gold["perks"]

    def test_referral(self):
        """What friends and members get for each other."""
        assert {
            "title": "Refer a friend",
            "friend": "5 off",
            "advocate": "300 beans",
            "minimum": "",
        } == view_of(WHOLE)["referral"]

    def test_over(self):
        """A way to earn whose time is over is not shown."""
        keys = [way["key"] for way in view_of(WHOLE, today=date(2026, 12, 25))["earn"]]
        assert "order" not in keys
        assert "order" in [way["key"] for way in view_of(WHOLE, today=date(2026, 12, 24))["earn"]]

    @pytest.mark.parametrize(
        ("rule", "text"),
        [
            ({"way": "order", "rate": "2.5"}, "2.5 beans for every $1 spent"),
            ({"way": "order", "rate": 1, "minimum": "20.50"}, "1 bean for every $1 spent, from $20.50"),
            ({"way": "order", "rate": 2, "goods": {"tags": ["a"]}}, "2 beans for every $1 spent, on selected products"),
            ({"way": "order_fixed", "points": 50}, "50 beans for each order"),
            ({"way": "order_value_goal", "points": 50, "minimum": 100}, "50 beans for an order of $100 or more"),
            ({"way": "order_count_goal", "points": 50, "goal": 10}, "50 beans after 10 orders"),
            ({"way": "spend_goal", "points": 1500, "goal": "1000"}, "1,500 beans after spending $1,000"),
            ({"way": "custom", "points": 1, "limit": {"times": 2, "per": "month"}}, "1 bean, at most twice a month"),
            ({"way": "custom", "points": 1, "limit": {"times": 1, "per": "lifetime"}}, "1 bean, once"),
            ({"way": "custom", "points": 1, "limit": {"times": 3, "per": "days", "days": 7}},
             "1 bean, at most 3 times in 7 days"),
            ({"way": "share_x", "points": 5, "schedule": {"begins": "2026-12-01", "ends": "2026-12-24"}},
             "5 beans, December 1, 2026 to December 24, 2026"),
            ({"way": "share_x", "points": 5, "schedule": {"ends": "2026-12-24"}}, "5 beans, until December 24, 2026"),
        ],
    )  # fmt: skip
    def test_details(self, rule, text):
        """Each way to earn says in one line what it gives, for what, and how often."""
        assert text == detail(rule)

    def test_birthday(self):
        """A birthday names what is given by its title."""
        cake = {"key": "cake", "title": "A cake", "kind": "free_shipping", "listed": False}
        rule = {"way": "birthday", "points": 5, "reward": "cake"}
        assert "5 beans and A cake" == detail(rule, rewards=[cake])

    def test_for_tiers(self):
        """What only some tiers may says so by their titles."""
        ladder = [{"key": "gold", "title": "Gold", "threshold": 1}]
        assert "5 beans, for Gold" == detail(
            {"way": "custom", "points": 5, "tiers": ["gold"]}, tiers={"ladder": ladder}
        )

    def test_campaign(self):
        """A campaign says what it gives, to whom and when."""
        document = WHOLE | {"campaigns": [{**WHOLE["campaigns"][0], "extra": 20, "tiers": ["gold"]}]}
        program = parse_program(document, version=1)
        assert "2× beans and 20 beans more for each order, for Gold, from December 1, 2026" == Words(
            program, "USD"
        ).campaign(program.campaigns[0])

    def test_money(self):
        """Money is written in the shop's currency, also in one that nobody knows."""
        program = parse_program(DEFAULT_DOCUMENT, version=1)
        assert "1 point for every ¥1 spent" == Words(program, "JPY").rule(program.earning[0])
        assert "1 point for every XQQ\u00a01 spent" == Words(program, "XQQ").rule(program.earning[0])


class TestLanguages:
    def test_german(self):
        """In German everything but the merchant's own names is German, with German numbers and days."""
        document = WHOLE | {
            "earn": {
                "order": {"title": "x", "rate": "1.5", "tiers": ["gold"], "schedule": {"ends": "2026-12-24"}},
                "spend_goal": {"title": "x", "points": 1500, "goal": "1000"},
                "custom": {"title": "x", "points": 1, "limit": {"times": 3, "per": "days", "days": 7}},
            },
            "campaigns": [],
        }
        view = view_of(document, language=LANGUAGES["de"])
        assert [
            "1,5 beans je $1 Einkaufswert, für Gold, bis 24. Dezember 2026",
            "1.500 beans nach Einkäufen für $1,000",
            "1 bean, höchstens 3-mal in 7 Tagen",
        ] == [way["detail"] for way in view["earn"]]
        assert "Für $500 einkaufen, innerhalb von 6 Monaten" == view["tiers"][1]["threshold"]
        assert ["1,5× beans auf Bestellungen", "100 beans und 5 off beim Erreichen", "Free shipping"] == view[
            "tiers"
        ][1]["perks"]

    @pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
    def test_alike(self, language):
        """Every language has every phrase with the same gaps, and writes numbers as the widget does."""
        slots = {name: set(re.findall(r"{(\w+)}", text)) for name, text in language.phrases.items()}
        english = {name: set(re.findall(r"{(\w+)}", text)) for name, text in ENGLISH.phrases.items()}
        (file,) = [name for name in LOCALES if locale(name)["language.key"] == language.code]
        assert english.keys() == slots.keys()
        assert english == slots
        assert locale(file)["number.group"] == language.phrases["group"]

    @SETTINGS
    @given(programs(), st.sampled_from(list(LANGUAGES.values())))
    def test_any(self, program, language):
        """Every program can be said in every language."""
        assert json.loads(program_metafield(program, currency="EUR", language=language))["proxy"]

    def test_one_order(self):
        """One order is no orders."""
        assert "5 beans after 1 order" == detail({"way": "order_count_goal", "points": 5, "goal": 1})


class TestMetafield:
    @SETTINGS
    @given(programs())
    def test_any(self, program):
        """Every program can be shown."""
        assert json.loads(program_metafield(program, currency="EUR"))["proxy"]

    def test_whole(self):
        """A program of a usual length is there in full."""
        assert view_of(WHOLE) == json.loads(
            program_metafield(parse_program(WHOLE, version=1), currency="USD")
        )

    def test_too_long(self):
        """The longest program still fits: details go first, names and prices stay while they can."""
        document = json.loads(json.dumps(DEFAULT_DOCUMENT))
        for number in range(97):
            document["earn"][f"way_{number}"] = {"way": "custom", "title": "Ü" * 120, "points": 7}
        document["rewards"] = [
            {"key": f"r_{number}", "title": "Ü" * 120, "points": 1, "amount": 1} for number in range(50)
        ]
        text = program_metafield(parse_program(document, version=1), currency="USD")
        view = json.loads(text)
        assert len(text.encode()) <= MOST_BYTES
        assert view["shortened"] is True
        assert len(view["earn"]) + len(view["rewards"]) > 40
