"""``flask referrals``: what became of every friend that a member brought, and what each check said of it."""

from typing import Any

import click
from flask.cli import AppGroup

from commands.output import as_json, find_shop, house, shop_option, show, show_one
from loyalty.core.decide.referrals import STATES
from loyalty.models import Referral
from loyalty.statement import referrals as statement
from loyalty.statement.keyset import Cursor
from loyalty.statement.members import MemberRow
from loyalty.statement.referrals import ReferralRow
from shopify_app.admin.referral_words import checks, reason

_NUMBER = click.IntRange(min=1, max=2**63 - 1)

referrals = AppGroup("referrals", help="Friends that members brought.")


@referrals.command("list")
@shop_option()
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--before", type=_NUMBER, help="Only those before this number: the next page.")
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=500),
    default=50,
    show_default=True,
    help="How many at most.",
)
@as_json
def list_referrals(domain: str, state: str | None, before: int | None, limit: int, *, as_json: bool) -> None:
    """List a store's referrals, the newest first, each with its state and the reason for it."""
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        page = statement.referrals_page(
            session,
            shop.id or 0,
            state=state or "",
            cursor=Cursor((before,)) if before else None,
            limit=limit,
        )
    show([_line(row) for row in page.rows], as_json=as_json)
    if page.older is not None and not as_json:
        click.echo(f"More: --before {page.older.key[0]}")


@referrals.command("show")
@shop_option()
@click.argument("number", type=_NUMBER)
@as_json
def show_referral(domain: str, number: int, *, as_json: bool) -> None:
    """Show one referral: everything that happened to it, what staff said, and what each check found."""
    with house().runtime.reading() as session:
        shop = find_shop(session, domain)
        row = statement.referral(session, shop.id or 0, number)
    if row is None:
        raise click.ClickException(
            f"there is no referral {number}; `flask referrals list` shows which there are"
        )
    found = [
        {"check": each["check"], **told}
        for each, told in zip(row.referral.checks, checks(row.referral), strict=True)
    ]
    if as_json:
        show_one(_whole(row) | {"checks": found}, as_json=True)
        return
    show_one(_whole(row), as_json=False)
    click.echo()
    show(found, as_json=False)


def _line(row: ReferralRow) -> dict[str, Any]:
    referral = row.referral
    return {
        "referral": referral.id,
        "state": referral.state,
        "reason": referral.reason or None,
        "ruling": referral.ruling or None,
        "friend": _person(row.friend),
        "brought_by": _person(row.advocate),
        "points": row.points,
        "since": _instant(referral, "claimed_at") or _instant(referral, "created_at"),
    }


def _whole(row: ReferralRow) -> dict[str, Any]:
    referral = row.referral
    moments = ("shared_at", "claimed_at", "ordered_at", "due_at", "completed_at")
    return {
        "referral": referral.id,
        "state": referral.state,
        "reason": referral.reason or None,
        "meaning": reason(referral) or None,
        "friend": _person(row.friend),
        "brought_by": _person(row.advocate),
        "points": row.points,
        "program": referral.program_version,
        "order": referral.order_id,
        **{name: _instant(referral, name) for name in moments},
        "ruling": referral.ruling or None,
        "ruled_by": referral.ruled_by or None,
        "ruled_at": _instant(referral, "ruled_at"),
    }


def _person(member: MemberRow | None) -> str | None:
    """By their address where there is one: that is what the other commands ask for."""
    return None if member is None else member.email or member.title


def _instant(referral: Referral, name: str) -> str | None:
    at = getattr(referral, name)
    return at.isoformat(timespec="seconds") if at is not None else None
