"""A shopper buys: lines, discount codes, shipping, tax, currency, and payment at once or not at all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.shopify import addresses, totals
from sandbox.shopify.actions import customers
from sandbox.shopify.clock import parse_instant, zulu
from sandbox.shopify.discount import Discount
from sandbox.shopify.errors import ActionRefused, NotFound
from sandbox.shopify.money import ZERO, parse, rounded, spread
from sandbox.shopify.order import AppliedDiscount, Line, Order, Shipping, Transaction
from sandbox.shopify.people import Customer
from sandbox.shopify.shop import Product, Shop
from sandbox.shopify.webhooks import line_payloads, order_payloads, payloads
from sandbox.shopify.world import World

KNOWN = {
    "customer",
    "email",
    "phone",
    "guest",
    "lines",
    "code",
    "codes",
    "discount_amount",
    "shipping",
    "shipping_tax_rate",
    "duties",
    "tax_rate",
    "taxes_included",
    "presentment_currency",
    "test",
    "paid",
    "tip",
    "note",
    "tags",
    "source_name",
    "processed_at",
    "attributes",
    "silent",
    "locale",
    "shipping_address",
    "billing_address",
}


def product(shop: Shop, what: Any) -> Product:
    """Find a product by id, handle or title."""
    for item in shop.products.values():
        if what in (item.id, str(item.id), item.handle, item.title):
            return item
    raise NotFound("product")


def make_line(world: World, shop: Shop, spec: dict[str, Any], tax_rate: Decimal) -> Line:
    """Turn a requested line into one of the order; a line without product is a custom one."""
    known = product(shop, spec["product"]) if spec.get("product") else None
    quantity = int(spec.get("quantity", 1))
    if quantity < 1:
        raise ActionRefused("bad_quantity", "A line needs a quantity of at least one.")
    price = parse(spec["price"]) if "price" in spec else known.price if known else None
    if price is None or price < 0:
        raise ActionRefused("bad_price", "A line needs a product or a price of zero or more.")
    gift_card = bool(spec.get("gift_card", known.gift_card if known else False))
    return Line(
        id=world.ids.next("LineItem"),
        title=str(spec.get("title") or (known.title if known else "Custom item")),
        quantity=quantity,
        price=rounded(price, shop.currency),
        product_id=known.id if known else None,
        variant_id=known.variant_id if known else None,
        sku=spec.get("sku", known.sku if known else None),
        vendor=known.vendor if known else None,
        gift_card=gift_card,
        taxable=bool(spec.get("taxable", not gift_card)),
        tax_rate=tax_rate,
        properties=list(spec.get("properties", [])),
    )


def _buyer(world: World, shop: Shop, spec: dict[str, Any]) -> tuple[Customer | None, bool]:
    """Return who buys, and whether the purchase made the customer record."""
    if spec.get("customer"):
        return customers.find(shop, spec["customer"]), False
    email = spec.get("email")
    if not email:
        return None, False
    known = shop.customers.by_email(email)
    if known is not None:
        return customers.find(shop, known.id), False
    return customers.make(world, shop, state="disabled", email=email, locale=spec.get("locale", "en")), True


def place(world: World, shop: Shop, spec: dict[str, Any]) -> Order:
    """Place an order, paid unless told otherwise, and send every webhook a real purchase sends."""
    unknown = set(spec) - KNOWN
    if unknown:
        raise ActionRefused("unknown_field", f"An order has no field {', '.join(sorted(unknown))}.")
    if not spec.get("lines"):
        raise ActionRefused("no_lines", "An order needs at least one line.")
    rate = parse(spec.get("tax_rate", shop.tax_rate))
    lines = [make_line(world, shop, row, rate) for row in spec["lines"]]
    found = _codes(world, shop, spec, lines)
    order = _draft(world, shop, spec, lines)
    _price(world, order, spec, found)
    # Everything was checked before a guest's customer record may come to be.
    buyer, made = _buyer(world, shop, spec)
    if buyer is not None:
        order.customer_id, order.email = buyer.id, order.email or buyer.email
        _send_home(buyer, order)
        _count(buyer, order, world)
    order.billing_address = order.billing_address or order.shipping_address
    shop.next_order_number += 1
    shop.orders[order.id] = order
    for discount in found:
        discount.uses.append((order.id, order.customer_id, world.now()))
    paid = [sale(world, order)] if spec.get("paid", True) else []
    order.transactions.extend(paid)
    if not spec.get("silent"):
        events: list[tuple[str, Any]] = []
        if buyer is not None and made:
            events.append(("customers/create", payloads.customer(shop, buyer)))
        world.fire(shop, [*events, *_purchase_events(world, shop, order, paid)])
    return order


def _codes(world: World, shop: Shop, spec: dict[str, Any], lines: list[Line]) -> list[Discount]:
    """Find the codes of an order and check that this buyer may use them on these lines."""
    named = [spec["code"]] if spec.get("code") else list(spec.get("codes", []))
    found = [_find_code(shop, code) for code in named]
    buyer = customers.find(shop, spec["customer"]) if spec.get("customer") else None
    buyer = buyer or shop.customers.by_email(spec.get("email") or "")
    _check_codes(found, buyer, lines, world)
    return found


def _draft(world: World, shop: Shop, spec: dict[str, Any], lines: list[Line]) -> Order:
    """The order before prices, buyer and payment."""
    presentment = spec.get("presentment_currency") or shop.currency
    if presentment != shop.currency and presentment not in shop.rates:
        raise ActionRefused("bad_currency", f"The shop does not sell in {presentment}.")
    processed = parse_instant(spec["processed_at"]) if spec.get("processed_at") else world.now()
    processed = processed.replace(microsecond=0)
    return Order(
        id=world.ids.next("Order"),
        number=shop.next_order_number,
        created_at=processed,
        updated_at=processed,
        processed_at=processed,
        currency=shop.currency,
        presentment_currency=presentment,
        rate=shop.rates.get(presentment, Decimal(1)),
        taxes_included=bool(spec.get("taxes_included", shop.taxes_included)),
        lines=lines,
        email=spec.get("email"),
        phone=spec.get("phone"),
        test=bool(spec.get("test", False)),
        tags=sorted(spec.get("tags", [])),
        note=spec.get("note"),
        source_name=str(spec.get("source_name", "web")),
        locale=str(spec.get("locale", "en")),
        attributes=list(spec.get("attributes", [])),
        shipping_address=addresses.read(spec.get("shipping_address")),
        billing_address=addresses.read(spec.get("billing_address")),
        tip=_amount(spec, "tip", shop.currency),
        duties=_amount(spec, "duties", shop.currency),
        moved_by_amounts=shop.amount_refunds_move_subtotal,
    )


def _amount(spec: dict[str, Any], key: str, currency: str) -> Decimal:
    amount = rounded(parse(spec.get(key, "0")), currency)
    if amount < 0:
        raise ActionRefused("bad_amount", f"{key} is not below zero.")
    return amount


def _tip_line(world: World, tip: Decimal) -> Line:
    """A tip is a line of the order that nothing but a key of webhooks tells from a custom one."""
    return Line(world.ids.next("LineItem"), "Tip", 1, tip, taxable=False, tip=True)


def _find_code(shop: Shop, code: str) -> Discount:
    discount = shop.discount_by_code(code)
    if discount is None:
        raise ActionRefused("discount_unknown", f"There is no discount code {code}.")
    return discount


def _check_codes(found: list[Discount], buyer: Customer | None, lines: list[Line], world: World) -> None:
    if len(found) != len({item.id for item in found}):
        raise ActionRefused("discount_twice", "The same code was entered twice.")
    for discount in found:
        discount.check(buyer.id if buyer else None, lines, world.now())
        if not all(discount.combines_with(other) for other in found if other is not discount):
            raise ActionRefused(
                "discount_not_combinable", f"The code {discount.code} does not combine with others."
            )


def _price(world: World, order: Order, spec: dict[str, Any], found: list[Discount]) -> None:
    """Apply shipping and discounts, then freeze the totals of the purchase."""
    if parse(spec.get("shipping", "0")) or any(item.kind == "FreeShipping" for item in found):
        price = rounded(parse(spec.get("shipping", "0")), order.currency)
        rate = parse(spec.get("shipping_tax_rate", "0"))
        order.shipping = Shipping(world.ids.next("ShippingLine"), "Standard", price, tax_rate=rate)
    for index, discount in enumerate(found):
        order.discounts.append(discount.apply(order.lines, order.shipping, index))
    by_hand = parse(spec.get("discount_amount", "0"))
    if by_hand:
        plain = [line for line in order.lines if not line.gift_card]
        amount = min(by_hand, sum((line.net for line in plain), ZERO))
        for line, part in zip(plain, spread(amount, [line.net for line in plain]), strict=True):
            line.allocations.append((len(order.discounts), part))
        order.discounts.append(
            AppliedDiscount("manual", "By hand", None, amount, "fixed_amount", amount=amount)
        )
    if order.tip:
        order.lines.append(_tip_line(world, order.tip))
    order.placed = totals.at_purchase(order)


def _send_home(buyer: Customer, order: Order) -> None:
    """Goods go to the buyer's own address unless another one was given; a first one becomes the buyer's own."""
    if order.shipping_address is None and order.source_name != "pos":
        order.shipping_address = buyer.address if any(line.ships for line in order.lines) else None
    elif buyer.address is None and order.shipping_address is not None:
        buyer.address = order.shipping_address.of(buyer.first_name, buyer.last_name)
    order.billing_address = order.billing_address or order.shipping_address or buyer.address


def _count(buyer: Customer, order: Order, world: World) -> None:
    buyer.orders += 1
    buyer.spent += order.placed["total"]
    buyer.last_order_id = order.id
    buyer.touch(world.now())


def sale(world: World, order: Order) -> Transaction:
    """What the customer still has to pay, paid."""
    return Transaction(
        id=world.ids.next("OrderTransaction"),
        kind="sale",
        status="success",
        amount=totals.current_total(order) - totals.received(order),
        created_at=max(order.created_at, world.now().replace(microsecond=0))
        if order.refunds
        else order.created_at,
        test=order.test,
    )


def _purchase_events(
    world: World, shop: Shop, order: Order, paid: list[Transaction]
) -> list[tuple[str, Any]]:
    body = order_payloads.order(shop, order)
    events: list[tuple[str, Any]] = [("orders/create", body)]
    for item in paid:
        events.append(("order_transactions/create", line_payloads.transaction(shop, order, item)))
        events.append(("orders/paid", body))
    events.append(("orders/updated", body))
    person = shop.customers.get(order.customer_id) if order.customer_id else None
    if person is not None:
        events.append(("customers/update", payloads.customer(shop, person)))
        summary = payloads.purchasing_summary(shop, person, zulu(world.now()) or "")
        events.append(("customers/purchasing_summary", summary))
    return events
