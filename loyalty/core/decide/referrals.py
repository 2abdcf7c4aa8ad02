"""Referrals: what one has come to, judged from everything that is known now, and what the advocate gets for it.

``judge`` is a function of its arguments alone, so orders and refunds may become known in any order. A referral that was completed stays
with the order that completed it, and with what the checks of that day said of addresses and devices: people who move in together
later take nothing back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from loyalty.core.decide.decision import NOTHING, Decision
from loyalty.core.decide.posting import Change, change, new_award, release_at
from loyalty.core.ledger import Source
from loyalty.core.limits import allows
from loyalty.core.program import ActionRule, Program, Referrals
from loyalty.core.standing import Award, Standing

RULE = "referral"

SHARED = "shared"
CLAIMED = "claimed"
ORDERED = "ordered"
COMPLETED = "completed"
BLOCKED = "blocked"
CANCELLED = "cancelled"
REVERSED = "reversed"
STATES = (SHARED, CLAIMED, ORDERED, COMPLETED, BLOCKED, CANCELLED, REVERSED)

SELF = "self"
DUPLICATE = "duplicate"
EXISTING_CUSTOMER = "existing_customer"
DEVICE = "device"
ADDRESS = "address"
LIMIT = "limit"
CHECKS = (SELF, DUPLICATE, EXISTING_CUSTOMER, DEVICE, ADDRESS, LIMIT)
# Nobody may switch these off: one friend is brought once, and a limit that is written in the program holds.
_ALWAYS = frozenset({DUPLICATE, LIMIT})
# What these say is kept once the referral is completed.
_OF_THAT_DAY = frozenset({DEVICE, ADDRESS, LIMIT})

APPROVED = "approved"
PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"
BY_STAFF = "staff"
# What a check had nothing of to look at: of the member (the advocate), of the friend, an order that counts, or a limit to keep.
OF_ADVOCATE, OF_FRIEND, NO_ORDER, NO_LIMIT = "advocate", "friend", "order", "limit"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says: ``passed``, ``failed``, or ``unknown`` where there was nothing to look at, and then ``missing`` what there was
    nothing of. ``blocks``: whether a failure ends the referral; it is shown either way."""

    check: str
    result: str
    blocks: bool
    missing: str = ""


@dataclass(frozen=True, slots=True)
class FriendOrder:
    """An order of the friend (or with the friend's code), as it is known now. ``amount`` is what of it counts, ``is_lost`` that it was
    cancelled or that money of it went back. ``address_matches``: whether it went to an address of the advocate's; None when that is not
    known, and ``address_missing`` of whom no address is."""

    order_id: int
    placed_at: datetime
    amount: Decimal
    is_lost: bool = False
    by_advocate: bool = False
    address_matches: bool | None = None
    address_missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of a referral that was claimed.

    ``orders`` are those since the claim. ``completed_with`` is the order that it was completed with. ``others`` is when the other
    referrals of the advocate that count were ordered. ``counts``: whether this one counts already. ``is_erased``: one of the two is
    nobody any more. ``ruling``: what staff said (``approved``, ``blocked`` or nothing). ``findings`` are what the checks said before, by name,
    and ``missing`` what they had nothing of. ``same_person`` and ``device_matches`` are None where that cannot be told, for lack of an
    e-mail address (``email_missing``) or a device (``device_missing``) of one of the two.
    """

    orders: tuple[FriendOrder, ...] = ()
    same_person: bool | None = False
    email_missing: str = ""
    was_customer: bool = False
    is_taken: bool = False
    is_erased: bool = False
    device_matches: bool | None = None
    device_missing: str = ""
    completed_with: int | None = None
    counts: bool = False
    others: tuple[datetime, ...] = ()
    ruling: str = ""
    findings: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a referral has come to. ``order`` is the one that it is rewarded for, ``due_at`` when its hold is over (None: at once)."""

    state: str
    reason: str
    findings: tuple[Finding, ...]
    order: FriendOrder | None = None
    due_at: datetime | None = None

    @property
    def is_rewarded(self) -> bool:
        """Whether the advocate's gift is earned (be it on hold)."""
        return self.state in (ORDERED, COMPLETED)


def referral_source(referral_id: str) -> Source:
    """What the points of a referral come from."""
    return Source("referral", referral_id)


def judge(case: Case, program: Program, terms: Referrals, *, at: datetime) -> Verdict:
    """What a claimed referral has come to at an instant, under the terms of its claim."""
    order = _qualifying(case, terms)
    findings = tuple(_findings(case, program, terms, order))
    ended = REVERSED if case.completed_with is not None else BLOCKED
    if case.ruling == BLOCKED:
        return Verdict(ended, BY_STAFF, findings)
    failed = next((each.check for each in findings if each.blocks and each.result == FAILED), None)
    if failed is not None and case.ruling != APPROVED:
        return Verdict(ended, failed, findings, order)
    if order is None:
        return _without_order(case, findings)
    due_at = release_at(terms.hold_days, order.placed_at, program.timezone)
    is_over = case.completed_with is not None or due_at is None or due_at <= at
    return Verdict(COMPLETED if is_over else ORDERED, "", findings, order, due_at)


