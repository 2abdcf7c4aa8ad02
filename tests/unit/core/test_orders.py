"""What of an order counts, and what it is worth."""

from decimal import Decimal
from fractions import Fraction

import pytest

from loyalty.core.orders import counted_amount, order_worth, round_points
from tests.unit.core.makers import line, order, order_rule


def points(snapshot, rate="1", rounding="down"):
    return order_worth(snapshot, order_rule(rate, rounding)).points


class TestWhatCounts:
    def test_goods(self):
        """Every piece that was paid for counts at its price after discounts."""
        assert Fraction(Decimal("59.97")) == counted_amount(order(line("39.98", quantity=2), line("19.99")))

    def test_no_tax(self):
        """Tax is not spent on goods."""
        assert 100 == counted_amount(order(line("100", tax="21")))

    def test_taxes_included(self):
        """Where prices include tax the line's amount comes without it, so 121 with 21 % inside counts 100."""
        paid_back = order(line("100", tax="21"), refunded="60.50", financial_status="partially_refunded")
        assert 50 == counted_amount(paid_back)

    def test_gift_card(self):
        """A gift card earns when it is spent, not when it is sold."""
        assert 20 == counted_amount(order(line("50", gift_card=True), line("20")))

    def test_only_gift_card(self):
        """An order of nothing but a gift card is worth nothing."""
        assert 0 == counted_amount(order(line("50", gift_card=True)))

    def test_shop_money(self):
        """The amounts are the shop's whatever the buyer paid in, so the currency's name changes nothing but the coin."""
        amounts = {counted_amount(order(line("120.50"), currency=name)) for name in ("USD", "EUR", "GBP")}
        assert {Fraction(241, 2)} == amounts

    def test_nothing_bought(self):
        """An order without lines is worth nothing."""
        assert 0 == counted_amount(order())

    def test_free_goods(self):
        """Goods that were given away are worth nothing, and divide nothing by zero."""
        assert 0 == counted_amount(order(line("0"), refunded="5"))

    def test_zero_quantity(self):
        """A line of no pieces is no line: neither what it says it cost nor its return counts."""
        assert 15 == counted_amount(order(line("20"), line("99", quantity=0), refunded="5"))

    @pytest.mark.parametrize("remaining", [-1, 5])
    def test_impossible_remaining(self, remaining):
        """A count outside the line's pieces is read as none or all of them."""
        amount = counted_amount(order(line("40", quantity=4, remaining=remaining)))
        assert (0 if remaining < 0 else 40) == amount

    def test_unpaid(self):
        """What was not paid, or was paid back in full, counts nothing."""
        statuses = ["pending", "authorized", "voided", "expired", "refunded", ""]
        counted = {status: counted_amount(order(line("80"), financial_status=status)) for status in statuses}
        assert dict.fromkeys(statuses, 0) == counted

    @pytest.mark.parametrize("reason", ["cancelled", "test"])
    def test_not_a_sale(self, reason):
        """Cancelled and test orders count nothing, paid or not."""
        assert 0 == counted_amount(order(line("80"), **{reason: True}))


class TestRefunds:
    def test_by_line(self):
        """A refunded piece takes its own price off."""
        refunded = order(line("60", quantity=3, remaining=2, tax="6"), line("40", tax="4"), refunded="22")
        assert 80 == counted_amount(refunded)

    def test_amount_only(self):
        """Money that went back without a piece takes its share off the goods, the tax in it aside."""
        assert 75 == counted_amount(order(line("100", tax="10"), refunded="27.50"))

    def test_alike(self):
        """The same money given back by piece and as an amount leaves the same, in exact fractions."""
        by_line = order(line("90", quantity=3, remaining=2, tax="9"), refunded="33")
        by_amount = order(line("90", quantity=3, tax="9"), refunded="33")
        assert counted_amount(by_line) == counted_amount(by_amount) == 60

    @pytest.mark.parametrize(("remaining", "refunded"), [(2, "3.33"), (2, "3.34"), (1, "6.66"), (1, "6.67")])
    def test_alike_when_rounded(self, remaining, refunded):
        """A third of ten is rounded when it is given back; what was really given back decides on both roads."""
        by_line = order(line("10.00", quantity=3, remaining=remaining), refunded=refunded)
        by_amount = order(line("10.00", quantity=3), refunded=refunded)
        assert counted_amount(by_line) == counted_amount(by_amount) == 10 - Fraction(Decimal(refunded))

    def test_no_point_lost_to_rounding(self):
        """Refunding 3.33 of 10.33 leaves 7.00, and seven points, not the 6.99... that thirds would leave."""
        assert 7 == points(order(line("10.00", quantity=3, remaining=2), line("0.33"), refunded="3.33"))

    def test_mixed(self):
        """A piece and an extra amount in one refund: the piece comes off, and the extra from what remains."""
        assert 45 == counted_amount(order(line("50"), line("50", remaining=0), refunded="55"))

    def test_shipping_only(self):
        """Shipping that went back takes no goods along."""
        assert 100 == counted_amount(order(line("100"), refunded="12", refunded_shipping="12"))

    def test_pending(self):
        """A piece that was taken back counts no more, even while the money is still on its way."""
        assert 60 == counted_amount(order(line("100", quantity=5, remaining=3), refunded="0"))

    def test_pending_with_shipping(self):
        """A shipping refund on its way does not hide the goods, nor is it taken for them."""
        assert 60 == counted_amount(
            order(line("100", quantity=5, remaining=3), refunded="0", refunded_shipping="7")
        )

    def test_restocking_fee(self):
        """A piece that came back counts no more although a fee was kept."""
        assert 0 == counted_amount(order(line("100", remaining=0), refunded="90"))

    def test_gift_card_returned(self):
        """A gift card that is returned takes nothing off the goods."""
        assert 10 == counted_amount(
            order(line("10"), line("100", gift_card=True, remaining=0), refunded="100")
        )

    def test_never_more_than_sold(self):
        """A coin kept back on a returned gift card is not added to the goods."""
        snapshot = order(line("10"), line("100", gift_card=True, remaining=0), refunded="99.99")
        assert 10 == counted_amount(snapshot)

    @pytest.mark.parametrize("refunded", ["110", "110.01", "500"])
    def test_all_by_amount(self, refunded):
        """All the money back leaves exactly nothing, whatever the status says."""
        assert 0 == counted_amount(order(line("100", tax="10"), refunded=refunded))

    def test_all_by_line(self):
        """All the pieces back leave exactly nothing, rounding and all."""
        lines = (line("9.99", quantity=3, remaining=0, tax="0.83"), line("0.01", remaining=0))
        assert 0 == counted_amount(order(*lines, refunded="10.81"))

    def test_step_by_step(self):
        """Three refunds of a third each end where one refund of everything ends."""
        left = [
            points(order(line("10.00", quantity=3, remaining=3 - n), refunded=money))
            for n, money in enumerate(("0", "3.33", "6.66", "10.00"))
        ]
        assert [10, 6, 3, 0] == left


