"""Reviews: which of them earn, by which rule, and when their points go back."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from loyalty.core.decide.decision import NOTHING, Decision
from loyalty.core.decide.orders import may_earn
from loyalty.core.decide.posting import Change, Gathered, new_award
from loyalty.core.facts import ReviewSeen
from loyalty.core.ledger import Source
from loyalty.core.limits import allows
from loyalty.core.moments import day_of
from loyalty.core.program import REVIEW_WAYS, ActionRule, Program
from loyalty.core.standing import Award, Standing

_SAYS_MOST = ("review", "photo_review", "video_review")
EARNING_REVIEW_KINDS = frozenset({"review", "rating"})


def review_source(review_id: str) -> Source:
    """What the points of a review come from."""
    return Source("review", review_id)


def review_problem(fact: ReviewSeen) -> str | None:
    """Why a review earns nothing, or None when it earns. Stars only, text, photo and video count alike."""
    if not fact.verified:
        return "not_verified"
    if fact.kind not in EARNING_REVIEW_KINDS:
        return "not_a_product_review"
    if fact.status == "rejected":
        return "rejected"
    return None


def decide_review(standing: Standing, fact: ReviewSeen, program: Program, *, at: datetime) -> Decision:
    """A verified review earns once, by the richest rule that applies to it: a photo that is added later earns the difference. One
    that is rejected later gives its points back, even when the rules are off by then."""
    problem, source = review_problem(fact), review_source(fact.review_id)
    given = {award.rule: award for award in standing.of_source(source)}
    best = None if problem else _best(standing, fact, program)
    if problem is None and best is None:
        return NOTHING  # a rule that was switched off takes nothing back
    if best is not None and any(
        award.worth and (award.rule == best.key or award.worth >= best.points) for award in given.values()
    ):
        return NOTHING  # a rule that was made dearer does not pay twice
    changes: list[tuple[Award, int]] = [
        (award, 0) for award in given.values() if award.worth and (best is None or award.rule != best.key)
    ]
    if best is not None:
        fresh, before = new_award(source, best, program, occurred_at=fact.submitted_at), given.get(best.key)
        changes.append((replace(before, program_version=program.version) if before else fresh, best.points))
    gathered = Gathered(standing.balance)
    why = {"review_kind": fact.kind, "rating": fact.rating, "status": fact.status}
    said = {"review_kind": fact.kind, "rating": fact.rating}
    for award, worth in changes:
        happened = fact.submitted_at if worth and not award.postings else fact.seen_at
        because = "Review rejected" if problem == "rejected" else "Review changed"
        gathered.change(award, Change(worth, happened, why, because), at=at, extra=said)
    return gathered.decision()


def _best(standing: Standing, fact: ReviewSeen, program: Program) -> ActionRule | None:
    """The richest rule; of equally rich ones the one that says most of the review, because flows begin with what it was."""
    rules = list(_applying(standing, fact, program))
    return max(rules, key=lambda rule: (rule.points, _SAYS_MOST.index(rule.way)), default=None)


def _applying(standing: Standing, fact: ReviewSeen, program: Program) -> Iterator[ActionRule]:
    day = day_of(fact.submitted_at, program.timezone)
    source = review_source(fact.review_id)
    for rule in program.rules(*REVIEW_WAYS):
        others = [award.occurred_at for award in standing.by_rule(rule.key) if award.source != source]
        if (
            isinstance(rule, ActionRule)
            and _shows(rule.way, fact)
            and rule.schedule.holds(day)
            and (not rule.tiers or standing.tier in rule.tiers)
            and may_earn(standing, rule.guests, program, fact.submitted_at)
            and allows(rule.limit, others, fact.submitted_at, program.timezone)
        ):
            yield rule


def _shows(way: str, fact: ReviewSeen) -> bool:
    if way == "video_review":
        return fact.has_video
    return way == "review" or fact.has_media
