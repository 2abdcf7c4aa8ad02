"""Rewards that are store credit: money that Shopify pays as often as it is asked, without a mark of who asked.

So nothing is ever paid twice on a guess. Before the first asking it is written down what the customer's newest credit was. When a reply
is lost, the credits that came after that one say whether ours is among them: one of the same amount, end and time is ours; none, after a
while, means that it was not paid, and it is asked for again; several can only be told apart by a person, to whom it is left. One credit
of a customer at a time, or two of ours could not be told apart either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from loyalty.delivery import Later, Outcome, Refused
from loyalty.models import RewardIssue
from loyalty.redemption import LONGEST_ISSUING, NOT_IN_TIME, credit_may_be_paid, leave_to_a_person
from loyalty.runtime import Runtime
from shopify_app import documents
from shopify_app.admin_api import ACCESS_DENIED, AdminClient, Answer
from shopify_app.discounts.inputs import instant
from shopify_app.errors import RequestInvalid, Unreachable
from shopify_app.gids import gid
from shopify_app.reward_outcomes import error_codes, failed, issued, later_by

# An asking that was lost on its way is carried out within this time, or never.
SETTLED_AFTER = timedelta(seconds=90)
# Our clock and Shopify's may differ, and an asking may have taken its time.
_WINDOW = timedelta(minutes=10)
_BEHIND_ANOTHER = 30.0


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit that a customer was given. ``by_hand``: it is neither a refund nor a payment that was returned."""

    id: str
    amount: Decimal
    created_at: datetime
    expires_at: datetime | None
    by_hand: bool = True


class _Denied(Exception):
    """The app may not read store credit."""


def pay(
    api: AdminClient,
    runtime: Runtime,
    row: RewardIssue,
    customer_id: int | None,
    *,
    attempt: int,
) -> Outcome:
    """Make sure that the credit is paid, once. Raises ``ShopifyError`` when nothing can be said about it yet."""
    now = runtime.clock()
    if row.failure is not None:
        return Refused(row.failure)
    if customer_id is None:
        return (
            failed(row, "no_customer", now) if row.asked_at is None else _unclear(runtime, row, "no_customer")
        )
    try:
        history = _credits(api, customer_id, row.currency)
    except _Denied:
        if row.asked_at is None:
            # Without reading there is no finding out afterwards, so nothing is paid.
            return failed(row, "access_denied", now)
        return _unclear(runtime, row, "credits_cannot_be_read")
    if row.asked_at is None:
        return _ask(api, runtime, row, customer_id, history, attempt=attempt)
    return _reconcile(api, runtime, row, customer_id, history, attempt=attempt)


def credits_of(row: RewardIssue, history: Sequence[Credit]) -> list[Credit]:
    """Those credits, of the newest first, that this reward's asking may have made."""
    assert row.asked_at is not None
    found = []
    for credit in history:
        if credit.id == row.asked_after:
            break
        same_end = _same_instant(credit.expires_at, row.expires_at)
        alike = credit.by_hand and credit.amount == row.amount and same_end
        if alike and abs(credit.created_at - row.asked_at) <= _WINDOW:
            found.append(credit)
    return found


def credit_input(row: RewardIssue) -> dict[str, Any]:
    """What is paid."""
    made: dict[str, Any] = {"creditAmount": {"amount": str(row.amount), "currencyCode": row.currency}}
    if row.expires_at is not None:
        made["expiresAt"] = instant(row.expires_at)
    return made


