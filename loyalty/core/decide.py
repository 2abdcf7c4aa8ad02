"""The heart: what a fact means for one member. Pure: standing, fact and program in, entries and news out.

Every award is ``target - already posted`` for its source. Repeated, late and reordered facts therefore end at the same balance,
and what is taken back for a source never exceeds what was given for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from loyalty.core import ledger
from loyalty.core.facts import CustomerSeen, OrderSeen, PointsAdjusted, ReviewSeen, RewardRequested
from loyalty.core.ledger import Entry, Source
from loyalty.core.orders import order_award
from loyalty.core.program import AmountOff, Program

JOINED = "joined_program"
EARNED = "points_earned"
REDEEMED = "points_redeemed"
ADJUSTED = "points_adjusted"
NEWS_KINDS = (JOINED, EARNED, REDEEMED, ADJUSTED)

EARNING_REVIEW_KINDS = frozenset({"review", "rating"})


@dataclass(frozen=True, slots=True)
class Standing:
    """What a decision needs to know of a member and of the fact's source.

    ``posted`` is the sum, ``postings`` the number of the entries that the source already has; both are 0 for a new source.
    """

    balance: int = 0
    joined: bool = False
    posted: int = 0
    postings: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """Something worth telling, frozen as it happened. ``entry`` is the movement that it tells of, if it tells of one.

    ``history`` means that it is old: it is recorded at Klaviyo, but must start no flow.
    """

    kind: str
    properties: Mapping[str, Any]
    occurred_at: datetime
    history: bool = False
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a fact.

    ``joins``: the person becomes a member. ``reread``: points would be moved on hearsay, so the order must be read first.
    """

    entries: tuple[Entry, ...] = ()
    news: tuple[News, ...] = ()
    joins: bool = False
    reread: bool = False


