"""The identity of an entry and the chain that binds a member's entries."""

from dataclasses import fields, replace
from datetime import timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest

from loyalty.core import ledger
from loyalty.core.ledger import Entry, Source, chain_hash, entry_id, lifetime
from tests.unit.core.makers import NOON, later

ENTRY = Entry("earn", 40, Source("order", "9001"), "order", 0, 3, "Place an order", {"basis": "40"}, NOON)

CHANGED: dict[str, Any] = {
    "kind": "adjust",
    "points": 41,
    "source": Source("order", "9002"),
    "rule": "signup",
    "sequence": 1,
    "program_version": 4,
    "reason": "Because",
    "why": {"basis": "41"},
    "occurred_at": later(microseconds=1),
}


class TestEntryId:
    def test_stable(self):
        """The id of a business key is the same on every machine and in every version: outside systems know it."""
        assert "5206912bd65008cf9ca92621d6078133" == entry_id(1, ENTRY)
        assert entry_id(1, ENTRY) == entry_id(1, replace(ENTRY, points=99, reason="Other", kind="adjust"))

    @pytest.mark.parametrize("name", ["source", "rule", "sequence"])
    def test_business_key(self, name):
        """Another source, rule or sequence is another entry."""
        assert entry_id(1, ENTRY) != entry_id(1, replace(ENTRY, **{name: CHANGED[name]}))

    def test_shop(self):
        """The same order number in another shop is another entry."""
        assert entry_id(1, ENTRY) != entry_id(2, ENTRY)

    def test_no_gluing(self):
        """The parts of the key cannot run into each other."""
        one, other = Source("a", "bc"), Source("ab", "c")
        assert entry_id(1, replace(ENTRY, source=one)) != entry_id(1, replace(ENTRY, source=other))


class TestChainHash:
    def test_every_claim(self):
        """There is a changed value for every field that an entry has, so none can be left out of the hash unseen."""
        assert {field.name for field in fields(Entry)} == CHANGED.keys()

    @pytest.mark.parametrize("name", sorted(CHANGED))
    def test_covers(self, name):
        """A change of any field changes the hash."""
        assert chain_hash("", 5, 1, ENTRY) != chain_hash("", 5, 1, replace(ENTRY, **{name: CHANGED[name]}))

    @pytest.mark.parametrize(("previous", "member_id", "position"), [("x", 5, 1), ("", 6, 1), ("", 5, 2)])
    def test_place(self, previous, member_id, position):
        """The entry before it, the member and the position are part of the claim."""
        assert chain_hash("", 5, 1, ENTRY) != chain_hash(previous, member_id, position, ENTRY)

    def test_known(self):
        """The formula never changes: this hash is what is stored in databases."""
        assert "7228b59888dc4b4844301c03d6eae7904b96595a0239dd05db6e199d66c52dee" == chain_hash(
            "", 5, 1, ENTRY
        )

    def test_same_instant(self):
        """The zone in which an instant is written does not matter."""
        elsewhere = NOON.astimezone(timezone(timedelta(hours=-7)))
        assert chain_hash("", 5, 1, ENTRY) == chain_hash("", 5, 1, replace(ENTRY, occurred_at=elsewhere))

    def test_why_is_data(self):
        """The order of keys and the kind of mapping do not matter, for a database may change both."""
        one = replace(ENTRY, why={"a": 1, "b": {"c": [1, 2]}})
        other = replace(ENTRY, why=MappingProxyType({"b": {"c": (1, 2)}, "a": 1}))
        assert chain_hash("", 5, 1, one) == chain_hash("", 5, 1, other)

    def test_not_data(self):
        """A value without one plain form is refused rather than hashed by its looks."""
        with pytest.raises(TypeError):
            chain_hash("", 5, 1, replace(ENTRY, why={"amount": NOON}))


class TestLifetime:
    @pytest.mark.parametrize(
        ("kind", "points", "expected"),
        [
            (ledger.EARN, 10, (10, 0)),
            (ledger.REVERSE, -4, (-4, 0)),
            (ledger.REDEEM, -500, (0, 500)),
            (ledger.RETURN, 500, (0, -500)),
            (ledger.ADJUST, 30, (0, 0)),
            (ledger.TRANSFER, -30, (0, 0)),
            (ledger.EXPIRE, -30, (0, 0)),
            (ledger.FORGIVE, 30, (0, 0)),
            (ledger.IMPORT, 30, (0, 0)),
        ],
    )
    def test_kinds(self, kind, points, expected):
        """What is earned and taken back is earnings, what is spent and returned is spending, the rest is neither."""
        assert expected == lifetime(kind, points)

    def test_all_kinds(self):
        """No kind of entry is forgotten."""
        assert 9 == len(set(ledger.KINDS))
