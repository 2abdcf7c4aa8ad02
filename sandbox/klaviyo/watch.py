"""The looking half of the control API under /_sandbox: accounts, counts, events, profiles, requests.

It is for tests, demos and people at a terminal; the real service has nothing like it. Refuses to change anything.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.klaviyo import documents
from sandbox.klaviyo.account import Account
from sandbox.klaviyo.errors import NotUnderstood
from sandbox.klaviyo.events import Event
from sandbox.klaviyo.gate import state
from sandbox.klaviyo.idents import event_id, profile_id

blueprint = Blueprint("watch", __name__, url_prefix="/_sandbox")


@blueprint.errorhandler(ValueError)
def not_understood(error: ValueError) -> tuple[Response, int]:
    """400 and a sentence; shared with the other half."""
    return jsonify(error=str(error)), 400


@blueprint.errorhandler(KeyError)
def not_there(error: KeyError) -> tuple[Response, int]:
    """404 and what was looked for; shared with the other half."""
    return jsonify(error=f"not found: {error.args[0]}"), 404


def named_account(ident: str | None) -> Account:
    """The named account, or the first one when none is named."""
    return state().account(ident or state().specs[0].ident)


@blueprint.get("/accounts")
def accounts() -> Response:
    with state().lock:
        return jsonify(accounts=[_summary(state().account(ident)) for ident in state().accounts])


def _summary(account: Account) -> dict[str, Any]:
    grant = state().grants.grant(account.spec.ident)
    return {
        "id": account.spec.ident,
        "organization": account.spec.organization,
        "test_account": account.spec.test_account,
        "installed": grant is not None,
        "scopes": sorted(grant.scopes) if grant else [],
        "private_keys": state().grants.key_names(account.spec.ident),
        "profiles": len(account.profiles),
        "events": len(account.events),
    }


@blueprint.get("/counts")
def counts() -> Response:
    with state().lock:
        account = named_account(request.args.get("account"))
        return jsonify(count_account(account))


def count_account(account: Account) -> dict[str, Any]:
    """The numbers of an account. Events are recorded once per profile, metric and unique id."""
    events, jobs = account.events, list(account.imports.jobs.values())
    ident = account.spec.ident
    throttled = {
        op: n for (owner, op, status), n in state().statuses.items() if status == 429 and owner == ident
    }
    return {
        "account": ident,
        "profiles": len(account.profiles),
        "events": {
            "received": events.counts["accepted"] + events.counts["test_addresses"],
            "recorded": len(events),
            "duplicates": events.counts["duplicates"],
            "test_addresses_dropped": events.counts["test_addresses"],
            "by_metric": dict(events.recorded),
        },
        "flows": {"total": sum(events.flows.values()), "by_metric": dict(events.flows)},
        "imports": {
            "jobs": len(jobs),
            "complete": sum(job.completed is not None for job in jobs),
            "profiles": sum(job.total for job in jobs),
            "imported": sum(job.done for job in jobs),
            "failed": sum(job.failed for job in jobs),
        },
        "reviews": len(account.reviews),
        "webhooks": len(account.webhooks),
        "deletions": len(account.deletions),
        "throttled": {"total": sum(throttled.values()), "by_operation": throttled},
    }


@blueprint.get("/events")
def events() -> Response:
    with state().lock:
        account = named_account(request.args.get("account"))
        found = find_events(account, request.args.get("metric"), request.args.get("email"), _limit())
        unique = request.args.get("unique_id")
        shown = [show_event(account, event) for event in found if unique in (None, event.unique_id)]
    return jsonify(events=shown)


def find_events(account: Account, metric: str | None, email: str | None, limit: int) -> list[Event]:
    """The latest events by arrival, narrowed by metric name and by a part of the address.

    Looks back over the last 200,000 events at most, so that a full Klaviyo stays quick to watch.
    """
    found: list[Event] = []
    part = email.strip().lower() if email else None
    exact = account.profiles.with_identifier("email", part) if part else None
    for row in islice(account.events.newest_first(), 200_000):
        profile = account.events.profile_of(row)
        if part and profile != exact and part not in (account.profiles.email(profile) or ""):
            continue
        event = account.events.get(row)
        if metric and event.metric.name != metric:
            continue
        found.append(event)
        if len(found) >= limit:
            break
    return found


def show_event(account: Account, event: Event) -> dict[str, Any]:
    return {
        "id": event_id(event.row),
        "metric": event.metric.name,
        "integration": event.metric.integration,
        "email": account.profiles.email(event.profile),
        "profile_id": profile_id(event.profile),
        "time": datetime.fromtimestamp(event.time, UTC).isoformat(),
        "unique_id": event.unique_id,
        "backfill": event.backfill,
        "properties": event.properties,
    }


@blueprint.get("/profiles")
def profiles() -> Response:
    with state().lock:
        account = named_account(request.args.get("account"))
        email = request.args.get("email")
        if email:
            row = account.profiles.with_identifier("email", email)
            rows = [] if row is None else [row]
        else:
            rows = account.profiles.newest(_limit())
        return jsonify(
            total=len(account.profiles), profiles=[documents.profile(account.profiles, row) for row in rows]
        )


@blueprint.get("/deletions")
def deletions() -> Response:
    with state().lock:
        return jsonify(deletions=list(named_account(request.args.get("account")).deletions))


@blueprint.get("/reviews")
def reviews() -> Response:
    with state().lock:
        account = named_account(request.args.get("account"))
        return jsonify(reviews=[documents.review(review) for review in account.reviews.values()])


@blueprint.get("/webhooks")
def webhooks() -> Response:
    with state().lock:
        account = named_account(request.args.get("account"))
        shown = [
            {
                "id": hook.ident,
                "endpoint_url": hook.endpoint_url,
                "topics": list(hook.topics),
                "enabled": hook.enabled,
                "waiting": len(hook.waiting),
                "delivered": hook.delivered,
                "attempts": hook.attempts,
                "failures_in_a_row": hook.failures,
                "last_status": hook.last_status,
            }
            for hook in account.webhooks.values()
        ]
        attempts = [asdict(item) for item in state().dispatcher.log if item.account == account.spec.ident]
    return jsonify(webhooks=shown, attempts=attempts)


@blueprint.get("/requests")
def requests_log() -> Response:
    with state().lock:
        latest = list(state().requests)[-_limit() :]
        tally = [
            {"account": account or None, "operation": operation, "status": status, "count": count}
            for (account, operation, status), count in sorted(state().statuses.items(), key=str)
        ]
    return jsonify(requests=[asdict(item) for item in reversed(latest)], counts=tally)


def _limit() -> int:
    text = request.args.get("limit", "100")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise NotUnderstood("limit must be between 1 and 10000")
    return int(text)
