"""Made-up orders in the shape and size of Shopify's ``orders/paid`` webhooks: about 5 KB, two lines, addresses, a known customer."""

import json
from datetime import UTC, datetime
from typing import Any

SHOP = "fern-and-fig.myshopify.com"
TOPIC = "orders/paid"
FIRST_ORDER = 5_500_000_000_000
FIRST_CUSTOMER = 7_000_000_000_000
_PLACED = datetime(2026, 11, 1, 12, tzinfo=UTC)


def email_of(customer: int) -> str:
    """The address of the customer with this number."""
    return f"shopper{customer}@fernandfig.shop"


def order_body(number: int, customer: int, *, placed_at: datetime = _PLACED) -> str:
    """The body of one paid order. The same numbers always give the same body."""
    at = placed_at.isoformat()
    lines = [_line(number, index, price) for index, price in enumerate((_price(number), "12.50"))]
    goods = sum(float(line["price"]) * line["quantity"] for line in lines)
    body = (
        _names(number)
        | _origin(number)
        | _state(at)
        | _sums(f"{goods:.2f}", f"{goods + 5:.2f}")
        | {
            "contact_email": email_of(customer),
            "email": email_of(customer),
            "billing_address": _address(customer),
            "shipping_address": _address(customer),
            "customer": _customer(customer, at),
            "line_items": lines,
            "shipping_lines": [_shipping(number)],
        }
    )
    return json.dumps(body, separators=(",", ":"))


def _names(number: int) -> dict[str, Any]:
    """By what the order is known."""
    return {
        "id": FIRST_ORDER + number,
        "admin_graphql_api_id": f"gid://shopify/Order/{FIRST_ORDER + number}",
        "cart_token": f"c{number:031x}",
        "checkout_id": 37_000_000_000_000 + number,
        "checkout_token": f"{number:032x}",
        "confirmation_number": f"K{number:08d}",
        "name": f"#{1001 + number}",
        "number": number + 1,
        "order_number": 1001 + number,
    }


def _origin(number: int) -> dict[str, Any]:
    """Where the order comes from."""
    return {
        "app_id": 580111,
        "browser_ip": "203.0.113.9",
        "buyer_accepts_marketing": False,
        "customer_locale": "en-US",
        "landing_site": "/collections/tea?utm_source=newsletter",
        "order_status_url": f"https://{SHOP}/61234567890/orders/{number:032x}/authenticate?key=0123456789abcdef",
        "payment_gateway_names": ["shopify_payments"],
        "referring_site": "https://fernandfig.shop/",
        "source_name": "web",
    }


def _state(at: str) -> dict[str, Any]:
    """That it is paid, and nothing else has happened to it."""
    return {
        "cancel_reason": None,
        "cancelled_at": None,
        "confirmed": True,
        "created_at": at,
        "processed_at": at,
        "updated_at": at,
        "discount_applications": [],
        "discount_codes": [],
        "financial_status": "paid",
        "fulfillment_status": None,
        "fulfillments": [],
        "note": None,
        "note_attributes": [],
        "refunds": [],
        "tags": "",
        "test": False,
    }


def _sums(subtotal: str, total: str) -> dict[str, Any]:
    """What it costs, in each of the ways in which Shopify says so."""
    return {
        "currency": "USD",
        "presentment_currency": "USD",
        "current_subtotal_price": subtotal,
        "current_subtotal_price_set": _bag(subtotal),
        "current_total_price": total,
        "current_total_price_set": _bag(total),
        "estimated_taxes": False,
        "subtotal_price": subtotal,
        "subtotal_price_set": _bag(subtotal),
        "tax_lines": [],
        "taxes_included": False,
        "total_discounts": "0.00",
        "total_discounts_set": _bag("0.00"),
        "total_line_items_price": subtotal,
        "total_outstanding": "0.00",
        "total_price": total,
        "total_price_set": _bag(total),
        "total_tax": "0.00",
    }


def _shipping(number: int) -> dict[str, Any]:
    return {
        "id": 4_500_000_000_000 + number,
        "code": "Standard",
        "discounted_price": "5.00",
        "discounted_price_set": _bag("5.00"),
        "price": "5.00",
        "price_set": _bag("5.00"),
        "source": "shopify",
        "tax_lines": [],
        "title": "Standard",
        "discount_allocations": [],
    }


def _price(number: int) -> str:
    return f"{20 + number % 80}.00"


def _bag(amount: str) -> dict[str, Any]:
    money = {"amount": amount, "currency_code": "USD"}
    return {"shop_money": money, "presentment_money": money}


def _line(number: int, index: int, price: str) -> dict[str, Any]:
    ident = 14_000_000_000_000 + number * 10 + index
    return {
        "id": ident,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{ident}",
        "current_quantity": 1 + index,
        "fulfillable_quantity": 1 + index,
        "fulfillment_service": "manual",
        "fulfillment_status": None,
        "gift_card": False,
        "grams": 250,
        "name": "Fig leaf candle - 250 g",
        "price": price,
        "price_set": _bag(price),
        "product_exists": True,
        "product_id": 8_000_000_000_000 + index,
        "properties": [],
        "quantity": 1 + index,
        "requires_shipping": True,
        "sku": f"FIG-{index:03d}",
        "taxable": True,
        "title": "Fig leaf candle",
        "total_discount": "0.00",
        "total_discount_set": _bag("0.00"),
        "variant_id": 45_000_000_000_000 + index,
        "variant_title": "250 g",
        "vendor": "Fern & Fig",
        "tax_lines": [],
        "duties": [],
        "discount_allocations": [],
    }


def _address(customer: int) -> dict[str, Any]:
    return {
        "first_name": "Robin",
        "last_name": f"Marsh {customer}",
        "address1": f"{customer % 900 + 1} Orchard Lane",
        "address2": None,
        "phone": None,
        "city": "Portland",
        "zip": "97201",
        "province": "Oregon",
        "country": "United States",
        "company": None,
        "latitude": 45.5,
        "longitude": -122.6,
        "name": f"Robin Marsh {customer}",
        "country_code": "US",
        "province_code": "OR",
    }


def _customer(customer: int, at: str) -> dict[str, Any]:
    return {
        "id": FIRST_CUSTOMER + customer,
        "email": email_of(customer),
        "created_at": "2025-06-01T10:00:00+00:00",
        "updated_at": at,
        "first_name": "Robin",
        "last_name": f"Marsh {customer}",
        "state": "enabled",
        "note": None,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "phone": None,
        "currency": "USD",
        "tax_exemptions": [],
        "admin_graphql_api_id": f"gid://shopify/Customer/{FIRST_CUSTOMER + customer}",
        "default_address": _address(customer) | {"id": 9_000_000_000_000 + customer, "default": True},
    }
