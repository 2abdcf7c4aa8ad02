"""The page at `/` that shows a person what has arrived. Refuses to change anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, render_template, request

from sandbox.klaviyo import documents
from sandbox.klaviyo.account import Account
from sandbox.klaviyo.gate import state
from sandbox.klaviyo.watch import count_account, find_events, show_event

blueprint = Blueprint("inbox", __name__)

_SHOWN = 50


@blueprint.get("/")
def inbox() -> str:
    """The latest events and profiles of one account."""
    metric = request.args.get("metric", "").strip()
    email = request.args.get("email", "").strip()
    with state().lock:
        ident = request.args.get("account", "")
        ident = ident if ident in state().accounts else _busiest()
        account = state().account(ident)
        page = {
            "specs": list(state().specs),
            "spec": account.spec,
            "installed": state().grants.grant(ident) is not None,
            "counts": count_account(account),
            "events": _events(account, metric, email),
            "profiles": _profiles(account, email),
            "metrics": sorted(account.events.recorded),
            "reviews": sorted(account.reviews.values(), key=lambda item: item.created, reverse=True)[:10],
        }
    return render_template("inbox.html", metric=metric, email=email, **page)


def _busiest() -> str:
    """The account to open with: the one most has happened in, else the first."""
    chosen = max(state().accounts.values(), key=lambda account: (len(account.events), len(account.profiles)))
    return chosen.spec.ident if len(chosen.profiles) else state().specs[0].ident


def _events(account: Account, metric: str, email: str) -> list[dict[str, Any]]:
    shown = [
        show_event(account, event) for event in find_events(account, metric or None, email or None, _SHOWN)
    ]
    for event in shown:
        event["when"] = _when(event["time"])
        event["values"] = _values(event["properties"])
    return shown


def _profiles(account: Account, email: str) -> list[dict[str, Any]]:
    rows = account.profiles.newest(5000 if email else _SHOWN)
    if email:
        exact = account.profiles.with_identifier("email", email)
        part = email.lower()
        rows = [row for row in rows if row != exact and part in (account.profiles.email(row) or "")]
        rows = ([] if exact is None else [exact]) + rows
    shown = []
    for row in rows[:_SHOWN]:
        found = documents.profile(account.profiles, row)["attributes"]
        name = " ".join(filter(None, (found["first_name"], found["last_name"])))
        shown.append(
            {
                "email": found["email"] or found["phone_number"] or found["external_id"],
                "name": name,
                "updated": _when(found["updated"]),
                "values": _values(found["properties"]),
            }
        )
    return shown


def _when(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%d %b %Y, %H:%M:%S")


def _values(properties: dict[str, Any]) -> list[tuple[str, str]]:
    shown = []
    for name, value in properties.items():
        if name.startswith("$"):
            continue
        shown.append((name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return shown
