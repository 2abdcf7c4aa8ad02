"""Writes what the storefront shows at first paint: each customer's balance, and the program itself.

A balance is the truth at the moment of sending, so many movements of one member need one writing, and a late one harms nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from loyalty import programs
from loyalty.core.moments import day_of
from loyalty.core.program import Program
from loyalty.delivery import Delivered, Dropped, Later, Message, Outcome, Refused
from loyalty.models import Shop
from loyalty.runtime import Runtime
from shopify_app import documents
from shopify_app.admin_api import AdminClient
from shopify_app.gids import gid
from shopify_app.phrases import ENGLISH, LANGUAGES
from shopify_app.program_view import program_metafield
from shopify_app.reward_outcomes import PASSING, error_codes, later_by

MOST_AT_ONCE = 25
_TYPE = "number_integer"


def write_balances(api: AdminClient, messages: Sequence[Message]) -> Mapping[int, Outcome]:
    """One writing for each member that the messages (at most 25 members) are about. Raises ``ShopifyError``."""
    outcomes: dict[int, Outcome] = {}
    balances: dict[int, tuple[int, int]] = {}
    about: dict[int, list[Message]] = {}
    for message in messages:
        person = message.recipient
        if person is None or person.customer_id is None or person.state not in ("member", "guest"):
            outcomes[message.id] = Dropped("no_customer")
            continue
        balances[person.member_id] = (person.customer_id, person.balance)
        about.setdefault(person.member_id, []).append(message)
    refused = _set(api, balances)
    for member_id, found in about.items():
        for message in found:
            reason = refused.get(member_id)
            outcomes[message.id] = Delivered(200) if reason is None else _refusal(reason, message)
    return outcomes


def write_program(api: AdminClient, runtime: Runtime, shop_id: int, *, attempt: int) -> Outcome:
    """Write the program in force, in every language, where the theme reads it. Raises ``ShopifyError``."""
    with runtime.reading() as session:
        shop = session.get(Shop, shop_id)
        if shop is None:
            return Dropped("no_shop")
        try:
            program = programs.current(session, shop_id)
        except programs.NoProgram:
            return Dropped("no_program")
        values = _in_every_language(program, shop, day_of(runtime.clock(), program.timezone))
    installation = api.query(documents.INSTALLATION).data["currentAppInstallation"]["id"]
    fields = [
        {"ownerId": installation, "namespace": "laurel", "key": key, "type": "json", "value": value}
        for key, value in values.items()
    ]
    answer = api.mutate(documents.METAFIELDS_SET, {"metafields": fields}, idempotent=True)
    codes = error_codes(answer.data.get("metafieldsSet") or {})
    if answer.errors or PASSING & set(codes):
        return Later(later_by(attempt), ",".join(codes or answer.errors), 200)
    return Refused(",".join(codes).lower(), 200) if codes else Delivered(200)


def _in_every_language(program: Program, shop: Shop, today: date) -> dict[str, str]:
    """The published program by the key of its metafield: English in ``program``, German in ``program_de``."""
    return {
        "program" if language is ENGLISH else f"program_{language.code}": program_metafield(
            program,
            currency=shop.currency,
            shop_format=shop.money_format,
            today=today,
            language=language,
        )
        for language in LANGUAGES.values()
    }


def _set(api: AdminClient, balances: Mapping[int, tuple[int, int]]) -> dict[int, str]:
    """Write the balances, all or none; those that Shopify names as wrong are left out and the rest is written again. Where it names
    none, each is written by itself.

    Returns the reasons of the members that could not be written.
    """
    refused: dict[int, str] = {}
    while True:
        members = [member_id for member_id in balances if member_id not in refused]
        if not members:
            return refused
        fields = [
            {"ownerId": gid("Customer", customer_id), "key": "points", "type": _TYPE, "value": str(balance)}
            for customer_id, balance in (balances[member_id] for member_id in members)
        ]
        answer = api.mutate(documents.METAFIELDS_SET, {"metafields": fields}, idempotent=True)
        errors = (answer.data.get("metafieldsSet") or {}).get("userErrors") or ()
        if not errors:
            return refused | dict.fromkeys(members if answer.errors else (), ",".join(answer.errors))
        wrong = {_place(error): _reason(error) for error in errors}
        named = {members[place]: reason for place, reason in wrong.items() if 0 <= place < len(members)}
        if not named and len(members) > 1:
            for member_id in members:
                refused |= _set(api, {member_id: balances[member_id]})
            return refused
        refused |= named or dict.fromkeys(members, next(iter(wrong.values())))


def _place(error: Mapping[str, Any]) -> int:
    """Which of the metafields an error is about: its path says so (``metafields``, ``3``, ``ownerId``), or its index; -1 if neither does."""
    path: Sequence[Any] = error.get("field") or ()
    if len(path) > 1 and str(path[1]).isdecimal():
        return int(path[1])
    index = error.get("elementIndex")
    return index if isinstance(index, int) else -1


def _reason(error: Mapping[str, Any]) -> str:
    code = str(error.get("code") or "INVALID")
    return code if code in PASSING else code.lower()


def _refusal(reason: str, message: Message) -> Outcome:
    # Codes in capitals are the API's own trouble (not allowed, or failed, just now); the others are about this customer.
    return Later(later_by(message.attempts), reason, 200) if reason.isupper() else Refused(reason, 200)