class RewardRefused(Exception):
    """A reward cannot be had. ``code`` is unknown_reward or not_enough_points; ``missing`` says how many points are short."""

    def __init__(self, code: str, *, missing: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.missing = missing


class AdjustmentRefused(Exception):
    """An adjustment would take the balance below zero without having said that it may. ``balance`` is what there is."""

    def __init__(self, balance: int) -> None:
        super().__init__("below_zero")
        self.balance = balance


def decide_customer(
    standing: Standing, fact: CustomerSeen, program: Program, *, earning_since: datetime
) -> Decision:
    """A customer joins once. An account made after ``earning_since`` earns the sign-up points; an older one joins in silence."""
    is_new = fact.created_at >= earning_since
    history = fact.history or not is_new
    joined = (
        () if standing.joined else (News(JOINED, {"source": "account"}, fact.created_at, history=history),)
    )
    rule = program.signup
    if rule is None or not is_new or standing.postings:
        return Decision(news=joined, joins=not standing.joined)
    why = {"points": rule.points, "account_created_at": fact.created_at.isoformat()}
    source = Source("signup", str(fact.identity.customer_id))
    entry = Entry(
        ledger.EARN, rule.points, source, rule.key, 0, program.version, rule.title, why, fact.created_at
    )
    news = _entry_news(entry, standing.balance, {}, history=history)
    return Decision(entries=(entry,), news=(*joined, news), joins=not standing.joined)


def decide_order(standing: Standing, fact: OrderSeen, program: Program) -> Decision:
    """Bring the points of an order to what its latest state is worth under ``program``, the version of its first award.

    Points are only taken back on an authoritative snapshot, and refunds only reckoned on one; on any other the decision is to read
    the order again.
    """
    order, rule = fact.order, program.order
    if rule is None:
        return Decision()
    award = order_award(order, rule)
    difference = award.points - standing.posted
    if difference == 0:
        return Decision()
    # A webhook gives refunds of foreign money at no exact rate, and a replayed one may be old: with money gone back, only a
    # reading decides, in either direction.
    if not fact.authoritative and (difference < 0 or order.refunded):
        return Decision(reread=True)
    why = {
        "order": order.name,
        "basis": _money(award.basis),
        "currency": order.currency,
        "rate": str(rule.rate),
        "rounding": rule.rounding,
        "worth": award.points,
        "already": standing.posted,
        "status": "cancelled" if order.cancelled else order.financial_status,
    }
    kind, reason = (
        (ledger.EARN, rule.title) if difference > 0 else (ledger.REVERSE, f"Order {order.name} changed")
    )
    # An imported order earned when it was placed; what changed it later happened when it changed.
    is_first = fact.history and standing.postings == 0
    occurred_at = order.created_at if is_first else order.updated_at
    source = Source("order", str(order.order_id))
    entry = Entry(
        kind, difference, source, rule.key, standing.postings, program.version, reason, why, occurred_at
    )
    news = _entry_news(entry, standing.balance, {"order_name": order.name}, history=fact.history)
    return Decision(entries=(entry,), news=(news,))


def review_problem(fact: ReviewSeen) -> str | None:
    """Why a review earns nothing, or None when it earns. Stars only, text, photo and video count alike."""
    if not fact.verified:
        return "not_verified"
    if fact.kind not in EARNING_REVIEW_KINDS:
        return "not_a_product_review"
    if fact.status == "rejected":
        return "rejected"
    return None


def decide_review(standing: Standing, fact: ReviewSeen, program: Program) -> Decision:
    """A verified review earns once; one that is rejected later gives its points back, even when the rule is off by then."""
    rule, problem = program.review, review_problem(fact)
    if problem is None and (rule is None or standing.posted > 0):
        return Decision()
    difference = (rule.points if rule and problem is None else 0) - standing.posted
    if difference == 0:
        return Decision()
    why = {"review_kind": fact.kind, "rating": fact.rating, "status": fact.status, "already": standing.posted}
    source = Source("review", fact.review_id)
    kind, reason = (
        (ledger.EARN, rule.title) if rule and difference > 0 else (ledger.REVERSE, "Review rejected")
    )
    occurred_at = fact.submitted_at if difference > 0 else fact.seen_at
    entry = Entry(
        kind, difference, source, "review", standing.postings, program.version, reason, why, occurred_at
    )
    news = _entry_news(entry, standing.balance, {"review_kind": fact.kind, "rating": fact.rating})
    return Decision(entries=(entry,), news=(news,))


def decide_reward_request(
    standing: Standing, fact: RewardRequested, program: Program
) -> tuple[AmountOff, Entry]:
    """Take the points for a reward. Raises ``RewardRefused``. Nothing is told yet: the news follows when the code is there."""
    reward = program.reward(fact.reward)
    if reward is None:
        raise RewardRefused("unknown_reward")
    if standing.balance < reward.points:
        raise RewardRefused("not_enough_points", missing=reward.points - standing.balance)
    why = {"reward": reward.key, "price": reward.points, "amount": str(reward.amount)}
    entry = Entry(
        ledger.REDEEM,
        -reward.points,
        Source("reward", fact.issue_id),
        reward.key,
        0,
        program.version,
        reward.title,
        why,
        fact.requested_at,
    )
    return reward, entry


def decide_reward_return(redeemed: Entry, *, reason: str, at: datetime, balance: int) -> Decision:
    """Give the points of a reward back that could not be made. ``redeemed`` is the entry that took them."""
    entry = Entry(
        ledger.RETURN,
        -redeemed.points,
        redeemed.source,
        redeemed.rule,
        1,
        redeemed.program_version,
        "Reward could not be made",
        {"because": reason},
        at,
    )
    return Decision(entries=(entry,), news=(_entry_news(entry, balance, {}),))


def redeemed_news(redeemed: Entry, *, balance: int, at: datetime, reward: Mapping[str, Any]) -> News:
    """What is told when a reward's code is there: points spent, what for, and the code (in ``reward``)."""
    properties = {"points": -redeemed.points, "points_balance": balance, "source": "reward", **reward}
    return News(REDEEMED, properties, at, entry=redeemed)


def decide_adjustment(standing: Standing, fact: PointsAdjusted, program: Program) -> Decision:
    """Points given or taken by staff. Raises ``AdjustmentRefused`` when they would leave less than nothing without saying so."""
    if standing.postings or fact.points == 0:
        return Decision()
    if fact.points < 0 and standing.balance + fact.points < 0 and not fact.may_go_negative:
        raise AdjustmentRefused(standing.balance)
    source = Source("staff", fact.key)
    why = {"staff": fact.staff}
    entry = Entry(
        ledger.ADJUST, fact.points, source, "adjustment", 0, program.version, fact.note, why, fact.adjusted_at
    )
    return Decision(entries=(entry,), news=(_entry_news(entry, standing.balance, {}),))


def decide_transfer(
    points: int, *, from_member: int, to_member: int, at: datetime, program_version: int, sequence: int = 0
) -> tuple[Entry, Entry]:
    """The two entries that move a whole balance when two people turn out to be one: out of the first, into the second."""

    def entry(rule: str, signed: int) -> Entry:
        source = Source("merge", f"{from_member}-{to_member}")
        why = {"from_member": from_member, "to_member": to_member}
        return Entry(
            ledger.TRANSFER, signed, source, rule, sequence, program_version, "Accounts merged", why, at
        )

    return entry("merge_out", -points), entry("merge_in", points)


def _entry_news(
    entry: Entry, balance_before: int, extra: Mapping[str, Any], *, history: bool = False
) -> News:
    kind = EARNED if entry.kind == ledger.EARN else ADJUSTED
    properties = {
        "points": entry.points,
        "points_balance": balance_before + entry.points,
        "source": entry.source.kind,
        "rule": entry.rule,
        "reason": entry.reason,
        **{key: value for key, value in extra.items() if value is not None},
    }
    return News(kind, properties, entry.occurred_at, history=history, entry=entry)


def _money(amount: Fraction) -> str:
    """An exact fraction as money for people to read, to four decimals (it explains the points; it does not decide them)."""
    return f"{Decimal(amount.numerator) / Decimal(amount.denominator):.4f}".rstrip("0").rstrip(".")
