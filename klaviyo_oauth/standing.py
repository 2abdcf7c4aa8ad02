"""What a profile shows of a member, and what of the shop is needed to say it. Reads; it knows no names of Klaviyo's and sends nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlmodel import Session, col

from loyalty import programs
from loyalty.core.program import DISCOUNTS, PointsName
from loyalty.core.worth import PointWorth, point_worth
from loyalty.delivery import Recipient
from loyalty.models import Member, RewardIssue, Shop
from loyalty.referrals.codes import own_or_given
from loyalty.referrals.telling import link_of

# A profile is no place for a long list, and what ends first is what matters.
MOST_CODES = 20
_NEVER = datetime.max.replace(tzinfo=UTC)
# Points that came back were not redeemed.
_NOT_REDEEMED = ("failed", "cancelled")


@dataclass(frozen=True, slots=True)
class ShopView:
    """What is the same for all members of a shop: its address, its calendar, and what its program calls things.

    ``refers``: whether links of members lead to anything. ``point_worth``: what a point is worth in money, where that is known.
    """

    domain: str = ""
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    tiers: Mapping[str, str] = field(default_factory=dict)
    points_name: PointsName | None = None
    refers: bool = False
    point_worth: PointWorth | None = None

    def day(self, moment: datetime | None) -> str | None:
        """The shop's day of a moment, in ISO 8601."""
        return None if moment is None else _day(moment, self.timezone)

    def title(self, tier: str | None) -> str | None:
        """What a tier is called; one that the program does not have any more, by its key."""
        return None if tier is None else self.tiers.get(tier, tier)

    def points(self, number: int) -> str | None:
        """A number of points in the words of the program."""
        return None if self.points_name is None else self.points_name.format(number)

    def worth(self, points: int) -> float | None:
        """What a number of points is worth in money, to the cent."""
        return None if self.point_worth is None else float(self.point_worth.of(points))


# Points and tiers end at few midnights and for many members; and of each member the code is asked for twice.
@lru_cache(maxsize=4_096)
def _day(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).date().isoformat()


_code = lru_cache(maxsize=256)(own_or_given)


class Rewards(NamedTuple):
    """What a profile shows of a member's rewards: the codes that can be used, and when points were last exchanged for one."""

    codes: Sequence[str] = ()
    last_redeemed_at: datetime | None = None


NO_REWARDS = Rewards()


class Standing(NamedTuple):
    """What a profile shows of a member, as true at the moment of sending. A tuple, because a sync makes a million of them."""

    member_id: int
    balance: int
    lifetime_earned: int
    lifetime_spent: int
    pending: int
    state: str
    joined_at: datetime | None
    tier: str | None
    tier_since: datetime | None
    tier_until: datetime | None
    next_tier: str | None
    next_tier_distance: Decimal | None
    expires_at: datetime | None
    expiring_points: int
    birthday_month: int | None
    birthday_day: int | None
    last_activity_at: datetime | None
    given_code: str | None
    shop: ShopView
    codes: Sequence[str] = ()
    last_redeemed_at: datetime | None = None

    @property
    def referral_code(self) -> str | None:
        """The code that friends use, where there is something in it for them."""
        return _code(self.member_id, self.given_code) if self.shop.refers else None

    @property
    def referral_link(self) -> str | None:
        """The address to share."""
        code = self.referral_code
        return None if code is None else link_of(self.shop.domain, code)

    @property
    def birthday(self) -> str | None:
        """Month and day. Nobody asked for a year, and one that is made up would be taken for a date."""
        if self.birthday_month is None or self.birthday_day is None:
            return None
        return f"{self.birthday_month:02}-{self.birthday_day:02}"


