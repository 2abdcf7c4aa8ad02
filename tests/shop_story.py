"""A month in the life of a shop, told through the program's own functions, so that what pages show is what life leaves behind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlmodel import Session, col, select, update

from loyalty import inbox, outbox, programs, runs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import (
    CustomerSeen,
    Identity,
    OrderLine,
    OrderSeen,
    OrderSnapshot,
    PointsAdjusted,
    ReviewSeen,
    RewardIssued,
    RewardRequested,
)
from loyalty.models import KlaviyoConnection, Member, OutboxMessage, PrivacyRequest, Run, Shop
from loyalty.points import absorb
from loyalty.redemption import request_reward
from loyalty.staff import adjust

DOMAIN = "fern-and-fig.myshopify.com"
PEOPLE = (
    ("Ada", "Lovelace"),
    ("Grace", "Hopper"),
    ("Émilie", "du Châtelet"),
    ("Mary", "Somerville"),
    ("Sofia", "Kovalevskaya"),
    ("Hedy", "Lamarr"),
    ("Maryam", "Mirzakhani"),
    ("<b>Bobby</b>", "O'Tables"),
)


Happen = Callable[[Session, Shop, int, datetime], None]
Happening = tuple[datetime, Happen]


@dataclass(frozen=True, slots=True)
class Story:
    """What a test needs to find its way: the shop and the ids of what happened in it."""

    shop_id: int
    domain: str
    member_ids: tuple[int, ...] = ()
    run_ids: tuple[int, ...] = ()
    parked_id: int = 0
    refused_id: int = 0


def tell_story(session: Session, *, now: datetime, lived: bool = True) -> Story:
    """A shop that was installed 40 days ago; without ``lived`` one that was installed just now."""
    began = now - timedelta(days=40) if lived else now
    shop = Shop(
        domain=DOMAIN,
        name="Fern & Fig",
        currency="USD",
        timezone="America/New_York",
        scopes="read_orders",
        first_installed_at=began,
        installed_at=began,
    )
    session.add(shop)
    session.flush()
    assert shop.id is not None
    programs.apply(session, shop.id, DEFAULT_DOCUMENT, author="Laurel", now=began)
    if not lived:
        return Story(shop.id, DOMAIN)
    _connect(session, shop, began)
    _save_program(session, shop, began + timedelta(hours=1))
    member_ids = _join(session, shop, began)
    # In the order of life: the log's ids follow its times.
    happenings = [*_orders(now), *_gift(now), *_reward(now), *_reviews(now)]
    for at, happen in sorted(happenings, key=lambda happening: happening[0]):
        happen(session, shop, member_ids[0], at)
    return Story(
        shop.id,
        DOMAIN,
        member_ids,
        _run(session, shop, member_ids, now),
        _park(session, now),
        _answer(session, shop, now),
    )


def email_of(place: int) -> str:
    """The address of a person of the story."""
    return f"person{place}@fernandfig.shop"


def _connect(session: Session, shop: Shop, at: datetime) -> None:
    assert shop.id is not None
    session.add(
        KlaviyoConnection(
            shop_id=shop.id,
            road="oauth",
            state="connected",
            account_id="XyZ123",
            account_name="Fern & Fig",
            scopes="accounts:read events:read events:write lists:read lists:write metrics:read profiles:read "
            "profiles:write reviews:read webhooks:read webhooks:write",
            webhook_id="wh1",
            review_cursor=at,
            connected_at=at,
            last_delivery_at=at + timedelta(days=39),
        )
    )
    session.flush()


def _save_program(session: Session, shop: Shop, at: datetime) -> None:
    assert shop.id is not None
    document = DEFAULT_DOCUMENT | {"points": {"one": "leaf", "many": "leaves"}}
    programs.apply(session, shop.id, document, author="staff:81001", now=at)


def _join(session: Session, shop: Shop, began: datetime) -> tuple[int, ...]:
    for place, (first, last) in enumerate(PEOPLE):
        at = began + timedelta(days=place, hours=2)
        identity = Identity(7001 + place, email_of(place))
        absorb(session, shop, [CustomerSeen(identity, first, last, "en", at, at)], now=at)
    ids = session.exec(select(Member.id).where(Member.shop_id == shop.id).order_by(col(Member.id))).all()
    return tuple(member_id for member_id in ids if member_id is not None)


def _orders(now: datetime) -> Iterator[Happening]:
    for number in range(36):
        amount = Decimal("24.50") + Decimal(number * 7 % 90)
        yield now - timedelta(hours=19 * (36 - number)), _buying(number, amount)
    yield now - timedelta(days=2), _buying(2, Decimal("38.50"), remaining=0)


def _buying(number: int, amount: Decimal, *, remaining: int = 1) -> Happen:
    place = number % len(PEOPLE)
    who = Identity(7001 + place, email_of(place))

    def buy(session: Session, shop: Shop, _member_id: int, at: datetime) -> None:
        absorb(session, shop, [_order(number, at, amount, who, remaining=remaining)], now=at)

    return buy


def _order(number: int, at: datetime, amount: Decimal, who: Identity, *, remaining: int = 1) -> OrderSeen:
    line = OrderLine(number + 1, 501, 1, remaining, amount, Decimal(0), gift_card=False)
    snapshot = OrderSnapshot(
        order_id=9000 + number,
        name=f"#{1001 + number}",
        created_at=at,
        updated_at=at,
        currency="USD",
        financial_status="paid" if remaining else "refunded",
        cancelled=False,
        test=False,
        source="web",
        lines=(line,),
        outstanding=Decimal(0),
        refunded=Decimal(0) if remaining else amount,
        refunded_shipping=Decimal(0),
    )
    return OrderSeen(snapshot, who, authoritative=True)


def _gift(now: datetime) -> Iterator[Happening]:
    def give(session: Session, shop: Shop, member_id: int, at: datetime) -> None:
        member = session.exec(select(Member).where(Member.id == member_id)).one()
        by = "Staff member 81001: late parcel"
        gift = PointsAdjusted(600, "a-gift-of-the-house", "Thank you for your patience", by, at)
        adjust(session, shop, member, gift, now=at)

    yield now - timedelta(days=9), give


def _reward(now: datetime) -> Iterator[Happening]:
    def redeem(session: Session, shop: Shop, member_id: int, at: datetime) -> None:
        member = session.exec(select(Member).where(Member.id == member_id)).one()
        request = RewardRequested("five_off", "first-request", "issue-1", at, code="LAUREL-7Q4K9M")
        request_reward(session, shop, member, request, now=at)
        absorb(session, shop, [RewardIssued("issue-1", "gid://shopify/DiscountCodeNode/1", at)], now=at)

    yield now - timedelta(days=4), redeem


def _reviews(now: datetime) -> Iterator[Happening]:
    reviews = (
        ("review-1", email_of(1), True),
        ("review-2", "stranger@fernandfig.shop", True),
        ("review-3", email_of(3), False),
    )
    for number, (review_id, email, verified) in enumerate(reviews):
        yield (
            now - timedelta(days=3, hours=-number),
            _reviewing(review_id, email, 5 - number, verified=verified),
        )


def _reviewing(review_id: str, email: str, rating: int, *, verified: bool) -> Happen:
    def review(session: Session, shop: Shop, _member_id: int, at: datetime) -> None:
        fact = ReviewSeen(review_id, email, "review", rating, verified, verified, "published", at, at)
        absorb(session, shop, [fact], now=at)

    return review


def _run(session: Session, shop: Shop, member_ids: tuple[int, ...], now: datetime) -> tuple[int, ...]:
    assert shop.id is not None
    finished = runs.start(session, shop.id, "customer_import", {}, now=now - timedelta(days=39))
    finished.state, finished.total, finished.done, finished.skipped = "done", 8, 7, 1
    finished.started_at, finished.finished_at = now - timedelta(days=39), now - timedelta(days=39)
    session.flush()
    assert finished.id is not None
    runs.note(
        session, finished.id, [("7004", member_ids[3], "skipped", "The customer has no e-mail address.")]
    )
    under_way = runs.start(session, shop.id, "klaviyo_sync", {}, now=now - timedelta(seconds=40))
    under_way.state, under_way.total, under_way.done, under_way.failed = "running", 100_000, 42_000, 3
    under_way.started_at = now - timedelta(seconds=30)
    session.add_all([finished, under_way])
    session.flush()
    found = session.exec(select(Run.id).order_by(col(Run.id))).all()
    session.add(
        PrivacyRequest(
            shop_id=shop.id,
            kind="data_request",
            request_ref="1",
            member_id=member_ids[1],
            shopify_customer_id=7002,
            received_at=now - timedelta(days=1),
        )
    )
    return tuple(run_id for run_id in found if run_id is not None)


def _park(session: Session, now: datetime) -> int:
    inbox.receive(
        session.connection(),
        shop_domain=DOMAIN,
        source="shopify",
        delivery_id="d-1",
        topic="orders/updated",
        body=b"{}",
        now=now - timedelta(hours=5),
    )
    message = inbox.claim(session, DOMAIN, limit=1, now=now)[0]
    assert message.id is not None
    inbox.park(session, message.id, error="field id is missing", now=now)
    return message.id


def _answer(session: Session, shop: Shop, now: datetime) -> int:
    """Klaviyo took every message but one, and the latest still waits."""
    ours = (col(OutboxMessage.shop_id) == shop.id, col(OutboxMessage.channel) == outbox.KLAVIYO)
    ids = session.exec(select(OutboxMessage.id).where(*ours).order_by(col(OutboxMessage.id))).all()
    session.execute(
        update(OutboxMessage).where(*ours).values(state="delivered", status_code=202, finished_at=now)
    )
    refused, waiting = ids[-3], ids[-1]
    answer = {"state": "refused", "status_code": 400, "error": "invalid_email"}
    session.execute(update(OutboxMessage).where(col(OutboxMessage.id) == refused).values(**answer))
    late = {"state": "due", "status_code": None, "finished_at": None, "error": "timeout", "attempts": 2}
    session.execute(update(OutboxMessage).where(col(OutboxMessage.id) == waiting).values(**late))
    assert refused is not None
    return refused
