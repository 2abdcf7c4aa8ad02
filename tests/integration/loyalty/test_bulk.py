"""Many rows that are changed by one value hold what they would hold if each had been changed for itself."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlmodel import Session, col, select

from loyalty import bulk
from loyalty.models import ImportBatch, ImportRow, Member, Shop
from loyalty.runtime import Runtime
from tests.integration.loyalty.conftest import NOW


@pytest.fixture(name="members")
def _members(runtime: Runtime, shop: Shop) -> list[int]:
    with runtime.transaction() as session:
        members = [
            Member(shop_id=shop.id, email=f"p{n}@fernandfig.shop", created_at=NOW, updated_at=NOW)
            for n in range(5)
        ]
        session.add_all(members)
        session.flush()
        return [member.id for member in members if member.id]


def line(session: Session, shop: Shop) -> int:
    """A line of an import; returns its id."""
    batch = ImportBatch(
        id="b1", shop_id=shop.id, mode="add", file_name="f", digest="d", size=1, author="x", created_at=NOW
    )
    session.add(batch)
    session.flush()
    row = ImportRow(shop_id=shop.id, batch_id="b1", number=1, line=2, state="good", told={"points": 1})
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


class TestUpdateRows:
    def test_every_kind(self, runtime, members):
        """Text, numbers, instants, money and nothing arrive as they were given, and nobody else is changed."""
        names = {0: 'Ada "the \\ first" \u00e9\U0001f33f', 1: None, 2: "null"}
        rows = [
            {
                "id": members[n],
                "first_name": name,
                "balance": 2**40 + n,
                "joined_at": NOW + timedelta(microseconds=n) if n else None,
                "next_tier_distance": Decimal("10.50") if n else None,
            }
            for n, name in names.items()
        ]
        with runtime.transaction() as session:
            bulk.update_rows(session, Member, rows)
        with runtime.reading() as session:
            found = session.exec(select(Member).order_by(col(Member.id))).all()
        assert [
            {name: getattr(member, name) for name in row} for member, row in zip(found, rows, strict=False)
        ] == rows
        assert str(found[1].next_tier_distance) == "10.50"
        assert [(member.first_name, member.balance) for member in found[3:]] == [(None, 0)] * 2

    def test_documents(self, runtime, shop):
        """A document stays a document, with its lists and its nothings."""
        told = {"joined_at": None, "list": [1, [None]], "text": '"'}
        with runtime.transaction() as session:
            row_id = line(session, shop)
        with runtime.transaction() as session:
            bulk.update_rows(session, ImportRow, [{"id": row_id, "told": told, "before": {}, "points": None}])
        with runtime.reading() as session:
            row = session.get_one(ImportRow, row_id)
        assert (row.told, row.before, row.points) == (told, {}, None)

    def test_nobody(self, runtime, members):
        """No rows and rows that are not there change nothing."""
        with runtime.transaction() as session:
            bulk.update_rows(session, Member, [])
            bulk.update_rows(session, Member, [{"id": max(members) + 1, "balance": 7}])
        with runtime.reading() as session:
            assert {member.balance for member in session.exec(select(Member))} == {0}

    @pytest.mark.parametrize(
        "wrong",
        [{"joined_at": datetime(2026, 1, 1)}, {"next_tier_distance": 1.5}],  # noqa: DTZ001
    )
    def test_refused(self, runtime, members, wrong):
        """What a column refuses is refused here too."""
        with pytest.raises(Exception, match=r"naive|never a float"), runtime.transaction() as session:
            bulk.update_rows(session, Member, [{"id": members[0], **wrong}])

    def test_held(self, runtime, members):
        """Whoever holds such a row in the same session sees what it has become."""
        with runtime.transaction() as session:
            member = session.get_one(Member, members[0])
            bulk.update_rows(session, Member, [{"id": members[0], "balance": 7, "first_name": "Ada"}])
            assert (member.balance, member.first_name) == (7, "Ada")
            assert not session.dirty


class TestInsertRows:
    def test_new(self, runtime, shop):
        """Rows with ids that were drawn for them are there, also beside others, and the next one gets another id."""
        with runtime.transaction() as session:
            ids = bulk.new_ids(session, Member, 3)
            rows = [
                {
                    "id": member_id,
                    "shop_id": shop.id,
                    "email": f"p{member_id}@fernandfig.shop",
                    "first_name": None,
                    "state": "guest",
                    "created_at": NOW,
                    "updated_at": NOW,
                    "joined_at": NOW if member_id == ids[0] else None,
                    "chain_head": "",
                }
                | dict.fromkeys(
                    ("balance", "lifetime_earned", "lifetime_spent", "entry_count", "pending", "expiring_points"), 0
                )
                for member_id in ids
            ]  # fmt: skip
            bulk.insert_rows(session, Member, [])
            bulk.insert_rows(session, Member, rows)
            later = Member(shop_id=shop.id, email="z@fernandfig.shop", created_at=NOW, updated_at=NOW)
            session.add(later)
            session.flush()
            assert later.id not in ids
        with runtime.reading() as session:
            found = session.exec(select(Member).where(bulk.among(session, Member.id, ids))).all()
        assert [(one.id, one.email, one.joined_at is None) for one in found] == [
            (one["id"], one["email"], one["joined_at"] is None) for one in rows
        ]


class TestAmong:
    def test_found(self, runtime, members):
        """Those are found that are named, by number and by text; nobody is, where nobody is named."""
        with runtime.reading() as session:

            def ids(condition: object) -> list[int | None]:
                return list(session.exec(select(Member.id).where(condition).order_by(col(Member.id))))

            assert ids(bulk.among(session, Member.id, {members[1], members[3], -1})) == [
                members[1],
                members[3],
            ]
            assert ids(bulk.among(session, Member.email, ["p4@fernandfig.shop", "%"])) == [members[4]]
            assert ids(bulk.among(session, Member.id, [])) == []