_MEMBER = Member.__table__.c  # type: ignore[attr-defined]
# In the order of the standing.
COLUMNS = (
    _MEMBER.id,
    _MEMBER.balance,
    _MEMBER.lifetime_earned,
    _MEMBER.lifetime_spent,
    _MEMBER.pending,
    _MEMBER.state,
    _MEMBER.joined_at,
    _MEMBER.tier,
    _MEMBER.tier_since,
    _MEMBER.tier_until,
    _MEMBER.next_tier,
    _MEMBER.next_tier_distance,
    _MEMBER.expires_at,
    _MEMBER.expiring_points,
    _MEMBER.birthday_month,
    _MEMBER.birthday_day,
    _MEMBER.last_activity_at,
    _MEMBER.referral_code,
)


def shop_view(session: Session, shop_id: int) -> ShopView:
    """The shop as its profiles show it now, by the program in force."""
    shop = session.get_one(Shop, shop_id)
    try:
        program = programs.current(session, shop_id)
    except programs.NoProgram:
        return ShopView(shop.domain)
    ladder = program.tiers.ladder if program.tiers else ()
    return ShopView(
        domain=shop.domain,
        timezone=program.timezone,
        tiers={tier.key: tier.title for tier in ladder},
        points_name=program.points_name,
        refers=program.referrals is not None,
        point_worth=point_worth(program),
    )


def rewards_in(session: Session, shop_id: int, whose: Any) -> Mapping[int, Rewards]:
    """What members have of rewards; who never had one is left out. ``whose`` is a condition on the issues."""
    mine = (col(RewardIssue.shop_id) == shop_id, whose)
    codes = _ready_codes(session, mine)
    redeemed = _last_redeemed(session, mine)
    return {
        member_id: Rewards(codes.get(member_id, ()), redeemed.get(member_id))
        for member_id in codes.keys() | redeemed.keys()
    }


def rewards_of(session: Session, shop_id: int, member_ids: Iterable[int]) -> Mapping[int, Rewards]:
    """What these members have of rewards."""
    ids = list(member_ids)
    return rewards_in(session, shop_id, col(RewardIssue.member_id).in_(ids)) if ids else {}


def _ready_codes(session: Session, mine: Sequence[Any]) -> dict[int, Sequence[str]]:
    """The codes that were not used, what ends first at the front."""
    rows = session.connection().execute(
        select(
            col(RewardIssue.member_id),
            col(RewardIssue.code),
            col(RewardIssue.expires_at),
            col(RewardIssue.created_at),
        ).where(
            *mine,
            col(RewardIssue.state) == "issued",
            col(RewardIssue.code).is_not(None),
            # A gift card's code is money, and nobody tells when it is spent.
            col(RewardIssue.kind).in_(DISCOUNTS),
        )
    )
    found: dict[int, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    for member_id, code, expires_at, created_at in rows:
        found[member_id].append((expires_at or _NEVER, created_at, str(code)))
    return {
        member_id: tuple(code for *_, code in sorted(codes)[:MOST_CODES])
        for member_id, codes in found.items()
    }


def _last_redeemed(session: Session, mine: Sequence[Any]) -> dict[int, datetime]:
    rows = session.connection().execute(
        select(col(RewardIssue.member_id), func.max(RewardIssue.created_at))
        .where(*mine, col(RewardIssue.points) > 0, col(RewardIssue.state).not_in(_NOT_REDEEMED))
        .group_by(col(RewardIssue.member_id))
    )
    return {row[0]: row[1] for row in rows}


def standing_of(recipient: Recipient, shop: ShopView, rewards: Rewards = NO_REWARDS) -> Standing:
    """The part of a recipient that a profile shows."""
    return Standing(
        recipient.member_id,
        recipient.balance,
        recipient.lifetime_earned,
        recipient.lifetime_spent,
        recipient.pending,
        recipient.state,
        recipient.joined_at,
        recipient.tier,
        recipient.tier_since,
        recipient.tier_until,
        recipient.next_tier,
        recipient.next_tier_distance,
        recipient.expires_at,
        recipient.expiring_points,
        recipient.birthday_month,
        recipient.birthday_day,
        recipient.last_activity_at,
        recipient.referral_code,
        shop,
        *rewards,
    )
