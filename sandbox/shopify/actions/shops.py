"""Shops come to be, change, install the app and leave it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sandbox.shopify.clock import zulu
from sandbox.shopify.config import MetafieldDefinition
from sandbox.shopify.errors import ActionRefused
from sandbox.shopify.ids import gid
from sandbox.shopify.money import parse
from sandbox.shopify.people import later
from sandbox.shopify.shop import Collection, Installation, Product, Shop
from sandbox.shopify.webhooks import payloads
from sandbox.shopify.world import World

# Title, handle, price, number, gift card, tags, collections.
DEFAULT_PRODUCTS = (
    ("Boston Fern", "boston-fern", "28.00", "FERN-BOS", False, ("fern", "shade"), ("Plants",)),
    ("Maidenhair Fern", "maidenhair-fern", "24.50", "FERN-MAI", False, ("fern", "shade"), ("Plants",)),
    (
        "Fiddle Leaf Fig",
        "fiddle-leaf-fig",
        "64.00",
        "FIG-FID",
        False,
        ("fig", "Sun"),
        ("Plants", "Big things"),
    ),
    ("Terracotta Pot", "terracotta-pot", "18.00", "POT-TER", False, (), ("Pots and tools",)),
    ("Brass Watering Can", "brass-watering-can", "42.00", "CAN-BRA", False, ("gift",), ("Pots and tools",)),
    ("Gift Card", "gift-card", "25.00", "GIFT-25", True, (), ()),
)
CHANGEABLE = {
    "name",
    "email",
    "currency",
    "money_format",
    "timezone",
    "country",
    "plan",
    "owner",
    "locale",
    "accounts",
}
PERSONAL_FIELDS = {"name", "address", "email", "phone"}


def create(world: World, domain: str, **settings: Any) -> Shop:
    """Open a shop with a few products; the app is not installed yet."""
    if not domain.endswith(".myshopify.com") or domain == ".myshopify.com":
        raise ActionRefused("bad_domain", "A shop's domain ends in .myshopify.com.")
    if domain in world.shops:
        raise ActionRefused("taken", "That domain is taken.", status=409)
    now = world.now().replace(microsecond=0)
    name = settings.pop("name", domain.removesuffix(".myshopify.com").replace("-", " ").title())
    shop = Shop(id=world.ids.next("Shop"), domain=domain, name=name, email=f"hello@{domain}", created_at=now)
    shop.rates = {code: rate for code, rate in shop.rates.items() if code != settings.get("currency", "USD")}
    apply_settings(shop, settings)
    names = ("title", "handle", "price", "sku", "gift_card", "tags", "collections")
    for row in DEFAULT_PRODUCTS:
        add_product(world, shop, **dict(zip(names, row, strict=True)))
    world.shops[domain] = shop
    return shop


def apply_settings(shop: Shop, settings: dict[str, Any]) -> None:
    """Set the shop's own settings; an unknown name is refused."""
    for key, value in settings.items():
        if key in CHANGEABLE:
            setattr(shop, key, str(value))
        elif key == "protected_data":
            shop.protected_data = _approval(str(value))
        elif key in ("taxes_included", "amount_refunds_move_subtotal"):
            setattr(shop, key, bool(value))
        elif key == "tax_rate":
            shop.tax_rate = parse(value)
        elif key == "rates":
            shop.rates = {code: parse(rate) for code, rate in dict(value).items()}
        else:
            raise ActionRefused("unknown_setting", f"A shop has no setting {key}.")


def _approval(said: str) -> str:
    """What the app is approved for: `level2`, `none`, or some of the personal fields by name."""
    if said not in ("level2", "none") and not set(said.split(",")) <= PERSONAL_FIELDS:
        raise ActionRefused(
            "bad_approval", "An app is approved for level2, none, or some of name,address,email,phone."
        )
    return said


def update(world: World, shop: Shop, settings: dict[str, Any]) -> Shop:
    """Change the shop's settings and tell the app."""
    apply_settings(shop, settings)
    shop.updated_at = later(world.now(), shop.updated_at or shop.created_at)
    world.fire(shop, [("shop/update", payloads.shop(shop))])
    return shop


