"""Carries the outbox's messages to Shopify. Whatever happens becomes an outcome; nothing is raised and nothing stays unknown.

When the trouble is the shop's or the network's and not a message's, the rest of the batch is not tried: it would fare no better.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import requests
import structlog
from sqlmodel import Session

from loyalty import outbox
from loyalty.delivery import Delivered, Dropped, Later, Message, Outcome, Refused
from loyalty.encryption import SealBroken
from loyalty.runtime import Runtime
from shopify_app import metafields, rewards
from shopify_app.admin_api import AdminClient
from shopify_app.config import ShopifyConfig
from shopify_app.confirming import confirm_installed
from shopify_app.consent import REREAD_CUSTOMER, reread_customer
from shopify_app.errors import (
    ConfigurationWrong,
    NeedsReauthorization,
    NotInstalled,
    RequestInvalid,
    ShopifyError,
    ShopUnavailable,
    Throttled,
    TokenBusy,
)
from shopify_app.granting import READ_UNREADABLE, read_unreadable
from shopify_app.lifecycle import ALL_BALANCES, CONFIRM_INSTALLED, SHOP_DETAILS
from shopify_app.reread import reread
from shopify_app.reward_outcomes import later_by
from shopify_app.shop_details import read_details

# A shopper waits for a reward's code; nobody waits for a metafield.
_ORDER = (
    "issue_reward",
    "deactivate_code",
    outbox.REREAD_ORDER,
    REREAD_CUSTOMER,
    CONFIRM_INSTALLED,
    SHOP_DETAILS,
    "program_metafield",
    READ_UNREADABLE,
    ALL_BALANCES,
    "balance_metafield",
)
_HOUR = 3600.0

log = structlog.get_logger(__name__)


class ShopifySender:
    """The ``loyalty.delivery.Sender`` of a channel to Shopify: of rewards, or of everything else."""

    batch_size = 50

    def __init__(
        self,
        runtime: Runtime,
        config: ShopifyConfig,
        session: requests.Session,
        *,
        channel: str = outbox.SHOPIFY,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.channel = channel
        self._runtime = runtime
        self._config = config
        self._session = session
        self._monotonic = monotonic

    def send(self, shop_id: int, messages: Sequence[Message]) -> Mapping[int, Outcome]:
        """An outcome for every message."""
        api = AdminClient(self._runtime, self._config, shop_id, self._session)
        until = self._monotonic() + self._runtime.step_seconds
        outcomes: dict[int, Outcome] = {}
        stopped: Later | None = None
        for group in _groups(messages):
            if stopped is None and self._monotonic() > until:
                stopped = Later(0.0, "out_of_time", counts=False)
            if stopped is not None:
                outcomes |= dict.fromkeys((message.id for message in group), stopped)
                continue
            try:
                outcomes |= self._deliver(api, shop_id, group)
            except ShopifyError as error:
                outcomes |= {message.id: outcome_of(error, message.attempts) for message in group}
                stopped = _stop(error)
            except SealBroken:
                log.critical("sealed_value_cannot_be_opened", shop_id=shop_id)
                stopped = Later(_HOUR, "sealed_value_cannot_be_opened", counts=False)
                outcomes |= dict.fromkeys((message.id for message in group), stopped)
        return outcomes

    def _deliver(self, api: AdminClient, shop_id: int, group: Sequence[Message]) -> Mapping[int, Outcome]:
        first = group[0]
        if first.kind == "balance_metafield":
            return metafields.write_balances(api, group)
        outcome = self._outcome(api, shop_id, first)
        # The others of the group ask for the same thing, which has just been done. What was learned is told once.
        same = replace(outcome, facts=()) if isinstance(outcome, Delivered | Dropped) else outcome
        return {message.id: outcome if message is first else same for message in group}

    def _outcome(self, api: AdminClient, shop_id: int, message: Message) -> Outcome:
        match message.kind:
            case kind if kind in rewards.KINDS:
                return rewards.deliver(api, self._runtime, shop_id, message)
            case outbox.REREAD_ORDER:
                is_history = bool(message.payload.get("history", False))
                order_id = int(message.payload["order_id"])
                return reread(api, order_id, history=is_history, attempt=message.attempts)
            case kind if kind == REREAD_CUSTOMER:
                return reread_customer(api, int(message.payload["customer_id"]))
            case "program_metafield":
                return metafields.write_program(api, self._runtime, shop_id, attempt=message.attempts)
            case kind if kind in (ALL_BALANCES, READ_UNREADABLE):
                with self._runtime.transaction() as session:
                    _queue_more(session, shop_id, message, now=self._runtime.clock())
                return Delivered()
            case kind if kind == SHOP_DETAILS:
                read_details(self._runtime, self._config, shop_id, self._session)
                return Delivered(200)
            case kind if kind == CONFIRM_INSTALLED:
                erase = bool(message.payload.get("erase", False))
                return confirm_installed(api, self._runtime, shop_id, erase=erase)
        return Refused(f"unknown kind {message.kind}")


def _queue_more(session: Session, shop_id: int, message: Message, *, now: datetime) -> None:
    """What stands for many messages becomes them."""
    if message.kind == ALL_BALANCES:
        outbox.tell_balances(session, shop_id, occasion=f"all:{message.id}", now=now)
    else:
        occasion, after = str(message.payload["occasion"]), int(message.payload["after"])
        read_unreadable(session, shop_id, occasion, after=after, now=now)


def outcome_of(error: ShopifyError, attempt: int) -> Outcome:
    """What an error means for the message that met it."""
    match error:
        case Throttled(seconds=seconds):
            return Later(seconds, error.reason, error.status, counts=False)
        case TokenBusy():
            return Later(1.0, error.reason, counts=False)
        case NeedsReauthorization() | NotInstalled() | ConfigurationWrong():
            return Later(_HOUR, error.reason, error.status, counts=False)
        case ShopUnavailable():
            return Later(900.0, error.reason, error.status, counts=False)
        case RequestInvalid():
            return Refused(error.reason, error.status)
    return Later(later_by(attempt), error.reason, error.status)


def _stop(error: ShopifyError) -> Later | None:
    """Why the rest of the batch has to wait; None when the error was the message's own."""
    if isinstance(error, RequestInvalid):
        return None
    outcome = outcome_of(error, 1)
    seconds = outcome.seconds if isinstance(outcome, Later) else 1.0
    return Later(seconds, error.reason, error.status, counts=False)


def _groups(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """The messages in the order of their urgency; those that ask for the same thing stand together."""
    groups: dict[tuple[int, object], list[Message]] = {}
    members: dict[object, int] = {}
    for message in messages:
        rank = _ORDER.index(message.kind) if message.kind in _ORDER else len(_ORDER)
        if message.kind == "balance_metafield":
            member = message.recipient.member_id if message.recipient else message.id
            page = members.setdefault(member, len(members)) // metafields.MOST_AT_ONCE
            key: object = page
        else:
            key = (message.kind, *sorted(message.payload.items()))
        if message.kind == "program_metafield":
            key = message.kind
        groups.setdefault((rank, key), []).append(message)
    for _, group in sorted(groups.items(), key=lambda item: item[0][0]):
        yield group
