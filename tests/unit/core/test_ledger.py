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

    def test_business_key(self):
        """Another source, rule or sequence is another entry, and nothing else is."""
        ids = {name: entry_id(1, replace(ENTRY, **{name: value})) for name, value in CHANGED.items()}
        assert {"source", "rule", "sequence"} == {
            name for name, of in ids.items() if of != entry_id(1, ENTRY)
        }

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

    def test_covers(self):
        """A change of any field changes the hash."""
        hashes = {chain_hash("", 5, 1, replace(ENTRY, **{name: value})) for name, value in CHANGED.items()}
        assert len(CHANGED) == len(hashes - {chain_hash("", 5, 1, ENTRY)})

    def test_place(self):
        """The entry before it, the member and the position are part of the claim."""
        places = ("", 5, 1), ("x", 5, 1), ("", 6, 1), ("", 5, 2)
        assert len(places) == len({chain_hash(*place, ENTRY) for place in places})

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
    def test_kinds(self):
        """What is earned and taken back is earnings, what is spent and returned is spending, the rest is neither."""
        assert {
            ledger.EARN: (10, 0),
            ledger.REVERSE: (10, 0),
            ledger.REDEEM: (0, -10),
            ledger.RETURN: (0, -10),
            ledger.ADJUST: (0, 0),
            ledger.TRANSFER: (0, 0),
            ledger.EXPIRE: (0, 0),
            ledger.FORGIVE: (0, 0),
            ledger.IMPORT: (0, 0),
        } == {kind: lifetime(kind, 10) for kind in ledger.KINDS}
