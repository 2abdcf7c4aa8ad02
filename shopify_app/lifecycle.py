"""The app's life in a shop: installed, reinstalled, scopes changed, renamed, uninstalled. It keeps rows true; it asks nobody."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from loyalty import calendar, outbox, programs, runs
from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.core.facts import ShopMessage
from loyalty.encryption import Cipher
from loyalty.models import Run, Shop
from loyalty.receiving import ShopHandler
from shopify_app import erasure, missed_orders, privacy
from shopify_app.consent import CONSENT_TOPIC, consent_changed
from shopify_app.errors import BeingErased

CUSTOMER_IMPORT = "customer_import"
ORDER_IMPORT = "order_import"
IMPORT_KINDS = (CUSTOMER_IMPORT, ORDER_IMPORT)
PROGRAM_METAFIELD = "program_metafield"
# Of a million members that is not for a page to wait for.
ALL_BALANCES = "all_balances"
CONFIRM_INSTALLED = "confirm_installed"
SHOP_DETAILS = "shop_details"
# Shopify repeats a delivery for four hours; a message that old can still be on its way.
LATEST_DELIVERY = timedelta(hours=5)


@dataclass(frozen=True, slots=True)
class Installed:
    """A shop after ``install``. ``is_new`` says that the installation began with it, and ``run_id`` is the import that it began."""

    shop_id: int
    is_new: bool
    run_id: int | None


def install(session: Session, cipher: Cipher, domain: str, *, now: datetime) -> Installed:
    """Make sure that the shop is installed. A shop that comes back keeps all that it had. Raises ``BeingErased``.

    One whose tokens had died may have been away unheard: it is told everything anew, and an old message of a removal is not believed.
    """
    # Shopify tells times in whole seconds: a customer of this very second came after the installation, not before it.
    began = now.replace(microsecond=0)
    is_first = outbox.add_once(
        session,
        Shop,
        {
            "domain": domain,
            "name": "",
            "currency": "USD",
            "money_format": "",
            "timezone": "UTC",
            "plan": "",
            "classic_accounts": False,
            "scopes": "",
            "needs_reauthorization": False,
            "code_key": cipher.seal(secrets.token_urlsafe(32), row=f"shop:{domain}"),
            "first_installed_at": began,
            "installed_at": began,
        },
    )
    shop = session.exec(select(Shop).where(Shop.domain == domain).with_for_update()).one()
    assert shop.id is not None
    if shop.erasing_at is not None:
        raise BeingErased("being_erased")
    is_back = shop.uninstalled_at is not None
    if not (is_first or is_back or shop.needs_reauthorization):
        return Installed(shop.id, is_new=False, run_id=None)
    if not is_first:
        shop.uninstalled_at, shop.installed_at = None, now
        session.add(shop)
        session.flush()
        unique_id = f"balances:{now.isoformat()}"
        outbox.put(session, shop.id, outbox.SHOPIFY, ALL_BALANCES, unique_id, {}, occurred_at=now, now=now)
        # Without a token it waits for up to an hour.
        outbox.hurry(session, shop.id, (outbox.REWARDS, outbox.SHOPIFY), now=now)
        runs.hurry(session, shop.id, IMPORT_KINDS, now=now)
    tell_program(session, shop.id, occasion=f"install:{now.isoformat()}", now=now)
    if is_back:
        missed_orders.begin_anew(session, shop.id)
        calendar.resume(session, shop.id, now=now)
    elif not is_first:
        return Installed(shop.id, is_new=False, run_id=None)
    run = runs.start(session, shop.id, CUSTOMER_IMPORT, {}, now=now)
    return Installed(shop.id, is_new=True, run_id=run.id)


def tell_program(session: Session, shop_id: int, *, occasion: str, now: datetime) -> None:
    """Queue the writing of what the widget may show without us. ``occasion`` makes it happen once; a first program is begun."""
    try:
        version = programs.current(session, shop_id).version
    except programs.NoProgram:
        version = programs.apply(session, shop_id, DEFAULT_DOCUMENT, author="Laurel", now=now).version
    outbox.put(
        session,
        shop_id,
        outbox.SHOPIFY,
        PROGRAM_METAFIELD,
        f"program:{version}:{occasion}",
        {"version": version},
        occurred_at=now,
        now=now,
    )


def uninstalled(session: Session, shop: Shop, message: ShopMessage, now: datetime) -> None:
    """The app was removed. A shop that was installed anew a little while ago may only be hearing of the time before."""
    assert shop.id is not None
    is_back = shop.installed_at > shop.first_installed_at
    if is_back and now - shop.installed_at < LATEST_DELIVERY and shop.uninstalled_at is None:
        unique_id = f"confirm:{message.payload['received_at']}"
        outbox.put(
            session, shop.id, outbox.SHOPIFY, CONFIRM_INSTALLED, unique_id, {}, occurred_at=now, now=now
        )
        return
    forget_access(session, shop, now=now)


def redacted(session: Session, shop: Shop, _message: ShopMessage, now: datetime) -> None:
    """Shopify asks for the erasure two days after a removal. One that nobody heard of is found out about by asking; a shop that has the
    app again is not erased, whatever an old message says."""
    assert shop.id is not None
    if shop.uninstalled_at is not None:
        erasure.begin(session, shop, now=now)
        return
    unique_id, payload = f"confirm:redact:{now.isoformat()}", {"erase": True}
    outbox.put(
        session, shop.id, outbox.SHOPIFY, CONFIRM_INSTALLED, unique_id, payload, occurred_at=now, now=now
    )


def forget_access(session: Session, shop: Shop, *, now: datetime) -> None:
    """The tokens are worthless and go; nothing is sent or imported any more. The books stay."""
    assert shop.id is not None
    shop.access_token = shop.access_token_expires_at = None
    shop.refresh_token = shop.refresh_token_expires_at = None
    shop.scopes = ""
    shop.uninstalled_at = shop.uninstalled_at or now
    session.add(shop)
    open_imports = select(Run.id).where(
        Run.shop_id == shop.id, col(Run.kind).in_(IMPORT_KINDS), col(Run.state).in_(runs.OPEN)
    )
    for run_id in session.exec(open_imports).all():
        assert run_id is not None
        runs.cancel(session, shop.id, run_id, now=now)


def changed(session: Session, shop: Shop, message: ShopMessage, now: datetime) -> None:
    """The shop's own details or what it allows us changed. Deliveries come in any order, so an old one would undo what a newer one told:
    Shopify is asked what is true now. A shop that is not there any more is asked when it comes back."""
    assert shop.id is not None
    if shop.uninstalled_at is None:
        unique_id = f"details:{message.payload['delivery']}"
        outbox.put(session, shop.id, outbox.SHOPIFY, SHOP_DETAILS, unique_id, {}, occurred_at=now, now=now)


def look_again(session: Session, shop_id: int, *, now: datetime) -> None:
    """Have the shop's details read once a day: Shopify sends no message of everything that they say."""
    unique_id = f"details:{now.date().isoformat()}"
    outbox.put(session, shop_id, outbox.SHOPIFY, SHOP_DETAILS, unique_id, {}, occurred_at=now, now=now)


