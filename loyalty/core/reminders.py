"""Telling members of what they have: points to spend once per period, and rewards before they end."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty.core.decide import NOTHING, Decision, reminds_at
from loyalty.core.moments import after_quiet, day_of, next_period, period_start, start_of
from loyalty.core.news import BALANCE_REMINDER, News
from loyalty.core.program import BalanceReminder, Program
from loyalty.core.standing import OpenIssue, Standing


def next_balance_reminder(standing: Standing, program: Program, after: datetime) -> datetime | None:
    """When the member is next told of points to spend; None when there are too few. Whoever bought in a period is left in peace."""
    reminder, zone = program.balance_reminder, program.timezone
    if reminder is None or standing.balance < max(reminder.minimum, 1):
        return None
    if reminder.every == "idle":
        return _next_idle(standing, reminder, after, zone)
    bought = standing.last_order_at
    day = day_of(after, zone)
    if bought is not None and bought > after:
        day = max(day, day_of(bought, zone))
    while True:
        begins = period_start(day, reminder.every)
        moment = start_of(begins, zone, hour=reminder.hour)
        before = start_of(period_start(begins - timedelta(days=1), reminder.every), zone, hour=reminder.hour)
        if moment > after and (bought is None or bought <= before):
            return moment
        day = next_period(day, reminder.every)


def decide_balance_reminder(standing: Standing, program: Program, at: datetime) -> Decision:
    """Tell the member of the points there are, if this is the moment for it."""
    reminder = program.balance_reminder
    if reminder is None or next_balance_reminder(standing, program, at - timedelta(microseconds=1)) != at:
        return NOTHING
    last = standing.last_activity_at
    period = _period(day_of(at, program.timezone), reminder.every)
    properties = {
        "points_balance": standing.balance,
        "every": reminder.every,
        "period": period,
        **({"last_activity_at": last.isoformat()} if last else {}),
        **({"expires_at": standing.expires_at.isoformat()} if standing.expires_at else {}),
    }
    return Decision(news=(News(BALANCE_REMINDER, properties, at, subject=period),))


def sent_from(program: Program, at: datetime) -> datetime:
    """From when on a balance reminder may be sent that is ready at an instant: then, or when the quiet hours end."""
    reminder = program.balance_reminder
    if reminder is None:
        return at
    return after_quiet(at, program.timezone, begins=reminder.quiet_from, ends=reminder.quiet_until)


def next_issue_moment(standing: Standing, program: Program, after: datetime) -> datetime | None:
    """When one of the member's rewards next ends, or is to be announced to end."""
    moments = [moment for issue in standing.issues for moment in _moments(issue, program) if moment > after]
    return min(moments, default=None)


def decide_issues(standing: Standing, program: Program, at: datetime) -> Decision:
    """Say which rewards have ended, and which will soon. What is told of them is the business of those who know the whole reward."""
    if not standing.issues:
        return NOTHING
    ended = tuple(issue.id for issue in standing.issues if issue.expires_at <= at)
    ending = tuple(issue.id for issue in standing.issues if _reminder(issue, program) == at)
    return Decision(ended=ended, ending=ending)


def _moments(issue: OpenIssue, program: Program) -> tuple[datetime, ...]:
    reminder = _reminder(issue, program)
    return (issue.expires_at,) if reminder is None else (reminder, issue.expires_at)


def _reminder(issue: OpenIssue, program: Program) -> datetime | None:
    """When the end of a reward is announced; never for one that was issued on that day or later."""
    moment = reminds_at(issue.expires_at, program)
    if moment is None or moment <= issue.issued_at or moment >= issue.expires_at:
        return None
    return moment


def _next_idle(
    standing: Standing, reminder: BalanceReminder, after: datetime, zone: ZoneInfo
) -> datetime | None:
    """Every ``idle_days`` since the member was last seen doing something."""
    known = [at for at in (standing.last_activity_at, standing.last_order_at) if at is not None]
    since = max(known, default=standing.joined_at)
    if since is None:
        return None
    first = day_of(since, zone)
    times = max((day_of(after, zone) - first).days // reminder.idle_days, 1)
    while True:
        moment = start_of(first + timedelta(days=times * reminder.idle_days), zone, hour=reminder.hour)
        if moment > after:
            return moment
        times += 1


def _period(day: date, every: str) -> str:
    """The name of the period that a reminder is for."""
    if every == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    return f"{day.year}-{day.month:02}" if every == "month" else f"idle:{day.isoformat()}"
