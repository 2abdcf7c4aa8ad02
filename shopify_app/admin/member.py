"""One member's page: standing, every point with its reason, rewards, what Klaviyo was told, and the form that gives or takes points."""

import re
import secrets
from collections.abc import Sequence

from flask import Blueprint, request
from flask.wrappers import Response
from sqlmodel import Session, col, select

from loyalty import outbox, programs, staff
from loyalty.core.decide import AdjustmentRefused
from loyalty.core.document import MOST_POINTS
from loyalty.core.facts import PointsAdjusted
from loyalty.core.program import Program
from loyalty.database import retry_on_conflict
from loyalty.models import Member, Shop
from loyalty.points import waits_for_a_person
from loyalty.programs import NoProgram
from loyalty.statement import members as statement
from loyalty.statement import standings
from loyalty.statement.home import points_worth
from loyalty.statement.keyset import parse_cursor
from loyalty.statement.members import EntryRow, MemberRow
from shopify_app.admin.answers import done, mistakes, refused
from shopify_app.admin.explained import Known, explain
from shopify_app.admin.member_rewards import in_words
from shopify_app.admin.member_tier import tier_in_words
from shopify_app.admin.page import Pages, points_name, program_in_force
from shopify_app.merchant import Merchant

_NOT_ADJUSTABLE = ("merged", "redacted")
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,10}")
# Control characters and separators of lines: nobody reads them, they forge lines in what is exported, and no database takes them all.
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /members/<id>`` and ``POST /members/<id>/adjust``."""

    @blueprint.get("/members/<int:member_id>")
    def show_member(member_id: int) -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            assert shop.id is not None
            found = statement.member(session, shop.id, member_id)
            if found is None:
                return pages.missing(shop, "There is no such member.", back="/members")
            return _render(pages, session, shop, found)

    @blueprint.post("/members/<int:member_id>/adjust")
    @retry_on_conflict
    def adjust_points(member_id: int) -> Response | tuple[Response, int]:
        merchant = pages.merchant()
        errors, fact = _adjustment(pages, merchant)
        if fact is None:
            return mistakes(errors)
        try:
            with pages.runtime.transaction() as session:
                shop = pages.shop(session)
                member = _member(session, shop, member_id)
                if member is None or member.state in _NOT_ADJUSTABLE:
                    return refused("This account cannot be changed.", status=404)
                channels = staff.adjust(session, shop, member, fact, now=fact.adjusted_at)
        except AdjustmentRefused as below:
            text = f"The balance is {below.balance:,}: this would take it below zero. Allow that below if you mean it."
            return mistakes({"points": text})
        except staff.AdjustmentRepeated as before:
            text = f"What you entered first is in the books: {before.points:+,}. Load the page again, then change the points once more."
            return refused(text)
        except NoProgram:
            return refused("Save the program first.")
        for channel in sorted(channels):
            pages.runtime.nudge("drain_outbox", merchant.shop_id, channel)
        return done("Points changed", redirect=pages.link(f"/members/{member_id}"))


def _render(pages: Pages, session: Session, shop: Shop, member: MemberRow) -> Response:
    assert shop.id is not None
    program = program_in_force(session, shop.id)
    formats = pages.formats(shop)
    customer = pages.in_admin(f"/customers/{member.customer_id}") if member.state == "member" else None
    ahead = standings.ahead(session, shop.id, member.id)
    entries = statement.entries_page(session, member.id, cursor=parse_cursor(request.args.get("at"), size=1))
    known = _known(session, shop.id, entries.rows)
    return pages.render(
        "admin/member.html",
        shop,
        member=member,
        ahead=ahead,
        tier=tier_in_words(ahead, program, formats),
        worth=points_worth(member.balance, program),
        points_name=points_name(program),
        entries=entries,
        rewards=statement.rewards_of(session, member.id),
        waits_for_a_person=waits_for_a_person,
        failure_in_words=in_words,
        messages=statement.messages_about(session, member.id, outbox.KLAVIYO),
        explain=lambda entry: explain(entry, formats, known),
        metric_name=lambda kind: kind.replace("_", " ").title(),
        customer_url=customer,
        adjustable=member.state not in _NOT_ADJUSTABLE and program is not None,
        # Made with the page: sending the form twice gives the points once.
        adjustment_key=secrets.token_urlsafe(18),
    )


def _known(session: Session, shop_id: int, entries: Sequence[EntryRow]) -> Known:
    """The names of what the entries speak of."""
    versions = {entry.program_version for entry in entries}
    people = {
        int(entry.why[side])
        for entry in entries
        for side in ("from_member", "to_member")
        if side in entry.why
    }
    return Known(
        programs={version: found for version in versions if (found := _version(session, shop_id, version))},
        people={each: row.title for each, row in statement.names_of(session, people).items()},
        failures=in_words,
    )


def _version(session: Session, shop_id: int, version: int) -> Program | None:
    try:
        return programs.at_version(session, shop_id, version)
    except NoProgram:
        return None


def _member(session: Session, shop: Shop, member_id: int) -> Member | None:
    return session.exec(
        select(Member).where(col(Member.id) == member_id, col(Member.shop_id) == shop.id)
    ).first()


def _adjustment(pages: Pages, merchant: Merchant) -> tuple[dict[str, str], PointsAdjusted | None]:
    form = request.form
    points, note, reason = (form.get(name, "").strip() for name in ("points", "note", "staff"))
    key = form.get("key", "")
    errors: dict[str, str] = {}
    if not _WHOLE.fullmatch(points) or not 0 < abs(int(points)) <= MOST_POINTS:
        errors["points"] = "Enter a whole number that is not 0."
    if not 0 < len(note) <= 120 or _UNREADABLE.search(note):
        errors["note"] = "Enter what the customer reads, in one line of at most 120 characters."
    if len(reason) > 300 or _UNREADABLE.search(reason.replace("\r\n", " ").replace("\n", " ")):
        errors["staff"] = "Enter a text of at most 300 characters."
    if not _KEY.fullmatch(key):
        errors["key"] = "Load the page again and repeat the change."
    if errors:
        return errors, None
    by = f"Staff member {merchant.user_id}"
    fact = PointsAdjusted(
        points=int(points),
        key=key,
        note=note,
        staff=f"{by}: {reason}" if reason else by,
        adjusted_at=pages.runtime.clock(),
        may_go_negative="may_go_negative" in form,
    )
    return {}, fact
