"""The versions of a program in the database: who began which, what an old one said, and two authors at once."""

import copy
from datetime import timedelta

import pytest
from sqlmodel import Session

from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT, ProgramInvalid
from loyalty.models import Shop
from loyalty.programs import NoProgram, ProgramMoved
from tests.unit.core.makers import NOON


@pytest.fixture(name="session")
def _session(engine):
    with Session(engine) as session:
        yield session


@pytest.fixture(name="shop_id")
def _shop_id(session):
    shop = Shop(
        domain="fern-and-fig.myshopify.com",
        timezone="America/New_York",
        first_installed_at=NOON,
        installed_at=NOON,
    )
    session.add(shop)
    session.flush()
    return shop.id


def with_rate(rate):
    """The default document with another rate."""
    document = copy.deepcopy(DEFAULT_DOCUMENT)
    document["earn"]["order"]["rate"] = rate
    return document


class TestApply:
    def test_versions(self, session, shop_id):
        """Each new document is a version with its author and time; the same document again is none."""
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="Laurel", now=NOON)
        programs.apply(session, shop_id, with_rate("2"), author="staff:1", now=NOON + timedelta(days=1))
        again = programs.apply(session, shop_id, with_rate("2"), author="staff:2", now=NOON)

        assert 2 == again.version
        assert [(2, "staff:1"), (1, "Laurel")] == [
            (version.version, version.author) for version in programs.versions(session, shop_id)
        ]
        assert [1] == [version.version for version in programs.versions(session, shop_id, before=2)]

    def test_back(self, session, shop_id):
        """Going back is a new version with the words of an old one; the versions between stay what they were."""
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="Laurel", now=NOON)
        programs.apply(session, shop_id, with_rate("2"), author="staff:1", now=NOON)
        old = programs.document_at(session, shop_id, 1)
        back = programs.apply(session, shop_id, old, author="staff:1", now=NOON)

        assert (3, "1") == (back.version, str(back.order_rules[0].rate))
        assert "2" == str(programs.at_version(session, shop_id, 2).order_rules[0].rate)

    def test_moved(self, session, shop_id):
        """Who changed an older version than the one in force is told so, unless both say the same."""
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="Laurel", now=NOON)
        programs.apply(session, shop_id, with_rate("2"), author="staff:1", now=NOON, based_on=1)
        with pytest.raises(ProgramMoved) as moved:
            programs.apply(session, shop_id, with_rate("3"), author="staff:2", now=NOON, based_on=1)
        assert 2 == moved.value.version
        same = programs.apply(session, shop_id, with_rate("2"), author="staff:2", now=NOON, based_on=1)
        assert 2 == same.version

    def test_mistake(self, session, shop_id):
        """A document with a mistake changes nothing."""
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="Laurel", now=NOON)
        with pytest.raises(ProgramInvalid):
            programs.apply(session, shop_id, with_rate("x"), author="staff:1", now=NOON)
        assert 1 == programs.current(session, shop_id).version

    def test_order_kept(self, session, shop_id):
        """The ways to earn stand in the order in which they were written, and another order is another version."""
        turned = copy.deepcopy(DEFAULT_DOCUMENT)
        turned["earn"] = dict(reversed(turned["earn"].items()))
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="Laurel", now=NOON)
        programs.apply(session, shop_id, turned, author="staff:1", now=NOON)
        session.expire_all()

        assert ["review", "signup", "order"] == [
            rule.key for rule in programs.current(session, shop_id).earning
        ]

    def test_dates(self, session, shop_id):
        """A date of TOML's own is kept as text, and means the same."""
        document = with_rate("1")
        document["earn"]["order"]["schedule"] = {"begins": NOON.date()}
        programs.apply(session, shop_id, document, author="staff:1", now=NOON)
        session.expire_all()

        assert NOON.date() == programs.current(session, shop_id).order_rules[0].schedule.begins
        assert 1 == programs.apply(session, shop_id, document, author="staff:1", now=NOON).version


class TestReading:
    def test_zone(self, session, shop_id):
        """A program that names no time zone is in the shop's, as soon as the shop has moved."""
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="Laurel", now=NOON)
        assert "America/New_York" == programs.current(session, shop_id).timezone.key
        session.get(Shop, shop_id).timezone = "Asia/Tokyo"
        assert "Asia/Tokyo" == programs.current(session, shop_id).timezone.key
        session.get(Shop, shop_id).timezone = "Nowhere/At_All"
        assert "UTC" == programs.current(session, shop_id).timezone.key

    def test_none(self, session, shop_id):
        """A shop without a program, and a version that never was, are said so."""
        with pytest.raises(NoProgram):
            programs.current(session, shop_id)
        with pytest.raises(NoProgram):
            programs.document(session, shop_id)
        with pytest.raises(NoProgram):
            programs.at_version(session, shop_id, 7)
        with pytest.raises(NoProgram):
            programs.document_at(session, shop_id, 7)
        assert [] == programs.versions(session, shop_id)
