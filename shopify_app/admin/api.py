"""The API's page: the keys of the shop's own programs, made here and shown once, and what became of the actions that they told of."""

import secrets
from collections.abc import Mapping

import structlog
from flask import Blueprint, jsonify, request
from flask.wrappers import Response

from loyalty import api_actions, api_keys
from loyalty.core.program import SELF_REPORTED_WAYS, Program, Rule
from shopify_app.admin.answers import done, mistakes, refused
from shopify_app.admin.page import Pages, points_name, program_in_force
from shopify_app.api.door import TELLABLE_WAYS

LONGEST_LABEL = 60
# Why an action earned nothing, in words; a reason that is not here is shown as it is.
REASONS: Mapping[str, str] = {
    "unknown_rule": "The program has no such rule any more",
    "not_a_member": "The person is not a member, and the rule is not for guests",
    "out_of_schedule": "The rule did not hold on that day",
    "wrong_tier": "The rule is for other tiers",
    "limit_reached": "The rule's limit was reached",
    "done_already": "The person has earned by this rule before",
}

log = structlog.get_logger(__name__)


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /api-keys``, and how keys come and go."""

    @blueprint.get("/api-keys")
    def show_api() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            assert shop.id is not None
            program = program_in_force(session, shop.id)
            return pages.render(
                "admin/api.html",
                shop,
                keys=api_keys.living(session, shop.id),
                actions=api_actions.newest(session, shop, now=pages.runtime.clock()),
                program=program,
                points_name=points_name(program),
                told_of=_told_of(program),
                reasons=REASONS,
                address=f"{pages.config.app_origin}/api/v1/actions",
            )

    @blueprint.post("/api-keys")
    def make_key() -> Response | tuple[Response, int]:
        return _make(pages)

    @blueprint.post("/api-keys/<int:key_id>/revoke")
    def revoke_key(key_id: int) -> Response | tuple[Response, int]:
        merchant = pages.merchant()
        with pages.runtime.transaction() as session:
            gone = api_keys.revoke(session, merchant.shop_id, key_id, now=pages.runtime.clock())
        if not gone:
            return refused("There is no such key any more.", status=404)
        log.info("api_key_revoked", shop=merchant.domain, staff=merchant.user_id)
        return done("The key no longer works", redirect=pages.link("/api-keys"))


def _make(pages: Pages) -> Response | tuple[Response, int]:
    merchant = pages.merchant()
    label = request.form.get("label", "").strip()
    if not 1 <= len(label) <= LONGEST_LABEL or not label.isprintable():
        return mistakes({"label": f"Say in up to {LONGEST_LABEL} characters what will use the key."})
    try:
        with pages.runtime.transaction() as session:
            key = api_keys.make(
                session,
                merchant.shop_id,
                label,
                prefix=secrets.token_hex(5),
                token=secrets.token_urlsafe(32),
                made_by=merchant.user_id,
                now=pages.runtime.clock(),
            )
    except api_keys.TooManyKeys:
        return mistakes({"label": f"A shop has at most {api_keys.MOST_KEYS} keys. Revoke one first."})
    log.info("api_key_made", shop=merchant.domain, staff=merchant.user_id)
    return jsonify(ok=True, message="The key is made", reveal=key)


def _told_of(program: Program | None) -> list[Rule]:
    """The rules that other software can tell of. What the widget can tell of, too, comes last."""
    found = program.rules(*TELLABLE_WAYS) if program else ()
    return sorted(found, key=lambda rule: rule.way in SELF_REPORTED_WAYS)
