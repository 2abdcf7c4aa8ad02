"""Lets time do its work on members whose rows are locked: whatever the calendar brings up to an instant, each thing as of its own.

What is told long after its moment is told as history, so that nobody is warned today of what ended last week.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import col, select

from loyalty.book import Account, Book
from loyalty.book.reading import read_open_issues
from loyalty.book.records import ALIVE
from loyalty.core.calendar import Era, settle
from loyalty.core.decide import Decision
from loyalty.core.news import BALANCE_REMINDER, EXPIRING, News
from loyalty.core.program import Program
from loyalty.core.reminders import sent_from
from loyalty.core.standing import OpenIssue
from loyalty.models import ProgramVersion, RewardIssue
from loyalty.points.following import follow
from loyalty.redemption import expire, remind

# These announce something. Whoever hears of them later than this is misled rather than warned.
_ANNOUNCEMENTS = frozenset({EXPIRING, BALANCE_REMINDER})
_TOO_LATE = timedelta(hours=36)


def catch_up(book: Book, accounts: Iterable[Account]) -> None:
    """Settle those of the accounts for whom something was due by now, before anything else is decided about them."""
    due = [one for one in accounts if one.calendar_due is not None and one.calendar_due <= book.now]
    settle_accounts(book, due, book.now)


def settle_accounts(book: Book, accounts: Sequence[Account], until: datetime) -> None:
    """Let everything happen to these members that time brings up to ``until``. Those who are gone are left in peace."""
    alive = [one for one in accounts if one.merged_into is None and one.state in ALIVE and one.id is not None]
    if not alive:
        return
    eras = _eras(book, min(one.calendar_at or until for one in alive), until)
    book.load_history(alive)
    if any(era.program.expiry and era.program.expiry.kind == "age" for era in eras):
        book.load_entries(alive)
    issues = read_open_issues(book.session, [one.id for one in alive if one.id is not None])
    for account in alive:
        account.issues = issues.get(account.id or 0, [])
        _settle(book, account, eras, until)


def _settle(book: Book, account: Account, eras: Sequence[Era], until: datetime) -> None:
    def carry_out(decision: Decision, program: Program, at: datetime) -> None:
        follow(book, account, _said_in_time(decision, program, book.now), program)
        for issue_id in decision.ending:
            remind(book, _issue(book, issue_id), at)
        for issue_id in decision.ended:
            expire(book, _issue(book, issue_id), at)
        account.issues = [issue for issue in account.issues if _goes_on(issue, decision)]

    settle(account, eras, until, carry_out)
    # The outlook counts from here: what comes after ``until`` is not done yet, even if that lies behind.
    account.calendar_due = account.calendar_at
    account.changed = True


def _goes_on(issue: OpenIssue, decision: Decision) -> bool:
    return issue.id not in decision.ended


def _issue(book: Book, issue_id: str) -> RewardIssue:
    return book.session.get_one(RewardIssue, issue_id)


def _said_in_time(decision: Decision, program: Program, now: datetime) -> Decision:
    """The decision, with announcements that come too late as history (recorded, but they start no flow), and reminders out of the quiet
    hours."""
    if not any(news.kind in _ANNOUNCEMENTS for news in decision.news):
        return decision
    return replace(decision, news=tuple(_in_time(news, program, now) for news in decision.news))


def _in_time(news: News, program: Program, now: datetime) -> News:
    if news.kind in _ANNOUNCEMENTS and news.occurred_at < now - _TOO_LATE:
        return replace(news, history=True)
    return replace(news, not_before=sent_from(program, now)) if news.kind == BALANCE_REMINDER else news


def _eras(book: Book, since: datetime, until: datetime) -> list[Era]:
    """The versions that were in force from ``since`` to ``until``, from the oldest."""
    versions = book.session.execute(
        select(ProgramVersion.created_at, ProgramVersion.version)
        .where(ProgramVersion.shop_id == book.shop_id)
        .order_by(col(ProgramVersion.version))
    ).all()
    begun = [row for row in versions if row[0] <= since] or [versions[0]]
    later = [row for row in versions if since < row[0] <= until and row[1] != begun[-1][1]]
    return [Era(at, book.program_at(version)) for at, version in (begun[-1], *later)]
