"""Profiles that are written anew without news: a few by a request each, many as an import job. No flow starts, as no event is told."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from klaviyo_oauth import bulk_profiles, payloads, profile_jobs, verdicts
from klaviyo_oauth.bulk_profiles import Stopped, Taken
from klaviyo_oauth.gateway import Gateway
from klaviyo_oauth.payloads import Teller
from klaviyo_oauth.sync_jobs import Job
from loyalty.delivery import Delivered, Dropped, Later, Message, Outcome, Refused
from loyalty.runtime import Runtime

_ACCEPTED = 202
# What only the merchant can mend, a missing permission for example, is not mended by asking often.
_AFTER_REFUSAL = 300.0


@dataclass(frozen=True, slots=True)
class ProfileWrites:
    """One sending of some members' profiles. All have addresses that can be written to."""

    runtime: Runtime
    gateway: Gateway
    shop_id: int
    teller: Teller

    def one(self, message: Message) -> Outcome:
        """Write one profile."""
        assert message.recipient is not None
        body = {"data": self.teller.profile(message.recipient)}
        answer = self.gateway.call(self.shop_id, "POST profile-import", "/api/profile-import", json_body=body)
        return _told_nothing(verdicts.outcome(answer, attempts=message.attempts))

    def many(self, messages: Sequence[Message]) -> dict[int, Outcome]:
        """Write all of them as an import job. When it has to be stopped, the rest is sent again."""
        pairs = [
            (message.id, payloads.encode(self.teller.profile(message.recipient)))
            for message in messages
            if message.recipient is not None
        ]
        read_at = self.runtime.clock()
        posted = bulk_profiles.post(self.gateway, self.shop_id, pairs)
        whose = {message.id: message.recipient.member_id for message in messages if message.recipient}
        now = self.runtime.clock()
        jobs = [
            Job.of(
                Taken(job.job_id, tuple(sorted(whose[id_] for id_ in job.members))),
                read_at=read_at,
                posted_at=now,
            )
            for job in posted.jobs
        ]
        profile_jobs.remember(self.runtime, self.shop_id, jobs)
        outcomes: dict[int, Outcome] = {}
        if isinstance(posted, Stopped):
            outcomes = dict.fromkeys((message.id for message in messages), _later(posted))
        taken = (id_ for job in posted.jobs for id_ in job.members)
        outcomes |= dict.fromkeys(taken, Delivered(_ACCEPTED, told=()))
        return outcomes | {id_: Refused(reason) for id_, reason in posted.refused}


def _told_nothing(outcome: Outcome) -> Outcome:
    return replace(outcome, told=()) if isinstance(outcome, Delivered) else outcome


def by_member(messages: Sequence[Message]) -> Mapping[int, Sequence[Message]]:
    """The messages of each member: one that is tried again, and one of a change since then, are the same."""
    found: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        if message.recipient is not None:
            found[message.recipient.member_id].append(message)
    return found


def written_by(events: Sequence[Message], outcomes: Mapping[int, Outcome]) -> Mapping[int, Outcome]:
    """The members whose profiles these events have written, or will: what came of the event, by member. An event that Klaviyo refused
    has written nothing."""
    found: dict[int, Outcome] = {}
    for event in events:
        outcome = outcomes[event.id]
        if event.recipient is not None and isinstance(outcome, Delivered | Later):
            known = found.get(event.recipient.member_id)
            if not isinstance(known, Delivered):
                found[event.recipient.member_id] = _told_nothing(outcome)
    return found


def _later(stopped: Stopped) -> Outcome:
    if stopped.error == bulk_profiles.NOT_CONNECTED:
        return Dropped(stopped.error)
    if stopped.error is not None:
        return Later(_AFTER_REFUSAL, stopped.error, counts=False)
    return Later(stopped.seconds, stopped.reason, counts=False)
