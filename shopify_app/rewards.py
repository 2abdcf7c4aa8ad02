"""Carries out what the outbox asks about rewards: each kind in its own way, and before anything is asked the reward has its code."""

from zoneinfo import ZoneInfo

from loyalty import programs
from loyalty.core.document import ProgramInvalid
from loyalty.delivery import Delivered, Dropped, Message, Outcome
from loyalty.models import RewardIssue, Shop
from loyalty.programs import NoProgram
from loyalty.redemption import DEACTIVATE_CODE, ISSUE_REWARD, name_code
from loyalty.runtime import Runtime
from shopify_app import discounts, gift_cards, store_credit
from shopify_app.admin_api import AdminClient
from shopify_app.reward_codes import code_of
from shopify_app.reward_outcomes import failed

KINDS = (ISSUE_REWARD, DEACTIVATE_CODE)
_ENDING = ("cancelling", "failed")


def deliver(api: AdminClient, runtime: Runtime, shop_id: int, message: Message) -> Outcome:
    """Make a reward, or end one. Raises ``ShopifyError``."""
    with runtime.reading() as session:
        row, shop = session.get(RewardIssue, str(message.payload["issue_id"])), session.get(Shop, shop_id)
    if row is None or shop is None or row.shop_id != shop_id:
        return Dropped("no_such_reward")
    if message.kind == DEACTIVATE_CODE:
        return _end(api, runtime, row, message)
    if row.state != "issuing":
        return Delivered()
    try:
        _name(runtime, shop, row)
        return _make(api, runtime, row, message)
    except ProgramInvalid:
        return failed(row, "terms_not_understood", runtime.clock())


def _make(api: AdminClient, runtime: Runtime, row: RewardIssue, message: Message) -> Outcome:
    customer_id = message.recipient.customer_id if message.recipient else None
    attempt, now = message.attempts, runtime.clock()
    match row.kind:
        case "store_credit":
            return store_credit.pay(api, runtime, row, customer_id, attempt=attempt)
        case "gift_card":
            zone = _timezone(runtime, row)
            return gift_cards.issue(api, row, customer_id, timezone=zone, attempt=attempt, now=now)
    return discounts.issue(api, row, customer_id, attempt=attempt, now=now)


def _end(api: AdminClient, runtime: Runtime, row: RewardIssue, message: Message) -> Outcome:
    attempt, now = message.attempts, runtime.clock()
    if row.state not in _ENDING or row.kind == "store_credit":
        return Delivered()
    if row.kind == "gift_card":
        return gift_cards.deactivate(api, row, attempt=attempt, now=now)
    return discounts.deactivate(api, row, attempt=attempt, now=now)


def _name(runtime: Runtime, shop: Shop, row: RewardIssue) -> None:
    """Give the reward its code, which is written down before Shopify hears of it."""
    if row.code is not None:
        return
    code = code_of(runtime.cipher, shop, row)
    if code is not None:
        with runtime.transaction() as session:
            name_code(session, row.shop_id, row.id, code)
        row.code = code


def _timezone(runtime: Runtime, row: RewardIssue) -> ZoneInfo:
    """The shop's calendar when the reward was had."""
    with runtime.reading() as session:
        try:
            return programs.at_version(session, row.shop_id, row.program_version).timezone
        except NoProgram:
            return ZoneInfo("UTC")