def add_product(world: World, shop: Shop, **fields: Any) -> Product:
    """Put something on sale."""
    title = str(fields["title"])
    product = Product(
        id=world.ids.next("Product"),
        variant_id=world.ids.next("ProductVariant"),
        title=title,
        handle=str(fields.get("handle") or title.lower().replace(" ", "-")),
        price=parse(fields.get("price", "10.00")).quantize(Decimal("0.01")),
        sku=str(fields.get("sku") or title.upper().replace(" ", "-")),
        vendor=str(fields.get("vendor") or shop.name),
        product_type=str(fields.get("product_type", "")),
        tags=tuple(str(tag) for tag in fields.get("tags", ())),
        collections=_collections(world, shop, fields.get("collections", ())),
        gift_card=bool(fields.get("gift_card", False)),
        taxable=not fields.get("gift_card", False),
        created_at=world.now(),
    )
    shop.products[product.id] = product
    return product


def change_product(world: World, shop: Shop, product: Product, fields: dict[str, Any]) -> Product:
    """Tag a product anew or move it to other collections."""
    unknown = fields.keys() - {"tags", "collections"}
    if unknown:
        raise ActionRefused("unknown_field", f"A product has no {', '.join(sorted(unknown))} to change.")
    changed = product
    if "tags" in fields:
        changed = replace(changed, tags=tuple(str(tag) for tag in fields["tags"]))
    if "collections" in fields:
        changed = replace(changed, collections=_collections(world, shop, fields["collections"]))
    shop.products[product.id] = changed
    return changed


def _collections(world: World, shop: Shop, titles: Iterable[str]) -> tuple[int, ...]:
    """The ids of collections by their titles; one that is not there yet is made."""
    return tuple(dict.fromkeys(_collection(world, shop, str(title)).id for title in titles))


def _collection(world: World, shop: Shop, title: str) -> Collection:
    known = next((item for item in shop.collections.values() if item.title == title), None)
    if known is not None:
        return known
    handle = title.lower().replace(" ", "-")
    made = Collection(world.ids.next("Collection"), title, handle, world.now())
    shop.collections[made.id] = made
    return made


def install(world: World, shop: Shop, *, scopes: tuple[str, ...] | None = None) -> Installation:
    """The merchant clicks Install: the app's required scopes are granted, nothing is called yet."""
    if shop.installation is not None:
        raise ActionRefused("installed", "The app is already installed.", status=409)
    shop.installation = Installation(
        id=world.ids.next("AppInstallation"), scopes=scopes or world.config.scopes, installed_at=world.now()
    )
    return shop.installation


def uninstall(world: World, shop: Shop) -> None:
    """The merchant removes the app: its tokens and its own data die before the webhook is even sent."""
    if shop.installation is None:
        raise ActionRefused("not_installed", "The app is not installed.", status=409)
    owner = gid("AppInstallation", shop.installation.id)
    shop.metafields = {key: value for key, value in shop.metafields.items() if key[0] != owner}
    shop.installation = None
    shop.embeds.clear()
    world.fire(shop, [("app/uninstalled", payloads.shop(shop))])


def change_scopes(
    world: World, shop: Shop, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The merchant grants or revokes scopes; the app hears of it if anything changed."""
    if shop.installation is None:
        raise ActionRefused("not_installed", "The app is not installed.", status=409)
    unknown = [name for name in add if name not in (*world.config.scopes, *world.config.optional_scopes)]
    if unknown:
        raise ActionRefused(
            "undeclared_scope", f"The app's configuration does not declare {', '.join(unknown)}."
        )
    previous = shop.installation.scopes
    kept = [name for name in previous if name not in remove]
    current = tuple(dict.fromkeys([*kept, *add]))
    if current != previous:
        shop.installation.scopes = current
        body = payloads.scopes_update(shop, previous=previous, current=current, at=zulu(world.now()))
        world.fire(shop, [("app/scopes_update", body)])
    return current


def redact(world: World, shop: Shop) -> None:
    """Forty-eight hours after an uninstall, Shopify asks for the shop's data to be erased."""
    if shop.installation is not None:
        raise ActionRefused("installed", "shop/redact is only sent while the app is uninstalled.", status=409)
    world.fire(shop, [("shop/redact", {"shop_id": shop.id, "shop_domain": shop.domain})])


def define_metafield(world: World, definition: MetafieldDefinition) -> None:
    """Declare one more metafield of the app's own, as a deployed TOML does."""
    others = [
        item
        for item in world.config.definitions
        if (item.owner, item.key) != (definition.owner, definition.key)
    ]
    world.config.definitions = [*others, replace(definition)]
