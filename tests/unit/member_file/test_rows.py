"""Every cell is read for what it says, and every mistake is named with its column; nothing is guessed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from loyalty.member_file import FileRow, Mistake, Record, Rules, read_row
from loyalty.member_file.columns import recognise

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
RULES = Rules(
    ZoneInfo("America/New_York"), "add", NOW, {"gold": "gold", "gold circle": "gold", "silver": "silver"}
)
SET = Rules(RULES.zone, "set", NOW, RULES.tiers)
DAY_FIRST = Rules(RULES.zone, "add", NOW, RULES.tiers, day_first=True)


def row(rules: Rules = RULES, **cells: str) -> FileRow | tuple[Mistake, ...]:
    """A line with these cells (and an address, unless one is given)."""
    told = {"email": "ada@fernandfig.shop"} | cells
    layout = recognise(",".join(told))
    found, wrong = read_row(Record(2, 1, tuple(told.values())), layout, rules)
    return wrong or found


def mistakes(rules: Rules = RULES, **cells: str) -> list[tuple[str, str]]:
    """The mistakes of such a line."""
    found = row(rules, **cells)
    assert isinstance(found, tuple), "nothing is wrong"
    return [(mistake.column, mistake.what) for mistake in found]


class TestGood:
    def test_all(self):
        """A full line gives every value, in our own words."""
        found = row(
            email="  Ada@FernAndFig.Shop ",
            customer_id="gid://shopify/Customer/7001",
            points="120.00",
            tier="Gold Circle",
            tier_until="2027-01-01",
            birthday="1004-12-25",
            referral_code="ADA-1",
            joined_at="2020-03-01T10:00:00Z",
            points_earned_at="2021-02-03 10:00:00 +0100",
            points_expire_at="2027-02-03",
            lifetime_points="900",
        )
        assert found == FileRow(
            email="ada@fernandfig.shop",
            customer_id=7001,
            points=120,
            tier="gold",
            tier_until=datetime(2027, 1, 1, 5, tzinfo=UTC),
            birthday=(12, 25),
            referral_code="ADA-1",
            joined_at=datetime(2020, 3, 1, 10, tzinfo=UTC),
            points_earned_at=datetime(2021, 2, 3, 9, tzinfo=UTC),
            points_expire_at=datetime(2027, 2, 3, 5, tzinfo=UTC),
            lifetime_points=900,
        )

    def test_round_trip(self):
        """A row survives being stored."""
        found = row(points="5", birthday="12-25", joined_at="2020-03-01", tier="silver")
        assert isinstance(found, FileRow)
        assert FileRow.from_json(found.to_json(), found.email, found.customer_id) == found

    def test_empty_cells(self):
        """An empty cell tells nothing, and cells that are missing at the end are empty."""
        layout = recognise("email,points,tier,birthday\n")
        found = read_row(Record(2, 1, ("ada@fernandfig.shop", " ")), layout, RULES)
        assert found == (FileRow(email="ada@fernandfig.shop"), ())

    @pytest.mark.parametrize(
        ("text", "day"),
        [
            ("1990-02-29", (2, 29)),
            ("02-29", (2, 29)),
            ("--02-29", (2, 29)),
            ("2/9", (2, 9)),
            ("02/09/1990", (2, 9)),
            ("9.2.1990", (2, 9)),
            ("9.2.", (2, 9)),
            ("1990/2/9", (2, 9)),
        ],
    )
    def test_birthdays(self, text, day):
        """Birthdays come with and without a year, which is read over."""
        assert row(birthday=text).birthday == day

    def test_day_first(self):
        """With the day first, strokes mean day and month."""
        assert row(DAY_FIRST, birthday="09/02/1990").birthday == (2, 9)
        assert row(DAY_FIRST, joined_at="09/02/2020").joined_at == datetime(2020, 2, 9, 5, tzinfo=UTC)

    @pytest.mark.parametrize("address", ["o'neil+x@mail.fernandfig.shop", "jörg@fernandfig.shop", "a@b-c.io"])
    def test_addresses(self, address):
        """Unusual addresses are addresses."""
        assert row(email=address).email == address

    def test_apostrophe(self):
        """The mark that our own export puts before formulas is taken off again."""
        assert row(referral_code="'=1+1").referral_code == "=1+1"
        assert row(referral_code="'tis").referral_code == "'tis"

    def test_stamped(self):
        """Points of the adding column add, also where balances are set."""
        assert row(SET, points="", add_points="50") == FileRow(email="ada@fernandfig.shop", points=50)
        assert row(SET, points="70", add_points="50").points == 70
        assert row(SET, points="70", add_points="50").adds is False


class TestBad:
    @pytest.mark.parametrize(
        ("column", "cell", "what"),
        [
            ("email", "ada", "is not an e-mail address"),
            ("email", "ada@@fernandfig.shop", "is not an e-mail address"),
            ("email", "ada@fernandfig", "is not an e-mail address"),
            ("email", "ada@fernandfig,shop", "is not an e-mail address"),
            ("email", "a" * 250 + "@fernandfig.shop", "is longer than 254 characters"),
            ("email", " ", "is empty: nothing says who this is"),
            ("points", "many", "is not a whole number (write it without separators, like 52620)"),
            ("points", "1,234", "is not a whole number (write it without separators, like 52620)"),
            ("points", "12.5", "is not a whole number (write it without separators, like 52620)"),
            ("points", "=1+1", "is not a whole number (write it without separators, like 52620)"),
            ("points", "٣", "is not a whole number (write it without separators, like 52620)"),
            ("points", "1000000001", "is more than 1000000000"),
            ("lifetime_points", "-1", "is less than nothing"),
            ("tier", "platinum", "is not a tier of the program"),
            ("birthday", "2023-02-30", "is not a birthday (write 1990-12-25, 12-25 or 12/25/1990)"),
            ("birthday", "25/12/1990", "is not a birthday (write 1990-12-25, 12-25 or 12/25/1990)"),
            ("birthday", "Christmas", "is not a birthday (write 1990-12-25, 12-25 or 12/25/1990)"),
            ("joined_at", "2026-11-02", "is in the future"),
            ("joined_at", "last year", "is not a date (write 2024-03-01, 2024-03-01 14:30 or 12/25/1990)"),
            ("joined_at", "0001-01-01", "is a date that cannot be meant"),
            ("points_earned_at", "2020-01-01 25:00:00", "is not a date (write 2024-03-01, 2024-03-01 14:30 or 12/25/1990)"),
            ("customer_id", "7001a", "is not the number of a customer at Shopify"),
            ("referral_code", "x" * 61, "is longer than 60 characters"),
            ("referral_code", "a\x07b", "has a character that is not text"),
        ],
    )  # fmt: skip
    def test_named(self, column, cell, what):
        """A mistake is named with its column and with what was expected."""
        assert mistakes(**{column: cell}) == [(column, what)]

    @pytest.mark.parametrize(
        ("zone", "cell"),
        [
            ("Europe/Berlin", "0001-01-01"),
            ("Europe/Berlin", "0001-01-01 00:00:00"),
            ("America/New_York", "9999-12-31 23:59:59"),
            ("UTC", "0001-01-01T00:00:00+14:00"),
        ],
    )
    def test_ends_of_time(self, zone, cell):
        """What other programs write for "never" is named as such also where it has no instant in UTC."""
        rules = Rules(ZoneInfo(zone), "add", NOW, {})
        assert mistakes(rules, points_expire_at=cell) == [
            ("points_expire_at", "is a date that cannot be meant")
        ]

    def test_all_of_them(self):
        """Every mistake of a line is named, under the file's own headers."""
        assert [column for column, _ in mistakes(points="x", tier="y", birthday="z")] == [
            "points",
            "tier",
            "birthday",
        ]

    def test_negative(self):
        """A balance cannot be less than nothing; points can be taken where they are added."""
        assert mistakes(SET, points="-5") == [("points", "is less than nothing")]
        assert row(points="-5").points == -5

    def test_too_many_cells(self):
        """A line with more cells than the header is not guessed at."""
        layout = recognise("email,points\n")
        found = read_row(Record(2, 1, ("ada@fernandfig.shop", "1", "234")), layout, RULES)
        assert found[1] == (Mistake("", "has 3 cells where the header has 2: is a comma not quoted?"),)

    def test_empty_spare_cells(self):
        """Empty cells after the last column are nothing."""
        layout = recognise("email,points\n")
        found = read_row(Record(2, 1, ("ada@fernandfig.shop", "1", "", " ")), layout, RULES)
        assert found == (FileRow(email="ada@fernandfig.shop", points=1), ())

    def test_never_quotes(self):
        """A mistake never repeats what stands in the cell: it may be somebody's address in the wrong column."""
        for column in ("points", "tier", "birthday", "joined_at", "customer_id", "email"):
            for _, what in mistakes(**{column: "bo@fernandfig,shop"}):
                assert "bo" not in what
