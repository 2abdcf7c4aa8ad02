"""A member's tier: when it changes, what that gives, and what it takes back when it turns out not to have been reached.

Which tier holds is ``loyalty.core.tiers``' knowledge; here is what follows from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from loyalty.core.decide.decision import Decision, GiftDue, TierMove
from loyalty.core.decide.posting import Change, Gathered
from loyalty.core.ledger import Source
from loyalty.core.news import TIER_CHANGED, News
from loyalty.core.program import Program, Tier, Tiers
from loyalty.core.standing import Award, Standing
from loyalty.core.tiers import TIER_ENTRY, Climb

_SLOT = "tier:"


def tier_slot(key: str) -> str:
    """What one person may have once for entering a tier."""
    return f"{_SLOT}{key}"


def decide_tier(
    standing: Standing, program: Program, at: datetime, *, climb: Climb | None = None, history: bool = False
) -> Decision:
    """Bring the member's tier to what it is at ``at``, give what entering it gives, and take back what was given for a tier that, as
    the orders count now, was not reached. Needs all orders and awards of the member. ``climb`` is for those who have looked already."""
    climb = climb or Climb(standing, program)
    tier = climb.tier(at)
    gathered = Gathered(standing.balance, is_told=program.is_told)
    for award in _undeserved(standing, climb, at):
        to = Change(0, at, {**award.why, "undone": True}, f"{award.title}: no longer reached")
        gathered.change(award, to, at=at, history=history)
    key = tier.key if tier else None
    if key == standing.tier:
        return gathered.decision()
    if program.is_told:
        gathered.news.insert(
            0, _changed(climb, standing, tier, at, balance=gathered.balance, history=history)
        )
    gifts = []
    for rung in _rungs(climb, standing.tier, tier, at):
        taken = next((award for award in gathered.awards if award.slot == tier_slot(rung.key)), None)
        known = taken or _known(standing, rung)
        if known is not None and (known.worth or not known.why.get("undone")):
            continue  # it was given before
        _give(gathered, standing, program, climb, rung, known, at=at, history=history)
        if rung.entry.reward is not None and known is None:
            gifts.append(GiftDue(rung.entry.reward, tier_slot(rung.key), "tier", at))
    return gathered.decision(tier=TierMove(key, at), gifts=tuple(gifts))


def _rungs(climb: Climb, before: str | None, tier: Tier | None, at: datetime) -> Iterator[Tier]:
    """The tiers that are entered, from the lowest: whoever skips one has climbed it too. By hand, only the one that was given."""
    if tier is None or climb.tiers is None:
        return
    tiers = climb.tiers
    if tiers.place(tier.key) <= tiers.place(before):
        return
    if climb.by_hand(at) is not None:
        yield tier
        return
    yield from tiers.ladder[tiers.place(before) : tiers.place(tier.key)]


def _give(
    gathered: Gathered,
    standing: Standing,
    program: Program,
    climb: Climb,
    rung: Tier,
    known: Award | None,
    *,
    at: datetime,
    history: bool,
) -> None:
    """Give what a tier gives on entering; a tier that gives nothing leaves nothing behind."""
    if not rung.entry.points and rung.entry.reward is None:
        return
    award = known or Award(
        source=Source("tier", f"{rung.key}:{standing.name}"),
        rule=f"tier_{rung.key}",
        way=TIER_ENTRY,
        title=f"Reached {rung.title}",
        worth=0,
        occurred_at=at,
        program_version=program.version,
        slot=tier_slot(rung.key),
    )
    why = _terms(climb, rung, at)
    if rung.entry.reward is not None:
        why["reward"] = rung.entry.reward
    if known is None and not rung.entry.points:
        gathered.awards.append(replace(award, why=why))  # it marks that the reward was given
        return
    entered = replace(award, occurred_at=at, program_version=program.version)
    gathered.change(entered, Change(rung.entry.points, at, why, ""), at=at, history=history)


def _terms(climb: Climb, rung: Tier, at: datetime) -> dict[str, Any]:
    """By what a tier was reached. It decides later whether it really was, whatever the program says by then."""
    tiers = climb.tiers
    assert tiers is not None
    return {
        "tier": rung.key,
        "threshold": str(rung.threshold),
        "metric": tiers.metric,
        "window": tiers.window,
        "months": tiers.months,
        "by_hand": climb.by_hand(at) is not None,
    }


def _undeserved(standing: Standing, climb: Climb, at: datetime) -> Iterator[Award]:
    """What was given for entering a tier that was not reached at any moment since, as everything counts now; neither by the ladder of
    that day, nor by the one of now."""
    for award in standing.awards.values():
        if award.way != TIER_ENTRY or not award.worth or award.why.get("by_hand", True):
            continue
        if not _is_reached(climb, award, at) and not _was_reached(climb, award, at):
            yield award


def _is_reached(climb: Climb, award: Award, at: datetime) -> bool:
    tiers, reached = climb.tiers, climb.reached(at)
    if tiers is None or reached is None:
        return False
    return 0 < tiers.place(award.why["tier"]) <= tiers.place(reached.key)


def _was_reached(climb: Climb, award: Award, at: datetime) -> bool:
    why: Mapping[str, Any] = award.why
    tiers = Tiers(metric=why["metric"], window=why["window"], months=why["months"])
    return climb.by(tiers).ever_reached(Decimal(why["threshold"]), award.occurred_at, at)


def _known(standing: Standing, rung: Tier) -> Award | None:
    """What was given for a tier before, to this member or to one who turned out to be the same person."""
    same = [award for award in standing.awards.values() if award.slot == tier_slot(rung.key)]
    return max(
        same, key=lambda award: (award.worth, "reward" in award.why, "undone" in award.why), default=None
    )


def _changed(
    climb: Climb, standing: Standing, tier: Tier | None, at: datetime, *, balance: int, history: bool
) -> News:
    tiers = climb.tiers or Tiers()
    before = tiers.tier(standing.tier)
    key = tier.key if tier else None
    up = tiers.place(key) > tiers.place(standing.tier)
    following, until = climb.ahead(at), climb.falls(at)
    missed = (tier if up else before) or tier
    by_hand = climb.by_hand(at) is not None
    properties = {
        "direction": "up" if up else "down",
        "previous_tier": standing.tier,
        "previous_tier_title": before.title if before else None,
        "tier": key,
        "tier_title": tier.title if tier else None,
        "by_hand": by_hand,
        "reason": "Manually changed tier" if by_hand else _reason(tiers, missed, up=up),
        "metric": tiers.metric,
        "threshold": number(missed.threshold) if missed else None,
        "progress": number(climb.towards(at)),
        "next_tier": following.tier.key if following else None,
        "next_tier_title": following.tier.title if following else None,
        "next_tier_distance": number(following.missing) if following else None,
        "tier_until": until.isoformat() if until else None,
        "points_balance": balance,
    }
    subject = f"{standing.tier}>{key}:{at.isoformat()}"
    return News(TIER_CHANGED, properties, at, history=history, subject=subject)


_UNITS = {"points": "points earned", "spent": "spent", "orders": "orders"}


def _reason(tiers: Tiers, tier: Tier | None, *, up: bool) -> str:
    if tier is None:
        return "Tiers changed"
    amount = f"{number(tier.threshold):,} {_UNITS[tiers.metric]}"
    return f"Reached {amount}" if up else f"No longer at {amount}"


def number(amount: Decimal) -> int | float:
    """A number that stays one on its way to others, without a point where it needs none."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)
