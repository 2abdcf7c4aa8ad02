"""The example programs: complete, right, and together using everything that a document can say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.core.document import parse_program, read_text, render_program
from loyalty.core.document.fields import Table
from loyalty.core.document.lists import Many
from loyalty.core.document.program import FIELDS
from loyalty.core.document.shape import KEYED_PARTS, WHOLE_PARTS, fields_for
from loyalty.core.program import REWARD_KINDS, WAYS

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = ("coffee", "fashion", "cosmetics")
TEXTS = {name: (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8") for name in NAMES}
DOCUMENTS = {name: read_text(text) for name, text in TEXTS.items()}


def said(fields, table, path=""):
    """The paths of all fields that a table gives, without the keys of things."""
    for field in fields:
        if field.name in table:
            here = f"{path}{field.name}"
            yield here
            if isinstance(field.kind, Table):
                yield from said(field.kind.fields, table[field.name], f"{here}.")
            elif isinstance(field.kind, Many) and isinstance(field.kind.kind, Table):
                for inner in table[field.name]:
                    yield from said(field.kind.kind.fields, inner, f"{here}.")


def all_fields(fields, path="") -> Iterator[str]:
    """The paths of all fields that there are."""
    for field in fields:
        here = f"{path}{field.name}"
        yield here
        inner = field.kind.kind if isinstance(field.kind, Many) else field.kind
        if isinstance(inner, Table):
            yield from all_fields(inner.fields, f"{here}.")


def things(document):
    """Every rule, reward and campaign with its part and sort."""
    for key, rule in document["earn"].items():
        yield "earn", rule.get("way", key), rule
    for reward in document["rewards"]:
        yield "rewards", reward.get("kind", "amount_off"), reward
    for campaign in document["campaigns"]:
        yield "campaigns", "", campaign


class TestExamples:
    @pytest.mark.parametrize("name", NAMES)
    def test_right(self, name):
        """Each one is a whole program, and says the same in its normal form."""
        program = parse_program(DOCUMENTS[name], version=1)
        assert program == parse_program(render_program(program), version=1, timezone=program.timezone)
        assert program.tiers
        assert program.referrals
        assert program.balance_reminder

    def test_every_way_and_kind(self):
        """Together they show every way to earn and every kind of reward."""
        found = [(part, sort) for document in DOCUMENTS.values() for part, sort, _ in things(document)]
        assert {sort for part, sort in found if part == "earn"} == WAYS
        assert {sort for part, sort in found if part == "rewards"} == REWARD_KINDS

    def test_every_field(self):
        """Together they use every field of every part, so that there is an example to copy from."""
        used, there = (
            set(),
            set(all_fields([field for field in FIELDS if field.name not in ("rewards", "campaigns")])),
        )
        for document in DOCUMENTS.values():
            used |= set(said(FIELDS, document))
            for part in WHOLE_PARTS:
                used |= set(said(fields_for(part), document[part], f"{part}."))
            for part, sort, thing in things(document):
                used |= set(said(fields_for(part, sort), thing, f"{part}."))
        for part in WHOLE_PARTS:
            there |= set(all_fields(fields_for(part), f"{part}."))
        for part in KEYED_PARTS:
            sorts = {"earn": WAYS, "rewards": REWARD_KINDS}.get(part, {""})
            there |= {path for sort in sorts for path in all_fields(fields_for(part, sort), f"{part}.")}
        # Only to switch something off; one of each is enough.
        there -= {f"{part}.enabled" for part in ("referrals", "balance_reminder")}
        assert there - used == set()
