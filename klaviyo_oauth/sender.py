"""The outbox's ways to Klaviyo: events, and profiles that are written anew without one. A few go one by one, at once; many go in bulk.
What is refused is told apart from its neighbours, and a reply that was lost is sent for again: the unique id makes the repeat harmless.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from random import random

import requests
from redis import Redis

from klaviyo_oauth import addresses, connections, health, sampling, verdicts
from klaviyo_oauth.answers import NotConnected, Wait
from klaviyo_oauth.bulk_events import BulkEvents
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.dialects import Choice
from klaviyo_oauth.forgetting import forget
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.lane import Lane
from klaviyo_oauth.payloads import Teller
from klaviyo_oauth.profile_writes import ProfileWrites, by_member, written_by
from klaviyo_oauth.single_events import send_single
from klaviyo_oauth.standing import rewards_of, shop_view
from loyalty import outbox, silent
from loyalty.core.news import NEWS_KINDS
from loyalty.delivery import Dropped, Later, Message, Outcome, Refused
from loyalty.runtime import Runtime

# From here on one bulk request is quicker than the single ones together.
FEW = 20
# The outbox leases a batch for a minute, unless an operator says otherwise, and the last request may take 35 seconds of it.
_BUDGET = timedelta(seconds=24)
# A wait for the bulk endpoint that is longer than this is spent on single requests, for so many messages.
_LONG_WAIT = 2.0
_MOST_INSTEAD = 250
# An import job takes ten times as many profiles as a bulk request takes events; half of that is read and worded in a moment.
_BATCHES = {outbox.KLAVIYO: 1_000, outbox.PROFILES: 5_000}
_GONE_STATES = frozenset(("redacted", "merged"))


class KlaviyoSender:
    """Implements ``loyalty.delivery.Sender`` for the channels ``klaviyo`` (events) and ``klaviyo_profile``."""

    def __init__(
        self,
        runtime: Runtime,
        config: KlaviyoConfig,
        redis: Redis,
        http: requests.Session | None = None,
        *,
        channel: str = outbox.KLAVIYO,
        jitter: Callable[[], float] = random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.channel = channel
        self.batch_size = _BATCHES[channel]
        self._runtime = runtime
        self._gateway = Gateway(runtime, config, redis, http or requests.Session(), jitter=jitter)
        self._jitter = jitter
        self._monotonic = monotonic

    def send(self, shop_id: int, messages: Sequence[Message]) -> Mapping[int, Outcome]:
        """An outcome for every message, by its id. Opens short transactions of its own, never around a request."""
        nobody = self._nobody_home(shop_id)
        if nobody is not None:
            return {message.id: nobody for message in messages}
        choice = self._choice(shop_id)
        outcomes: dict[int, Outcome] = {}
        forgetting, sampled, profiles, events = [], [], [], []
        for message in messages:
            if message.kind == outbox.FORGET:
                forgetting.append(message)
            elif message.kind == sampling.KIND:
                sampled.append(message)
            elif (problem := unsendable(message)) is not None:
                outcomes[message.id] = problem
            elif message.kind == silent.KIND or not choice.names(message):
                # What the chosen dialects have no name for still changes what profiles show.
                profiles.append(message)
            else:
                events.append(message)
        stop_at = self._monotonic() + _BUDGET.total_seconds()
        outcomes |= self._lane(shop_id, stop_at, self._forget).send(forgetting)
        outcomes |= self._lane(shop_id, stop_at, self._sample).send(sampled)
        outcomes |= self._events(shop_id, choice, events, stop_at)
        outcomes |= self._profiles(shop_id, choice, profiles, written_by(events, outcomes), stop_at)
        self._want_unwritten(shop_id, events, outcomes, profiles)
        health.note(self._runtime, shop_id, outcomes.values())
        return {id_: self._spread(outcome) for id_, outcome in outcomes.items()}

    def _nobody_home(self, shop_id: int) -> Outcome | None:
        who = self._gateway.account_of(shop_id)
        if isinstance(who, Wait):
            return self._spread(Later(who.seconds, who.reason, counts=False))
        if isinstance(who, NotConnected):
            return verdicts.not_connected(who)
        return None

    def _events(
        self, shop_id: int, choice: Choice, events: Sequence[Message], stop_at: float
    ) -> dict[int, Outcome]:
        if not events:
            return {}
        teller = self._teller(shop_id, choice, events)
        singles = self._lane(
            shop_id, stop_at, lambda shop_id, message: send_single(self._gateway, shop_id, teller, message)
        )
        if len(events) <= FEW:
            return singles.send(events)
        bulk = BulkEvents(self._gateway, shop_id, teller, out_of_time=lambda: self._monotonic() >= stop_at)
        outcomes = bulk.send(events)
        # An entry is refused whole; alone, each of its names is judged by itself.
        halves = [e for e in events if isinstance(outcomes[e.id], Refused) and len(choice.names(e)) > 1]
        # Lively traffic can use up the bulk endpoint's minute; the single one has its own, so nobody needs to wait for the next.
        held_up = [event for event in events if _has_to_wait(outcomes[event.id])]
        return outcomes | singles.send([*halves, *held_up][:_MOST_INSTEAD])

    def _profiles(
        self,
        shop_id: int,
        choice: Choice,
        profiles: Sequence[Message],
        written: Mapping[int, Outcome],
        stop_at: float,
    ) -> dict[int, Outcome]:
        """Write the profiles that no event of this sending writes. ``written``: what came of those that one does."""
        alike = by_member(profiles)
        to_write = [messages[-1] for member_id, messages in alike.items() if member_id not in written]
        found: Mapping[int, Outcome] = {}
        if to_write:
            teller = self._teller(shop_id, choice, to_write)
            writes = ProfileWrites(self._runtime, self._gateway, shop_id, teller)
            singles = self._lane(shop_id, stop_at, lambda _, message: writes.one(message))
            found = singles.send(to_write) if len(to_write) <= FEW else writes.many(to_write)
        return {
            message.id: written[member_id] if member_id in written else found[messages[-1].id]
            for member_id, messages in alike.items()
            for message in messages
        }

    def _want_unwritten(
        self,
        shop_id: int,
        events: Sequence[Message],
        outcomes: Mapping[int, Outcome],
        profiles: Sequence[Message],
    ) -> None:
        """An event that Klaviyo refused has not written its profile, and points have moved all the same."""
        unwritten = {
            event.recipient.member_id
            for event in events
            if event.recipient is not None and _is_refused_alone(outcomes[event.id])
        }
        unwritten -= by_member(profiles).keys()
        if unwritten:
            with self._runtime.transaction() as session:
                silent.want(session, shop_id, unwritten, now=self._runtime.clock())

    def _lane(self, shop_id: int, stop_at: float, send: Callable[[int, Message], Outcome]) -> Lane:
        return Lane(
            lambda message: send(shop_id, message),
            step_back=lambda: self._gateway.step_back(shop_id),
            out_of_time=lambda: self._monotonic() >= stop_at,
        )

    def _teller(self, shop_id: int, choice: Choice, events: Sequence[Message]) -> Teller:
        """What the shop's program calls things, and what its members have: read once for all messages of a batch."""
        recipients = {event.recipient.member_id for event in events if event.recipient is not None}
        with self._runtime.reading() as session:
            rewards = rewards_of(session, shop_id, recipients)
            return Teller(choice, shop_view(session, shop_id), rewards)

    def _choice(self, shop_id: int) -> Choice:
        with self._runtime.reading() as session:
            return connections.choice_of(connections.load(session, shop_id))

    def _forget(self, shop_id: int, message: Message) -> Outcome:
        return forget(self._runtime, self._gateway, shop_id, self._choice(shop_id), message)

    def _sample(self, shop_id: int, message: Message) -> Outcome:
        found = sampling.addressed(self._runtime.cipher, message)
        if not isinstance(found, Message):
            return found
        return sampling.send(self._gateway, self._teller(shop_id, self._choice(shop_id), [found]), found)

    def _spread(self, outcome: Outcome) -> Outcome:
        """Waits of half a minute and more get up to a tenth on top, so that shops do not come back all at once."""
        if not isinstance(outcome, Later) or outcome.seconds < 30:
            return outcome
        seconds = outcome.seconds * (1 + self._jitter() / 10)
        return Later(seconds, outcome.reason, outcome.status_code, counts=outcome.counts)


def _has_to_wait(outcome: Outcome) -> bool:
    return isinstance(outcome, Later) and outcome.reason == "rate_limit" and outcome.seconds > _LONG_WAIT


def _is_refused_alone(outcome: Outcome) -> bool:
    """Whether it was the event, as far as is told, and not the profile in it, that was refused."""
    return isinstance(outcome, Refused) and "/profile/" not in outcome.reason


def unsendable(message: Message) -> Outcome | None:
    """Why a message cannot go to Klaviyo at all, or None when it can."""
    recipient = message.recipient
    if recipient is None or recipient.state in _GONE_STATES:
        return Dropped("no_recipient")
    if message.kind != silent.KIND and message.kind not in NEWS_KINDS:
        return Refused(f"unknown kind of news: {message.kind}")
    problem = addresses.problem(recipient.email)
    if problem in {"no_email", "test_address"}:
        return Dropped(problem)
    return Refused(problem) if problem else None