class TestEdits:
    def test_addition_unpaid(self):
        """An added piece counts only once it is paid."""
        edited = order(line("100"), line("40"), outstanding="40", financial_status="partially_paid")
        assert 100 == counted_amount(edited)

    def test_addition_paid(self):
        """An added piece that was paid counts like any other."""
        assert 140 == counted_amount(order(line("100"), line("40")))

    def test_partially_paid(self):
        """Of a half-paid order half counts."""
        half = order(line("80", tax="20"), outstanding="50", financial_status="partially_paid")
        assert 40 == counted_amount(half)

    def test_owed_to_customer(self):
        """A negative outstanding amount (we owe the customer) gives no points."""
        assert 60 == counted_amount(order(line("60"), line("40", remaining=0), outstanding="-40"))

    def test_removed_unpaid_then_refund(self):
        """A piece removed before it was paid for does not hide a later refund of money."""
        edited = order(line("20"), line("10", remaining=0), refunded="5", received="20")
        assert 15 == counted_amount(edited)

    def test_removed_paid_then_refund(self):
        """A piece removed after it was paid for is what its money went back for."""
        edited = order(line("20"), line("10", remaining=0), refunded="10", received="30")
        assert 20 == counted_amount(edited)

    def test_still_owed(self):
        """What is still owed was not left unpaid by a removal."""
        edited = order(line("20"), line("10", remaining=0), outstanding="12", received="18", refunded="0")
        assert 8 == counted_amount(edited)

    def test_less_received(self):
        """Where nothing was removed, money that is not accounted for takes nothing off."""
        assert 20 == counted_amount(order(line("20"), received="15"))


class TestPoints:
    @pytest.mark.parametrize(
        ("rounding", "expected"), [("down", [2, 2, 2, 3]), ("half_up", [2, 2, 3, 3]), ("up", [2, 3, 3, 3])]
    )
    def test_rounding(self, rounding, expected):
        """Points are whole: down, half up or up; a whole number is never rounded."""
        values = [Fraction(2), Fraction(24999, 10000), Fraction(5, 2), Fraction(3)]
        assert expected == [round_points(value, rounding) for value in values]

    @pytest.mark.parametrize("rounding", ["down", "half_up", "up"])
    def test_nothing(self, rounding):
        """Nothing is worth nothing under every rounding."""
        assert 0 == points(order(line("100"), financial_status="refunded"), rounding=rounding)

    def test_tiny(self):
        """A cent earns nothing rounded down and one point rounded up."""
        assert (0, 1) == (points(order(line("0.01"))), points(order(line("0.01")), rounding="up"))

    def test_exact_rates(self):
        """Rates are exact: 0.1 point a unit on 30 is 3, which binary floats would miss."""
        assert 3 == points(order(line("10.10"), line("10.10"), line("9.80")), rate="0.1")

    def test_yen(self):
        """A currency without cents counts whole units, and its rounded refunds are one unit off at most."""
        by_line = order(line("1000", quantity=3, remaining=2), refunded="333", currency="JPY")
        by_amount = order(line("1000", quantity=3), refunded="333", currency="JPY")
        assert 667 == points(by_line) == points(by_amount)

    def test_dinar(self):
        """A currency with thousandths has a smaller coin, so a missing hundredth is money on its way."""
        snapshot = order(line("9.000", quantity=3, remaining=2), refunded="2.990", currency="KWD")
        assert 6 == counted_amount(snapshot)

    def test_large(self):
        """Amounts beyond 64-bit floats stay exact."""
        assert 90071992547409930 == points(order(line("9007199254740993")), rate="10")

    def test_basis(self):
        """An award says which money it rests on."""
        award = order_worth(order(line("19.99")), order_rule("2"))
        assert (39, Fraction(1999, 100)) == (award.points, award.basis)
