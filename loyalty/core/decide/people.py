"""A person becomes a member, agrees to e-mail, or turns out to be somebody who is known already."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from loyalty.core import ledger
from loyalty.core.decide.actions import ActionRefused, Occasion, decide_occasion
from loyalty.core.decide.decision import NOTHING, Decision
from loyalty.core.decide.posting import Change, Gathered
from loyalty.core.facts import BirthdayTold, CustomerSeen
from loyalty.core.ledger import Entry, Source
from loyalty.core.news import BIRTHDAY_SET, JOINED, News
from loyalty.core.program import Program
from loyalty.core.standing import Award, Standing


def signup_source(customer_id: int | None) -> Source:
    """What the points for an account come from."""
    return Source("signup", str(customer_id))


def newsletter_source(standing: Standing) -> Source:
    """What the points for agreeing to e-mail come from."""
    return Source("newsletter", standing.name)


def decide_customer(
    standing: Standing, fact: CustomerSeen, program: Program, *, earning_since: datetime, at: datetime
) -> Decision:
    """Whoever has an account joins once. One made after ``earning_since`` earns the sign-up points; an older one joins in silence."""
    if not fact.has_account:
        return NOTHING
    is_new = fact.created_at >= earning_since
    history = fact.history or not is_new
    joins = standing.joined_at is None
    joined = (News(JOINED, {"source": "account"}, fact.created_at, history=history),) if joins else ()
    if not is_new:
        return Decision(news=joined, joins=joins)
    occasion = Occasion(
        signup_source(fact.identity.customer_id),
        fact.created_at,
        {"account_created_at": fact.created_at.isoformat()},
    )
    decision = _given(standing, "signup", occasion, program, at=at, history=history)
    return replace(decision, news=(*joined, *decision.news), joins=joins)


def decide_subscription(
    standing: Standing, fact: CustomerSeen, program: Program, *, earning_since: datetime, at: datetime
) -> Decision:
    """A member who agrees to marketing e-mail after ``earning_since`` earns for it once in a life, however often they leave and return."""
    if standing.joined_at is None or fact.subscribed_at is None or fact.subscribed_at < earning_since:
        return NOTHING
    occasion = Occasion(newsletter_source(standing), fact.subscribed_at)
    return _given(standing, "newsletter", occasion, program, at=at, history=fact.history)


def decide_birthday_told(standing: Standing, fact: BirthdayTold) -> Decision | None:
    """What is told of a birthday that is new. None when it is known already (then it counts since it was first told) or is older than
    what is known."""
    known = standing.birthday
    if known is not None and (
        (known.month, known.day) == (fact.month, fact.day) or known.told_at > fact.told_at
    ):
        return None
    properties = {"birthday_month": fact.month, "birthday_day": fact.day}
    return Decision(news=(News(BIRTHDAY_SET, properties, fact.told_at, subject=fact.told_at.isoformat()),))


def decide_duplicates(standing: Standing, *, at: datetime) -> Decision:
    """Two people turned out to be one: what one person may have once is kept where it was given first, and taken back elsewhere."""
    by_slot: dict[str, list[Award]] = {}
    for award in standing.awards.values():
        if award.slot and award.worth:
            by_slot.setdefault(award.slot, []).append(award)
    gathered = Gathered(standing.balance)
    for same in by_slot.values():
        kept, *others = sorted(same, key=attrgetter("occurred_at", "source.ref"))
        for award in others:
            why = {**award.why, "kept": kept.source.ref, "slot": award.slot}
            to = Change(0, at, why, f"{award.title}: given once per person")
            gathered.change(award, to, at=at)
    return gathered.decision()


def decide_transfer(
    points: int,
    *,
    from_member: int,
    to_member: int,
    at: datetime,
    program_version: int,
    sequence: int = 0,
    lots: Sequence[Sequence[Any]] = (),
) -> tuple[Entry, Entry]:
    """The two entries that move a whole balance when two people turn out to be one: out of the first, into the second.

    ``lots`` are the ages of the points (``loyalty.core.lots.carried``): they grow no younger by moving.
    """

    def entry(rule: str, signed: int, why: Mapping[str, Any]) -> Entry:
        return Entry(
            kind=ledger.TRANSFER,
            points=signed,
            source=Source("merge", f"{from_member}-{to_member}"),
            rule=rule,
            sequence=sequence,
            program_version=program_version,
            reason="Accounts merged",
            why={"from_member": from_member, "to_member": to_member, **why},
            occurred_at=at,
        )

    return entry("merge_out", -points, {}), entry("merge_in", points, {"lots": list(lots)} if lots else {})


def _given(
    standing: Standing, way: str, occasion: Occasion, program: Program, *, at: datetime, history: bool
) -> Decision:
    """The points of the first rule that gives any: nobody asked, so nobody has to be told why not."""
    rules, member = program.actions(way), replace_guest(standing)
    if not rules or any(standing.of_source(occasion.source)):
        return NOTHING  # it was decided about before, by whichever rule
    for rule in rules:
        try:
            return decide_occasion(member, rule, occasion, program, at=at, history=history)
        except ActionRefused:
            continue
    return NOTHING


def replace_guest(standing: Standing) -> Standing:
    """The standing as that of a member: whoever makes an account is one from this moment."""
    return Standing(
        name=standing.name,
        joined_at=standing.joined_at,
        is_guest=False,
        balance=standing.balance,
        tier=standing.tier,
        awards=standing.awards,
    )
