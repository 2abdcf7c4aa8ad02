"""The export holds the whole ledger, and can be proved without us."""

import hashlib
import json
from datetime import datetime

from loyalty.core.ledger import Entry, Source, chain_hash
from loyalty.database import reading
from loyalty.ledger.export import lines
from loyalty.ledger.verify import digest
from tests.integration.loyalty.story import ADA, CY, member, play, tamper


def exported(engine, shop):
    with reading(engine) as session:
        return [json.loads(line) for line in lines(session, shop.id)]


class TestLines:
    def test_empty(self, engine, shop):
        """A shop without entries exports nothing."""
        assert [] == exported(engine, shop)

    def test_entry(self, engine, shop):
        """A line says who, how many, what for, under which rule and version, and when."""
        play(engine, shop)
        first = exported(engine, shop)[0]
        promised = {
            "member": member(engine, ADA).id,
            "shopify_customer_id": 7001,
            "email": "ada@fernandfig.shop",
            "points": 100,
            "kind": "earn",
            "source": "signup",
            "source_ref": "7001",
            "rule": "signup",
            "program_version": 1,
            "occurred_at": "2026-11-01T12:00:00+00:00",
            "recorded_at": "2026-11-01T12:00:00+00:00",
            "reason": "Create an account",
        }
        assert promised.items() <= first.items()

    def test_whole(self, engine, shop):
        """Every entry is there, a merged member's too, by member and position; what a member holds is the sum of the lines."""
        play(engine, shop)
        found = exported(engine, shop)
        assert sorted(found, key=lambda entry: (entry["member"], entry["position"])) == found
        assert [100, -100] == [entry["points"] for entry in found if entry["member"] == member(engine, CY).id]
        of_ada = [entry["points"] for entry in found if entry["shopify_customer_id"] == 7001]
        assert member(engine, ADA).balance == sum(of_ada)

    def test_one_line_each(self, engine, shop):
        """Whatever a text holds, an entry stays on its line."""
        play(engine, shop)
        tamper(engine, "UPDATE ledger_entry SET reason = :reason", reason="a\nb\u2028c é")
        with reading(engine) as session:
            texts = list(lines(session, shop.id))
        assert not any("\n" in text or "\u2028" in text for text in texts)
        assert {"a\nb\u2028c é"} == {json.loads(text)["reason"] for text in texts}

    def test_provable(self, engine, shop):
        """The chains and the shop's digest can be recomputed from the lines alone."""
        play(engine, shop)
        heads: dict[int, tuple[int, str]] = {}
        for told in exported(engine, shop):
            _, head = heads.get(told["member"], (0, ""))
            entry = Entry(
                told["kind"],
                told["points"],
                Source(told["source"], told["source_ref"]),
                told["rule"],
                told["sequence"],
                told["program_version"],
                told["reason"],
                told["why"],
                datetime.fromisoformat(told["occurred_at"]),
            )
            assert told["hash"] == chain_hash(head, told["member"], told["position"], entry)
            heads[told["member"]] = (told["position"], told["hash"])
        seal = hashlib.sha256("".join(f"{m} {n} {h}\n" for m, (n, h) in sorted(heads.items())).encode())
        with reading(engine) as session:
            assert digest(session, shop.id).sha256 == seal.hexdigest()
