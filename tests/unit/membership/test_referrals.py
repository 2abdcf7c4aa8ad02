"""Referral codes and the comparing of addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.core.referrals import comparable, masked, member_of, own_code, read_code


class TestOwnCode:
    """The code that every member has from the start."""

    def test_distinct(self):
        """No two members share a code, and neighbours' codes do not count up."""
        codes = [own_code(member_id) for member_id in range(1, 1000)]
        assert len(set(codes)) == len(codes)
        assert len({code[:2] for code in codes[:50]}) > 25

    @given(st.integers(1, 2**35 - 1), st.integers(0, 7), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
    def test_slip(self, member_id, place, other):
        """Every id has a code of eight characters that names the id again; with one wrong character it is nobody's."""
        code = own_code(member_id)
        assert len(code) == 8
        assert member_of(code) == member_id
        wrong = code[:place] + other + code[place + 1 :]
        assert wrong == code or member_of(wrong) is None

    def test_nobody(self):
        """What is no code at all is nobody's."""
        texts = ["", "0", "HF7VTRH", "HF7VTRHDX", "HF7VTRHU", "ÄF7VTRHD", "00000000"]
        assert dict.fromkeys(texts) == {text: member_of(text) for text in texts}

    @pytest.mark.parametrize("member_id", [0, -1, 2**35])
    def test_no_id(self, member_id):
        """There is no code for what cannot be an id."""
        with pytest.raises(ValueError, match="no code"):
            own_code(member_id)


class TestReadCode:
    """Codes as people type them."""

    def test_look_alikes(self):
        """Lower case, spaces around it and look-alike letters are understood; what was typed is tried first."""
        assert read_code(" hf7v-trhd ") == ("hf7v-trhd", "HF7V-TRHD", "HF7VTRHD")
        assert read_code("OIL5OIL5") == ("OIL5OIL5", "01150115")

    def test_refused(self):
        """What cannot be a code is none."""
        texts = ["", "ab", "a b c d", "x" * 65, "<script>", "Ärger", "../x"]
        assert dict.fromkeys(texts, ()) == {text: read_code(text) for text in texts}


class TestComparable:
    """Whether two addresses are one mailbox."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("rosa+friend@fernandfig.shop", "rosa@fernandfig.shop"),
            ("Rosa@FernandFig.shop", "rosa@fernandfig.shop"),
            ("r.o.s.a+2@gmail.com", "rosa@googlemail.com"),
        ],
    )
    def test_same(self, one, other):
        """Tags, capitals, and dots at hosts that ignore them make no other person."""
        assert comparable(one) == comparable(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("r.osa@fernandfig.shop", "rosa@fernandfig.shop"), ("rosa@gmail.com", "rosa@fernandfig.shop")],
    )
    def test_different(self, one, other):
        """Dots count everywhere else, and so does the host."""
        assert comparable(one) != comparable(other)

    def test_nothing(self):
        """No address compares with none; an address that begins with its tag keeps it."""
        assert comparable(None) is None
        assert comparable("") is None
        assert comparable("+tag@fernandfig.shop") == "+tag@fernandfig.shop"


class TestMasked:
    """An address that is shown to somebody who knows it."""

    def test_masked(self):
        """One letter of each side is left."""
        assert masked("rosa@fernandfig.shop") == "r…@f…"
        assert masked(None) is None
