"""Brings what was posted for an award to what it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.core import ledger
from loyalty.core.decide.decision import NOTHING, Decision
from loyalty.core.ledger import Entry, Source
from loyalty.core.moments import next_midnight
from loyalty.core.news import News, entry_news
from loyalty.core.program import Program, Rule
from loyalty.core.standing import Award, Standing


@dataclass(frozen=True, slots=True)
class Change:
    """How an award changes: what it is worth from now on, when that became so, and what the customer reads when points are taken back."""

    worth: int
    at: datetime
    why: Mapping[str, Any]
    taken_because: str


def new_award(
    source: Source, rule: Rule, program: Program, *, occurred_at: datetime, slot: str = "", title: str = ""
) -> Award:
    """An award that is worth nothing yet."""
    return Award(
        source=source,
        rule=rule.key,
        way=rule.way,
        title=title or rule.title,
        worth=0,
        occurred_at=occurred_at,
        program_version=program.version,
        release_at=release_at(rule.hold_days, occurred_at, program.timezone),
        slot=slot,
    )


def release_at(hold_days: int, occurred_at: datetime, zone: ZoneInfo) -> datetime | None:
    """When points can be spent: at the shop's midnight after the days are over. None: at once."""
    return next_midnight(occurred_at + timedelta(days=hold_days), zone) if hold_days else None


def change(
    balance: int,
    award: Award,
    to: Change,
    *,
    at: datetime,
    history: bool = False,
    extra: Mapping[str, Any] | None = None,
    is_told: bool = True,
) -> tuple[Award, tuple[Entry, ...], tuple[News, ...]]:
    """The award as it is after a change, with the entry (and its news, if anybody ``is_told``) that brings the ledger to it; none while it
    is held. ``balance`` is what there is before."""
    difference = to.worth - award.posted
    if difference == 0 or award.is_held(at):
        return replace(award, worth=to.worth, why=dict(to.why)), (), ()
    gives = difference > 0
    entry = Entry(
        kind=ledger.EARN if gives else ledger.REVERSE,
        points=difference,
        source=award.source,
        rule=award.rule,
        sequence=award.postings,
        program_version=award.program_version,
        reason=award.title if gives else to.taken_because,
        why={**to.why, "worth": to.worth, "already": award.posted},
        occurred_at=to.at,
    )
    changed = replace(award, worth=to.worth, why=dict(to.why), posted=to.worth, postings=award.postings + 1)
    if not is_told:
        return changed, (entry,), ()
    said = {"way": award.way, **(extra or {})}
    news = entry_news(entry, balance=balance + difference, extra=said, history=history)
    return changed, (entry,), (news,)


def release(
    standing: Standing, award: Award, *, at: datetime
) -> tuple[Award, tuple[Entry, ...], tuple[News, ...]]:
    """Post what was held, at the moment of its release. ``at`` is not before ``award.release_at``."""
    assert award.release_at is not None
    to = Change(award.worth, award.release_at, award.why, "")
    return change(standing.balance, award, to, at=at)


@dataclass(slots=True)
class Gathered:
    """What was decided so far of several awards, one after the other; ``balance`` is what there is after it, ``is_told`` whether anybody
    hears of it."""

    balance: int
    is_told: bool = True
    awards: list[Award] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    news: list[News] = field(default_factory=list)

    def change(
        self,
        award: Award,
        to: Change,
        *,
        at: datetime,
        history: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Bring one more award to another worth."""
        changed, posted, told = change(
            self.balance, award, to, at=at, history=history, extra=extra, is_told=self.is_told
        )
        self.awards.append(changed)
        self.entries.extend(posted)
        self.news.extend(told)
        self.balance += sum(entry.points for entry in posted)

    def decision(self, **more: Any) -> Decision:
        """All of it, and what else follows."""
        if not self.awards and not more:
            return NOTHING
        return Decision(tuple(self.entries), tuple(self.news), tuple(self.awards), **more)
