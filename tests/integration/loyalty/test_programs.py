"""The versions of a program in the database: who began which, what an old one said, and two authors at once."""

import copy
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from loyalty import programs
from loyalty.core.document import DEFAULT_DOCUMENT, ProgramInvalid, difference
from loyalty.models import ProgramVersion, Run, Shop
from loyalty.programs import NoProgram, ProgramMoved
from shopify_app.lifecycle import take_details
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


class TestTimeZone:
    """What a version means does not move with the shop's settings."""

    @pytest.fixture(name="known")
    def _known(self, session, shop_id):
        """The shop, after Shopify has told of it."""
        shop = session.get_one(Shop, shop_id)
        shop.shopify_id = 77
        session.add(shop)
        session.flush()
        return shop

    def move(self, session, shop, zone):
        """The merchant chooses another time zone at Shopify."""
        return take_details(session, shop, {"timezone": zone}, now=NOON + timedelta(days=9))

    def test_follows(self, session, known, shop_id):
        """Another time zone of the shop's is a new version with the same words; the old one means what it meant."""
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="staff:1", now=NOON)
        self.move(session, known, "Asia/Tokyo")

        assert "America/New_York" == programs.at_version(session, shop_id, 1).timezone.key
        assert (2, "Asia/Tokyo") == (
            programs.current(session, shop_id).version,
            programs.current(session, shop_id).timezone.key,
        )
        assert "Shopify" == programs.versions(session, shop_id)[0].author
        meant = (programs.meaning_at(session, shop_id, version) for version in (1, 2))
        assert ["Time zone: America/New_York → Asia/Tokyo"] == [change.text for change in difference(*meant)]
        refresh = session.exec(select(Run).where(Run.kind == "program_refresh")).all()
        assert 1 == len(refresh)

    def test_once(self, session, known, shop_id):
        """The same news again, and the same words again, are no further version."""
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="staff:1", now=NOON)
        self.move(session, known, "Asia/Tokyo")
        self.move(session, known, "Asia/Tokyo")
        assert 2 == programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="staff:1", now=NOON).version

    def test_own(self, session, known, shop_id):
        """A program that names its time zone keeps it, and there is no new version."""
        own = {**DEFAULT_DOCUMENT, "timezone": "Europe/Berlin"}
        programs.apply(session, shop_id, own, author="staff:1", now=NOON)
        self.move(session, known, "Asia/Tokyo")
        assert (1, "Europe/Berlin") == (
            programs.current(session, shop_id).version,
            programs.current(session, shop_id).timezone.key,
        )

    def test_first_details(self, session, shop_id):
        """A program that began before Shopify told of the shop is of the time zone that it then tells, and no other version begins."""
        shop = session.get_one(Shop, shop_id)
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="Laurel", now=NOON)
        take_details(session, shop, {"shopify_id": 77, "timezone": "Europe/Madrid"}, now=NOON)
        assert (1, "Europe/Madrid") == (
            programs.current(session, shop_id).version,
            programs.current(session, shop_id).timezone.key,
        )
        self.move(session, shop, "Asia/Tokyo")
        assert "Europe/Madrid" == programs.at_version(session, shop_id, 1).timezone.key
        assert "Asia/Tokyo" == programs.current(session, shop_id).timezone.key

    def test_kept_before(self, session, known, shop_id):
        """A version from before time zones were kept reads as it always did: in the shop's."""
        programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="staff:1", now=NOON)
        row = session.exec(select(ProgramVersion)).one()
        row.timezone = None
        session.add(row)
        session.flush()
        assert "America/New_York" == programs.current(session, shop_id).timezone.key
        assert 1 == programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="staff:1", now=NOON).version