def take_details(session: Session, shop: Shop, details: Mapping[str, Any], *, now: datetime) -> None:
    """Keep a shop's details; what is not told stays as it was. The theme is told what it has to write otherwise, and another time zone
    begins a new version of a program that names none."""
    before, zone = (shop.currency, shop.money_format), shop.timezone
    was_known = shop.shopify_id is not None
    for name in ("shopify_id", "name", "contact_email", "currency", "money_format", "timezone", "plan"):
        if details.get(name):
            setattr(shop, name, details[name])
    session.add(shop)
    session.flush()
    assert shop.id is not None
    if was_known and zone != shop.timezone:
        program = programs.follow_timezone(session, shop.id, before=zone, now=now)
        if program is not None:
            calendar.program_applied(session, shop.id, program, now=now)
    if (before, zone) != ((shop.currency, shop.money_format), shop.timezone):
        tell_program(session, shop.id, occasion=f"details:{now.isoformat()}", now=now)


def bulk_operation_finished(session: Session, shop: Shop, message: ShopMessage, now: datetime) -> None:
    """An import's file is ready (or failed): the run that waits for it is due now."""
    waiting = session.exec(
        select(Run)
        .where(Run.shop_id == shop.id, col(Run.kind).in_(IMPORT_KINDS), col(Run.state) == "running")
        .with_for_update()
    ).all()
    for run in waiting:
        if run.cursor.get("operation") == message.payload["operation"]:
            run.due_at = now
            session.add(run)


def shop_handlers(cipher: Cipher) -> Mapping[str, ShopHandler]:
    """What answers each message about the shop itself."""
    return {
        "app/uninstalled": uninstalled,
        "app/scopes_update": changed,
        "shop/update": changed,
        "bulk_operations/finish": bulk_operation_finished,
        CONSENT_TOPIC: consent_changed,
        "customers/data_request": privacy.data_requested,
        "customers/redact": partial(privacy.customer_redacted, cipher),
        "shop/redact": redacted,
    }
