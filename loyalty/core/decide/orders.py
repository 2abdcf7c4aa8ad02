"""What an order is worth to its member, by every rule for orders. Converges: see the package."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from loyalty.core.decide.decision import NOTHING, Decision, Pin
from loyalty.core.decide.posting import Change, Gathered, new_award
from loyalty.core.facts import OrderSeen, OrderSnapshot
from loyalty.core.ledger import Source
from loyalty.core.limits import allows
from loyalty.core.moments import day_of
from loyalty.core.orders import Worth, amount_worth, counted_amount, counting_lines, exact, needs_catalogue
from loyalty.core.program import Campaign, OrderRule, Program
from loyalty.core.stacking import NO_MULTIPLIER, Multiplier, stack
from loyalty.core.standing import Award, OrderCredit, Standing

_NOTHING = Worth(0, Fraction(0))


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a rule says of an order now."""

    rule: OrderRule
    points: int
    why: Mapping[str, Any]


def order_source(order_id: int) -> Source:
    """What the points of an order come from."""
    return Source("order", str(order_id))


def order_credit(order: OrderSnapshot, program: Program, *, counted: Fraction | None = None) -> OrderCredit:
    """What an order counts for tiers and goals, to four decimals. ``counted`` is for those who have reckoned already what counts of it."""
    if counted is None:
        counted = counted_amount(order, program.basis)
    return OrderCredit(order.created_at, Decimal(counted.numerator * 10_000 // counted.denominator) / 10_000)


def decide_order(
    standing: Standing,
    fact: OrderSeen,
    program: Program,
    *,
    at: datetime,
    pin: Pin | None = None,
    counted: Fraction | None = None,
) -> Decision:
    """Bring the points of an order to what its latest state is worth under ``program``: the one of ``pin``, or the one in force.

    Points are only taken back on Shopify's last word, and refunds only reckoned on it; on any other snapshot the decision is to read
    the order again. So it is when the order would count less for goals and tiers: those take points back, too. ``counted`` is for those who
    have reckoned already what counts of it.
    """
    order, source = fact.order, order_source(fact.order.order_id)
    tier = pin.tier if pin else standing.tier
    if counted is None:
        counted = counted_amount(order, program.basis)
    if not fact.is_last_word and _counts_less(standing, order, program, counted):
        return Decision(reread=True)
    claims = tuple(_claims(standing, order, program, tier, counted))
    if not fact.is_last_word and any(needs_catalogue(order, claim.rule.goods) for claim in claims):
        return Decision(reread=True)
    changes = _changes(standing, source, claims, fact, program)
    if not changes:
        return NOTHING
    # A webhook gives refunds of foreign money at no exact rate, and a replayed one may be old: with money gone back, only a
    # reading decides, in either direction.
    takes = any(to.worth < award.worth for award, to in changes)
    if not fact.is_last_word and (takes or order.refunded):
        return Decision(reread=True)
    gathered, said = Gathered(standing.balance, is_told=program.is_told), {"order_name": order.name}
    for award, to in changes:
        gathered.change(award, to, at=at, history=fact.history, extra=said)
    return gathered.decision(pin=pin or Pin(program.version, tier))


def _counts_less(standing: Standing, order: OrderSnapshot, program: Program, counted: Fraction) -> bool:
    known = standing.orders.get(order.order_id)
    return known is not None and order_credit(order, program, counted=counted).amount < known.amount


def _changes(
    standing: Standing,
    source: Source,
    claims: tuple[_Claim, ...],
    fact: OrderSeen,
    program: Program,
) -> list[tuple[Award, Change]]:
    """The awards whose worth is not what it should be, and what it should be."""
    order, changes = fact.order, []
    for claim in claims:
        award = standing.award(source, claim.rule.key)
        if award is None:
            if claim.points == 0:
                continue
            award = new_award(source, claim.rule, program, occurred_at=order.created_at)
        if claim.points == award.worth:
            continue
        # An imported order earned when it was placed; what changed it later happened when it changed.
        happened = order.created_at if fact.history and award.postings == 0 else order.updated_at
        why = claim.why if not fact.unreadable else {**claim.why, "unreadable": True}
        changes.append((award, Change(claim.points, happened, why, f"Order {order.name} changed")))
    return changes


def _claims(
    standing: Standing, order: OrderSnapshot, program: Program, tier: str | None, counted: Fraction
) -> Iterator[_Claim]:
    source = order_source(order.order_id)
    day = day_of(order.created_at, program.timezone)
    campaigns = [
        campaign
        for campaign in program.campaigns
        if campaign.schedule.holds(day)
        and (not campaign.channels or order.source in campaign.channels)
        and (not campaign.tiers or tier in campaign.tiers)
    ]
    for rule in program.order_rules:
        may = (
            rule.schedule.holds(day)
            and (not rule.channels or order.source in rule.channels)
            and (not rule.tiers or tier in rule.tiers)
            and may_earn(standing, rule.guests, program, order.created_at)
            and _within_limit(standing, rule, source, order.created_at, program)
        )
        stacked = _multiplier(rule, campaigns, program, tier)
        counts = counted if rule.goods.is_everything else counted_amount(order, program.basis, rule.goods)
        worth = amount_worth(counts, rule, stacked.factor) if may else _NOTHING
        yield _Claim(rule, worth.points, _why(order, rule, program, worth, stacked, tier))
    yield from _extras(standing, order, program, campaigns, counted)


def _extras(
    standing: Standing, order: OrderSnapshot, program: Program, campaigns: list[Campaign], counted: Fraction
) -> Iterator[_Claim]:
    """The extra points that campaigns give for an order, each as a rule of its own."""
    for campaign in campaigns:
        if not campaign.extra:
            continue
        rule = OrderRule(
            key=f"campaign_{campaign.key}", way="order_fixed", title=campaign.title, points=campaign.extra
        )
        may = may_earn(standing, rule.guests, program, order.created_at)
        worth = amount_worth(counted, rule) if may else _NOTHING
        yield _Claim(rule, worth.points, _why(order, rule, program, worth, NO_MULTIPLIER, None))


def may_earn(standing: Standing, guests: bool, program: Program, occurred_at: datetime) -> bool:  # noqa: FBT001
    """Whether this person may earn now for something that happened at ``occurred_at``."""
    if standing.is_guest:
        return guests and program.guests == "earn"
    if program.guests != "never" or standing.joined_at is None:
        return True
    # A customer record is often made by the very order, a moment after it.
    zone = program.timezone
    return day_of(occurred_at, zone) >= day_of(standing.joined_at, zone)


def _within_limit(
    standing: Standing, rule: OrderRule, source: Source, occurred_at: datetime, program: Program
) -> bool:
    """Whether the rule's limit lets this order earn. What was given once stays given, whatever comes between."""
    own = standing.award(source, rule.key)
    if rule.limit is None or (own is not None and own.worth):
        return True
    others = [award.occurred_at for award in standing.by_rule(rule.key) if award.source != source]
    return allows(rule.limit, others, occurred_at, program.timezone)


def _multiplier(rule: OrderRule, campaigns: list[Campaign], program: Program, tier: str | None) -> Multiplier:
    if not rule.multiplied:
        return NO_MULTIPLIER
    named = [
        (campaign.key, exact(campaign.multiplier))
        for campaign in campaigns
        if campaign.multiplier != 1 and (not campaign.rules or rule.key in campaign.rules)
    ]
    own = program.tiers.tier(tier) if program.tiers else None
    if own is not None and own.multiplier != 1:
        named.append((own.key, exact(own.multiplier)))
    return stack(named, program.stacking)


def _why(
    order: OrderSnapshot,
    rule: OrderRule,
    program: Program,
    worth: Worth,
    stacked: Multiplier,
    tier: str | None,
) -> dict[str, Any]:
    """The sum behind the number, for people: basis × rate × multiplier, rounded."""
    if not program.is_told:
        return {}
    why: dict[str, Any] = {
        "order": order.name,
        "basis": _money(worth.basis),
        "lines": counting_lines(order, program.basis, rule.goods),
        "currency": order.currency,
        "status": "cancelled" if order.cancelled else order.financial_status,
    }
    if rule.way == "order":
        why |= {"rate": str(rule.rate), "rounding": rule.rounding}
    else:
        why |= {"points": rule.points}
    if rule.minimum:
        why["minimum"] = str(rule.minimum)
    if stacked.factor != 1:
        why |= {"multiplier": _money(stacked.factor), "multiplied_by": list(stacked.names)}
    if tier:
        why["tier"] = tier
    return why


def _money(amount: Fraction) -> str:
    """An exact fraction as money for people to read, to four decimals (it explains the points; it does not decide them)."""
    return f"{Decimal(amount.numerator) / Decimal(amount.denominator):.4f}".rstrip("0").rstrip(".")
