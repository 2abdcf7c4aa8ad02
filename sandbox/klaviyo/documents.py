"""How each resource looks as JSON:API. Refuses to decide anything: it renders what it is given."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.klaviyo.idents import event_id, profile_id
from sandbox.klaviyo.webhooks import truncated

if TYPE_CHECKING:
    from sandbox.klaviyo.account import AccountSpec, ProfileList
    from sandbox.klaviyo.events import Event, Metric
    from sandbox.klaviyo.imports import FailedProfile, ImportJob
    from sandbox.klaviyo.profiles import Profiles
    from sandbox.klaviyo.reviews import Review
    from sandbox.klaviyo.webhooks import Webhook

_PROFILE_TEXTS = (
    "phone_number",
    "external_id",
    "first_name",
    "last_name",
    "organization",
    "locale",
    "title",
    "image",
)


def iso(seconds: float | None) -> str | None:
    """An RFC 3339 instant, or None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def account(spec: AccountSpec) -> dict[str, Any]:
    host = spec.organization.lower().replace(" & ", "and").replace(" ", "")
    return {
        "type": "account",
        "id": spec.ident,
        "attributes": {
            "test_account": spec.test_account,
            "contact_information": {
                "default_sender_name": spec.organization,
                "default_sender_email": f"hello@{host}.shop",
                "website_url": f"https://{host}.shop",
                "organization_name": spec.organization,
                "street_address": dict.fromkeys(("address1", "address2", "city", "region", "country", "zip")),
            },
            "industry": "Ecommerce",
            "timezone": spec.timezone,
            "preferred_currency": spec.currency,
            "public_api_key": spec.ident,
            "locale": "en-US",
        },
    }


def profile(profiles: Profiles, row: int) -> dict[str, Any]:
    properties, side = profiles.get(row)
    created, updated, last_event = profiles.times(row)
    location = dict.fromkeys(
        ("address1", "address2", "city", "country", "latitude", "longitude", "region", "zip")
    )
    return {
        "type": "profile",
        "id": profile_id(row),
        "attributes": {
            "email": profiles.email(row),
            **{name: side.get(name) for name in _PROFILE_TEXTS},
            "created": iso(created),
            "updated": iso(updated),
            "last_event_date": iso(last_event),
            "location": location | {"timezone": None, "ip": None} | (side.get("location") or {}),
            "properties": properties,
        },
        "relationships": {},
    }


def metric(found: Metric) -> dict[str, Any]:
    category = "Internal" if found.integration == "Klaviyo" else "API"
    integration = {"object": "integration", "name": found.integration, "category": category}
    return {
        "type": "metric",
        "id": found.ident,
        "attributes": {
            "name": found.name,
            "created": iso(found.created),
            "updated": iso(found.created),
            "integration": {"id": found.integration[:6], **integration},
        },
    }


def event(found: Event) -> dict[str, Any]:
    return _event(found, "T")


def webhook_event(found: Event) -> dict[str, Any]:
    """One entry of a webhook delivery; its date has a space where the API has a T."""
    ident = event_id(found.row)
    return {"external_id": ident, "topic": found.metric.topic, "payload": {"data": _event(found, " ")}}


def _event(found: Event, separator: str) -> dict[str, Any]:
    return {
        "type": "event",
        "id": event_id(found.row),
        "attributes": {
            "timestamp": found.time,
            "event_properties": found.properties,
            "datetime": datetime.fromtimestamp(found.time, UTC).isoformat(separator),
            "uuid": str(
                uuid.UUID(int=((found.time & 0xFFFFFFFF) << 96) | (0x87D011EE8001 << 48) | found.row)
            ),
        },
        "relationships": {
            "profile": {"data": {"type": "profile", "id": profile_id(found.profile)}},
            "metric": {"data": {"type": "metric", "id": found.metric.ident}},
        },
    }


def profile_list(found: ProfileList) -> dict[str, Any]:
    return {
        "type": "list",
        "id": found.ident,
        "attributes": {
            "name": found.name,
            "created": iso(found.created),
            "updated": iso(found.created),
            "opt_in_process": found.opt_in,
        },
    }


def import_job(job: ImportJob, now: float) -> dict[str, Any]:
    status = job.status(now)
    return {
        "type": "profile-bulk-import-job",
        "id": job.ident,
        "attributes": {
            "status": status,
            "created_at": iso(job.created),
            "total_count": job.total,
            "completed_count": job.done,
            "failed_count": job.failed,
            "completed_at": iso(job.completed),
            "expires_at": iso(job.expires),
            "started_at": None if status == "queued" else iso(job.started),
        },
        "relationships": {"lists": {"data": [{"type": "list", "id": ident} for ident in job.lists]}},
    }


def import_error(failed: FailedProfile) -> dict[str, Any]:
    return {
        "type": "import-error",
        "id": failed.ident,
        "attributes": {
            "code": failed.code,
            "title": failed.title,
            "detail": failed.detail,
            "source": {"pointer": failed.pointer},
            "original_payload": dict(failed.payload),
        },
    }


def review(found: Review) -> dict[str, Any]:
    product = found.product
    return {
        "type": "review",
        "id": found.ident,
        "attributes": {
            "email": found.email,
            "status": found.status_value,
            "verified": found.verified,
            "review_type": found.kind,
            "created": iso(found.created),
            "updated": iso(found.updated),
            "images": list(found.images),
            "product": None if product is None else dict(product),
            "rating": found.rating,
            "author": found.author,
            "content": found.content,
            "title": found.title,
            "smart_quote": None,
            "public_reply": None,
        },
        "relationships": {"events": {"data": [{"type": "event", "id": ident} for ident in found.events]}},
    }


def webhook(found: Webhook) -> dict[str, Any]:
    """A webhook without its secret and without the path of its endpoint."""
    return {
        "type": "webhook",
        "id": found.ident,
        "attributes": {
            "name": found.name,
            "description": found.description,
            "endpoint_url": truncated(found.endpoint_url),
            "enabled": found.enabled,
            "created_at": iso(found.created),
            "updated_at": iso(found.updated),
        },
        "relationships": {"webhook-topics": {"data": [topic(name) for name in found.topics]}},
    }


def topic(name: str) -> dict[str, Any]:
    return {"type": "webhook-topic", "id": name}
