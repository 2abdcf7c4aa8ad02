"""The mark of a postal address."""

import pytest

from shopify_app.address_mark import address_mark

HOME = {
    "first_name": "Rosa",
    "address1": "12 Müller-Straße",
    "address2": "Flat 3",
    "zip": "10115",
    "city": "Berlin",
    "country_code": "DE",
}


class TestAddressMark:
    """Whether two orders went to the same door."""

    @pytest.mark.parametrize(
        "said",
        [
            {"first_name": "Ivo"},
            {"address1": "12 muller strasse"},
            {"address1": "12, MÜLLERSTRASSE"},
            {"zip": "101 15", "city": "berlin"},
        ],
    )
    def test_same(self, said):
        """Another name and another spelling are the same door."""
        assert address_mark(HOME | said) == address_mark(HOME)

    @pytest.mark.parametrize(
        "said", [{"address1": "13 Müllerstraße"}, {"address2": "Flat 4"}, {"zip": "10117"}]
    )
    def test_different(self, said):
        """Another number, flat or postal code is another door."""
        assert address_mark(HOME | said) != address_mark(HOME)

    def test_small(self):
        """The mark is too small to find anybody by."""
        assert len(address_mark(HOME) or "") * 4 == 24

    def test_no_postal_code(self):
        """Where there are no postal codes the town decides."""
        plain = {"address1": "1 Main Street", "city": "Hamilton", "zip": None, "country_code": "BM"}
        assert address_mark(plain) is not None
        assert address_mark(plain) != address_mark(plain | {"city": "St. George's"})

    @pytest.mark.parametrize(
        "address", [None, {}, "x", [], {"address1": 7, "zip": "1"}, {"address1": "12 Main"}]
    )
    def test_none(self, address):
        """What is no address has no mark."""
        assert address_mark(address) is None
