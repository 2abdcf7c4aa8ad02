"""Whether Klaviyo shows of members what is true of them. It asks for a page of profiles and compares; it changes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlmodel import Session, col

from klaviyo_oauth import addresses, payloads, sync_batches
from klaviyo_oauth.answers import Answer, Reply
from klaviyo_oauth.dialects import Choice, Shown
from klaviyo_oauth.gateway import Gateway
from loyalty import outbox
from loyalty.models import Member, OutboxMessage
from loyalty.runtime import Runtime

NO_PROFILE = "no_profile"
ON_ITS_WAY = "on_its_way"
# Klaviyo takes its time to show what it has accepted.
SETTLES_WITHIN = timedelta(minutes=10)

# Klaviyo takes a hundred values in one filter and gives a hundred profiles on one page.
_MOST_ADDRESSES = 100
# Many servers refuse a request line of 8 KB, and each address grows by a few characters on its way.
_MOST_CHARACTERS = 5_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Members of one page by id: how many are shown rightly, who is not (with what is wrong), and who could not be compared."""

    last_id: int
    right: int
    drifted: Sequence[tuple[int, str]]
    skipped: Sequence[tuple[int, str]]


def compare(
    runtime: Runtime, gateway: Gateway, shop_id: int, choice: Choice, *, after: int
) -> Comparison | Answer | None:
    """Compare the members after the member ``after``. None at the end; an answer that was no list of profiles is given back."""
    with runtime.reading() as session:
        rows = sync_batches.shown(session, shop_id, col(Member.id) > after, size=_MOST_ADDRESSES)
    if not rows:
        return None
    asked: dict[int, str] = {}
    skipped: list[tuple[int, str]] = []
    last_id, characters = after, 0
    for person in rows:
        id_, problem = person.standing.member_id, addresses.problem(person.email)
        characters += 0 if problem else len(person.email or "") + 12
        if characters > _MOST_CHARACTERS:
            break
        last_id = id_
        if problem:
            skipped.append((id_, problem))
        else:
            asked[id_] = person.email or ""
    profiles = _profiles(gateway, shop_id, list(asked.values())) if asked else {}
    if not isinstance(profiles, dict):
        return profiles
    now = runtime.clock()
    with runtime.reading() as session:
        # Read again: what changed while Klaviyo was asked is judged by what is true after it answered.
        truth = sync_batches.shown(session, shop_id, col(Member.id).in_(list(asked)), size=len(asked))
        wrong = dict(_wrong(truth, asked, profiles, choice))
        moving = _on_their_way(session, wrong, now) if wrong else set()
    drifted = [pair for pair in wrong.items() if pair[0] not in moving]
    skipped += [(id_, ON_ITS_WAY) for id_ in sorted(moving)]
    return Comparison(last_id, len(asked) - len(wrong), drifted, skipped)


def difference(wanted: Shown, found: Mapping[str, Any]) -> str | None:
    """What is wrong with a profile's properties in words, or None. Texts are not repeated: anybody may have written them."""
    parts = [
        f"{name} is {_shown(found.get(name))} instead of {_shown(value)}"
        for name, value in wanted.properties.items()
        if isinstance(found.get(name), bool) is not isinstance(value, bool) or found.get(name) != value
    ]
    parts += [
        f"{name} is {_shown(found[name])} instead of not set"
        for name in wanted.unset
        if found.get(name) is not None
    ]
    return "; ".join(parts) or None


def _wrong(
    truth: Sequence[sync_batches.Person],
    asked: Mapping[int, str],
    profiles: Mapping[str, Mapping[str, Any]],
    choice: Choice,
) -> Iterator[tuple[int, str]]:
    for email, _first, _last, standing in truth:
        id_ = standing.member_id
        if email is None or email != asked[id_]:
            # The address changed just now: whatever is wrong will be told under the new one.
            continue
        found = profiles.get(email)
        if found is None:
            yield id_, NO_PROFILE
            continue
        words = difference(choice.show(standing), found)
        if words is not None:
            yield id_, words


def _profiles(gateway: Gateway, shop_id: int, emails: Sequence[str]) -> dict[str, Mapping[str, Any]] | Answer:
    params: dict[str, str | int] = {
        "filter": f"any(email,[{','.join(map(payloads.quoted, emails))}])",
        "fields[profile]": "email,properties",
        "page[size]": _MOST_ADDRESSES,
    }
    answer = gateway.call(shop_id, "GET profiles", "/api/profiles", params=params)
    if not (isinstance(answer, Reply) and answer.ok):
        return answer
    found: dict[str, Mapping[str, Any]] = {}
    for entry in answer.data if isinstance(answer.data, list) else ():
        attributes = entry.get("attributes") if isinstance(entry, Mapping) else None
        email = attributes.get("email") if isinstance(attributes, Mapping) else None
        if isinstance(attributes, Mapping) and isinstance(email, str):
            properties = attributes.get("properties")
            found[email.strip().lower()] = properties if isinstance(properties, Mapping) else {}
    return found


def _on_their_way(session: Session, wrong: Mapping[int, str], now: datetime) -> set[int]:
    """Members of whom Klaviyo will hear without us: a message waits, or moved them a moment ago."""
    waiting = select(col(OutboxMessage.member_id)).where(
        col(OutboxMessage.member_id).in_(list(wrong)),
        col(OutboxMessage.channel).in_((outbox.KLAVIYO, outbox.PROFILES)),
        col(OutboxMessage.state).in_(("due", "sending")),
    )
    moving = select(col(Member.id)).where(
        col(Member.id).in_(list(wrong)),
        or_(col(Member.updated_at) > now - SETTLES_WITHIN, col(Member.id).in_(waiting)),
    )
    return {id_ for id_ in session.execute(moving).scalars() if id_ is not None}


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else "another value"
