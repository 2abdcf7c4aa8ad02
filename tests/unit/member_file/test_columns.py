"""A file is known by its header, whoever wrote it."""

import pytest

from loyalty.member_file import Layout, NotAMemberFile
from loyalty.member_file.columns import recognise

VENDORS = [
    (
        "email,customer_id,points,tier,tier_until,birthday,referral_code,joined_at,points_earned_at,points_expire_at,lifetime_points",
        "laurel",
        {"email", "customer_id", "points", "tier", "tier_until", "birthday", "referral_code", "joined_at"},
    ),
    ("email,points", "email and points", {"email", "points"}),
    ("Emails,Points", "email and points", {"email", "points"}),
    (
        "First name,Last name,Email,Points balance,VIP tier,Date of birth,Referral URL",
        "smile",
        {"first_name", "last_name", "email", "points", "tier", "birthday"},
    ),
    (
        "first_name,last_name,email,points,add_points,birthday,vip_tier,vip_tier_end_date",
        "stamped",
        {"email", "points", "add_points", "birthday", "tier", "tier_until"},
    ),
    (
        "merchant_id,email,points_approved,points_pending,points_spent,birthday,enrolled_at,loyalty_tier",
        "loyaltylion",
        {"customer_id", "email", "points", "birthday", "joined_at", "tier"},
    ),
    (
        "Full Name,First Name,Last Name,Email,Points Balance,Points Spent,Birthday (MM/DD) or (MM/DD/YYYY),VIP Tier",
        "yotpo",
        {"first_name", "last_name", "email", "points", "birthday", "tier"},
    ),
    (
        "Email address;First name;Last name;Current points balance;Referral link",
        "yotpo",
        {"email", "first_name", "last_name", "points"},
    ),
]


class TestRecognise:
    @pytest.mark.parametrize(("header", "kind", "fields"), VENDORS)
    def test_vendors(self, header, kind, fields):
        """Every vendor's header is known, and the columns are found."""
        layout = recognise(header + "\n")
        assert layout.format == kind
        assert fields <= set(layout.places)

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_delimiters(self, delimiter):
        """The delimiter is the one under which the header makes sense, quoted or not."""
        layout = recognise(delimiter.join(['"E-Mail"', "POINTS", '"first, last; or | both"']) + "\n")
        assert (layout.delimiter, layout.places) == (delimiter, {"email": 0, "points": 1})
        assert layout.ignored == ("first, last; or | both",)

    def test_dearest_name(self):
        """Of two columns for one thing the exact one is taken, and the other is named as ignored."""
        layout = recognise("email,points,points_approved,points_pending\n")
        assert layout.header("points") == "points_approved"
        assert layout.ignored == ("points", "points_pending")

    @pytest.mark.parametrize(
        "header", ["", "\n", "name,points\n", "ada@fernandfig.shop,120\n", '[{"email": 1}]' * 20_000]
    )
    def test_nobody_named(self, header):
        """Without a column that says who is meant there is nothing to import."""
        with pytest.raises(NotAMemberFile):
            recognise(header)

    def test_round_trip(self):
        """A layout survives being stored."""
        layout = recognise("email,points,colour\n")
        assert Layout.from_json(layout.to_json()) == layout