def _ask(
    api: AdminClient,
    runtime: Runtime,
    row: RewardIssue,
    customer_id: int,
    history: Sequence[Credit],
    *,
    attempt: int,
) -> Outcome:
    now, newest = runtime.clock(), history[0].id if history else ""
    with runtime.transaction() as session:
        may = credit_may_be_paid(session, row.shop_id, row.id, after=newest, now=now)
    if not may:
        return Later(_BEHIND_ANOTHER, "another_credit_is_under_way", counts=False)
    variables = {"customer": gid("Customer", customer_id), "credit": credit_input(row)}
    try:
        answer = api.mutate(documents.STORE_CREDIT_GIVE, variables, idempotent=False)
    except Unreachable as lost:
        wait = max(SETTLED_AFTER.total_seconds(), later_by(attempt))
        return Later(wait, f"lost:{lost.reason}", lost.status)
    except RequestInvalid as refusal:
        denied = ACCESS_DENIED in refusal.reason
        return failed(row, "access_denied" if denied else refusal.reason.lower(), now)
    return _judge(row, answer, now)


def _judge(row: RewardIssue, answer: Answer, now: datetime) -> Outcome:
    payload = answer.data.get("storeCreditAccountCredit") or {}
    codes = error_codes(payload)
    if codes:
        return failed(row, ",".join(codes).lower(), now)
    transaction = payload.get("storeCreditAccountTransaction")
    if transaction:
        return issued(row, transaction["id"], now)
    if ACCESS_DENIED in answer.errors:
        return failed(row, "access_denied", now)
    # Neither paid nor refused: the next attempt looks whether it was paid.
    return Later(SETTLED_AFTER.total_seconds(), ",".join(answer.errors) or "no_answer", 200)


def _reconcile(
    api: AdminClient,
    runtime: Runtime,
    row: RewardIssue,
    customer_id: int,
    history: Sequence[Credit],
    *,
    attempt: int,
) -> Outcome:
    """It was asked for, and nobody knows what came of it: look before anything is paid again."""
    assert row.asked_at is not None
    now, found = runtime.clock(), credits_of(row, history)
    if len(found) == 1:
        return issued(row, found[0].id, now)
    if found:
        return _unclear(runtime, row, "several_credits_alike")
    settles_in = (row.asked_at + SETTLED_AFTER - now).total_seconds()
    if settles_in > 0:
        return Later(settles_in, "not_settled_yet", counts=False)
    if row.given_for is None and now - row.created_at > LONGEST_ISSUING:
        return failed(row, NOT_IN_TIME, now)
    return _ask(api, runtime, row, customer_id, history, attempt=attempt)


def _unclear(runtime: Runtime, row: RewardIssue, reason: str) -> Outcome:
    with runtime.transaction() as session:
        leave_to_a_person(session, row.shop_id, row.id, reason)
    return Refused(reason)


def _credits(api: AdminClient, customer_id: int, currency: str) -> list[Credit]:
    """What the customer was credited in a currency, the newest first. Raises ``_Denied`` or ``ShopifyError``."""
    try:
        answer = api.query(documents.STORE_CREDITS, {"customer": gid("Customer", customer_id)})
    except RequestInvalid as refusal:
        if ACCESS_DENIED in refusal.reason:
            raise _Denied from None
        raise
    if ACCESS_DENIED in answer.errors:
        raise _Denied
    if answer.errors:
        raise Unreachable("look_up_refused", status=200)
    accounts = ((answer.data.get("customer") or {}).get("storeCreditAccounts") or {}).get("nodes") or ()
    nodes = [
        node
        for account in accounts
        if account["balance"]["currencyCode"] == currency
        for node in account["transactions"]["nodes"]
        if node
    ]
    return sorted((_credit(node) for node in nodes), key=lambda credit: credit.created_at, reverse=True)


def _credit(node: Mapping[str, Any]) -> Credit:
    ends = node.get("expiresAt")
    return Credit(
        id=node["id"],
        amount=Decimal(str(node["amount"]["amount"])),
        created_at=datetime.fromisoformat(node["createdAt"]).astimezone(UTC),
        expires_at=datetime.fromisoformat(ends).astimezone(UTC) if ends else None,
        by_hand=node["event"] == "ADJUSTMENT",
    )


def _same_instant(one: datetime | None, other: datetime | None) -> bool:
    """Whether two ends are the same; Shopify keeps whole seconds."""
    if one is None or other is None:
        return one is other
    return abs(one - other) < timedelta(seconds=1)