def decide_referral(
    standing: Standing,
    referral_id: str,
    verdict: Verdict,
    program: Program,
    terms: Referrals,
    *,
    at: datetime,
) -> Decision:
    """Bring the advocate's points for a referral to what the verdict says they are worth; on hold while the friend may still return."""
    source = referral_source(referral_id)
    award = standing.award(source, RULE)
    worth = terms.advocate.points if verdict.is_rewarded else 0
    if award is None and worth == 0:
        return NOTHING
    if verdict.order is not None and verdict.is_rewarded:
        award = _dated(award, source, verdict.order, program, terms)
        happened = verdict.due_at or verdict.order.placed_at
    else:
        happened = at
    assert award is not None
    known = standing.award(source, RULE)
    if award == known and award.worth == worth:
        return (
            Decision()
        )  # what is on hold is released by the calendar, with everything else that time brings
    why = {"referral": referral_id, "state": verdict.state} | (
        {"reason": verdict.reason} if verdict.reason else {}
    )
    to = Change(worth, happened, why, f"{terms.title}: no longer counts")
    changed, entries, news = change(standing.balance, award, to, at=at)
    return Decision(entries, news, (changed,))


def _dated(
    award: Award | None, source: Source, order: FriendOrder, program: Program, terms: Referrals
) -> Award:
    """The award, earned when the order was placed. Until it is posted another order may still be the one."""
    rule = ActionRule(
        key=RULE, way=RULE, title=terms.title, points=terms.advocate.points, hold_days=terms.hold_days
    )
    fresh = new_award(source, rule, program, occurred_at=order.placed_at)
    if award is None:
        return fresh
    if award.postings:
        return award
    return replace(award, occurred_at=fresh.occurred_at, release_at=fresh.release_at)


def _qualifying(case: Case, terms: Referrals) -> FriendOrder | None:
    """The first order that is worth enough now; for a completed referral only the one that completed it."""
    good = [
        order
        for order in case.orders
        if order.amount > 0
        and order.amount >= terms.minimum
        and case.completed_with in (None, order.order_id)
    ]
    return min(good, key=lambda order: (order.placed_at, order.order_id), default=None)


def _without_order(case: Case, findings: tuple[Finding, ...]) -> Verdict:
    lost = [order for order in case.orders if order.is_lost]
    if case.completed_with is not None:
        return Verdict(REVERSED, "refunded", findings)
    if lost:
        return Verdict(CANCELLED, "refunded", findings)
    return Verdict(CLAIMED, "below_minimum" if case.orders else "", findings)


def _findings(case: Case, program: Program, terms: Referrals, order: FriendOrder | None) -> Iterator[Finding]:
    now = _now(case, program, terms, order)
    for check in CHECKS:
        result, missing = now[check]
        before = case.findings.get(check)
        is_kept = case.completed_with is not None and check in _OF_THAT_DAY
        # Two people of one mailbox stay one when the mailbox is forgotten, and so do two of two.
        is_proved = check == SELF and case.is_erased and (before == FAILED or result == UNKNOWN)
        if before and (is_kept or is_proved):
            result, missing = before, case.missing.get(check, "")
        yield Finding(check, result, check in terms.checks or check in _ALWAYS, missing)


def _now(
    case: Case, program: Program, terms: Referrals, order: FriendOrder | None
) -> Mapping[str, tuple[str, str]]:
    """What each check finds now, and what it has nothing of."""
    buys_for_oneself = any(each.by_advocate for each in case.orders)
    return {
        SELF: _result(True if buys_for_oneself else case.same_person, case.email_missing),
        DUPLICATE: _result(case.is_taken),
        EXISTING_CUSTOMER: _result(case.was_customer),
        DEVICE: _result(case.device_matches, case.device_missing),
        ADDRESS: _result(order.address_matches, order.address_missing) if order else (UNKNOWN, NO_ORDER),
        LIMIT: _within(case, program, terms, order),
    }


def _within(case: Case, program: Program, terms: Referrals, order: FriendOrder | None) -> tuple[str, str]:
    if terms.limit is None or order is None:
        return UNKNOWN, NO_LIMIT if terms.limit is None else NO_ORDER
    fits = case.counts or allows(terms.limit, case.others, order.placed_at, program.timezone)
    return _result(not fits)


def _result(failed: bool | None, missing: str = "") -> tuple[str, str]:  # noqa: FBT001  # an answer, not a switch
    if failed is None:
        return UNKNOWN, missing
    return (FAILED if failed else PASSED), ""
