"""The REST-shaped bodies of webhooks about customers, shops and the app itself.

Orders and refunds have a module of their own. Customers carry no tags and no consent, as since 2025-01.
"""

from __future__ import annotations

from typing import Any

from sandbox.shopify import addresses
from sandbox.shopify.clock import local
from sandbox.shopify.ids import gid
from sandbox.shopify.money import text
from sandbox.shopify.people import Customer
from sandbox.shopify.shop import Shop

PERSONAL = {
    "email": "email",
    "contact_email": "email",
    "phone": "phone",
    "first_name": "name",
    "last_name": "name",
}
ADDRESSES = ("shipping_address", "billing_address", "default_address")
ADDRESS_PARTS = {
    **dict.fromkeys(("address1", "address2", "zip", "latitude", "longitude"), "address"),
    **dict.fromkeys(("first_name", "last_name", "name"), "name"),
    "phone": "phone",
}


def without_personal_data(shop: Shop, body: dict[str, Any]) -> dict[str, Any]:
    """Leave out the personal fields for which the app was not approved; all addresses where it was approved for none."""
    shown = {key: value for key, value in body.items() if key not in PERSONAL or shop.approves(PERSONAL[key])}
    if shop.protected_data == "none":
        return {key: value for key, value in shown.items() if key not in (*ADDRESSES, "addresses")}
    for key in ADDRESSES:
        if shown.get(key):
            shown[key] = _approved_parts(shop, shown[key])
    if "addresses" in shown:
        shown["addresses"] = [_approved_parts(shop, row) for row in shown["addresses"]]
    return shown


def _approved_parts(shop: Shop, address: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in address.items()
        if key not in ADDRESS_PARTS or shop.approves(ADDRESS_PARTS[key])
    }


def customer(shop: Shop, person: Customer, *, embedded: bool = False) -> dict[str, Any]:
    """A customer; `embedded` is the shorter form inside an order."""
    body: dict[str, Any] = {
        "id": person.id,
        "created_at": local(person.created_at, shop.timezone),
        "updated_at": local(person.updated_at, shop.timezone),
        "first_name": person.first_name,
        "last_name": person.last_name,
        "state": person.state,
        "note": person.note,
        "verified_email": person.verified_email,
        "multipass_identifier": None,
        "tax_exempt": False,
        "email": person.email,
        "phone": person.phone,
        "currency": shop.currency,
        "tax_exemptions": [],
        "admin_graphql_api_id": gid("Customer", person.id),
    }
    where = addresses.of_customer(person.address, person.id)
    if not embedded:
        body["addresses"] = [where] if where else []
    if where:
        body["default_address"] = where
    return without_personal_data(shop, body)


def customer_deleted(person_id: int) -> dict[str, Any]:
    """What is left to say about a deleted customer."""
    return {"id": person_id, "tax_exemptions": [], "admin_graphql_api_id": gid("Customer", person_id)}


def email_consent(shop: Shop, person: Customer) -> dict[str, Any]:
    """The e-mail consent of a customer, which has a topic of its own."""
    return {
        "customer_id": person.id,
        "email_address": person.email,
        "email_marketing_consent": {
            "state": person.email_consent,
            "opt_in_level": "single_opt_in" if person.email_consent == "subscribed" else None,
            "consent_updated_at": local(person.consent_at, shop.timezone),
        },
    }


def sms_consent(shop: Shop, person: Customer) -> dict[str, Any]:
    """The SMS consent of a customer."""
    return {
        "id": person.id,
        "phone": person.phone,
        "sms_marketing_consent": {
            "state": person.sms_consent,
            "opt_in_level": "single_opt_in" if person.sms_consent == "subscribed" else None,
            "consent_updated_at": local(person.consent_at, shop.timezone),
            "consent_collected_from": "other",
        },
    }


def tags(person: Customer, changed: list[str], occurred_at: str) -> dict[str, Any]:
    """Tags added to or removed from a customer."""
    return {"customerId": gid("Customer", person.id), "tags": changed, "occurredAt": occurred_at}


def purchasing_summary(shop: Shop, person: Customer, occurred_at: str) -> dict[str, Any]:
    """How much a customer has bought."""
    return {
        "customerId": gid("Customer", person.id),
        "numberOfOrders": person.orders,
        "amountSpent": {"amount": text(person.spent), "currencyCode": shop.currency},
        "lastOrderId": gid("Order", person.last_order_id) if person.last_order_id else None,
        "occurredAt": occurred_at,
    }


def merge(kept: int, deleted: int, *, status: str, errors: list[dict[str, Any]]) -> dict[str, Any]:
    """Two customers became one, or did not."""
    return {
        "admin_graphql_api_customer_kept_id": gid("Customer", kept),
        "admin_graphql_api_customer_deleted_id": gid("Customer", deleted),
        "admin_graphql_api_job_id": None,
        "status": status,
        "errors": errors,
    }


def shop(store: Shop) -> dict[str, Any]:
    """The shop itself, as in shop/update and app/uninstalled."""
    return {
        "id": store.id,
        "name": store.name,
        "email": store.email,
        "domain": store.domain,
        "province": None,
        "country": store.country,
        "address1": "12 Garden Lane",
        "zip": "97205",
        "city": "Portland",
        "source": None,
        "phone": None,
        "latitude": None,
        "longitude": None,
        "primary_locale": store.locale,
        "address2": None,
        "created_at": local(store.created_at, store.timezone),
        "updated_at": local(store.updated_at or store.created_at, store.timezone),
        "country_code": store.country,
        "country_name": store.country,
        "currency": store.currency,
        "customer_email": store.email,
        "timezone": store.timezone,
        "iana_timezone": store.timezone,
        "shop_owner": store.owner,
        "money_format": store.money_format,
        "money_with_currency_format": f"{store.money_format} {store.currency}",
        "weight_unit": "kg",
        "province_code": None,
        "taxes_included": store.taxes_included,
        "tax_shipping": None,
        "county_taxes": True,
        "plan_display_name": store.plan,
        "plan_name": store.plan.lower(),
        "has_discounts": bool(store.discounts),
        "has_gift_cards": bool(store.gift_cards),
        "myshopify_domain": store.domain,
        "password_enabled": False,
        "has_storefront": True,
        "enabled_presentment_currencies": [store.currency, *store.rates],
    }


def scopes_update(
    store: Shop, *, previous: tuple[str, ...], current: tuple[str, ...], at: str | None
) -> dict[str, Any]:
    """The app's scopes changed."""
    number = store.installation.id if store.installation else 0
    return {
        "id": number,
        "shop_id": gid("Shop", store.id),
        "previous": list(previous),
        "current": list(current),
        "updated_at": at,
    }
