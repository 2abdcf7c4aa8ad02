"""The first acts: the app comes into the shop, and Klaviyo to the app."""

from demo.cast import IVY, Cast

SYNTHETIC = 250
LONG_AGO = "2025-03-14T10:00:00Z"
NAMED = (
    ("ivy@fernandfig.shop", "Ivy", "Marlowe"),
    ("basil@fernandfig.shop", "Basil", "Okafor"),
    ("hazel@fernandfig.shop", "Hazel", "Lindqvist"),
)


def customers_of_old(cast: Cast) -> None:
    """The shop has customers from before the program."""
    cast.in_shop("/customers/synthetic", count=SYNTHETIC, label="shopper")
    for email, first, last in NAMED:
        cast.in_shop(
            "/customers", email=email, first_name=first, last_name=last, created_at=LONG_AGO, silent=True
        )
    cast.teller.say(
        f"{SYNTHETIC} customers, and {', '.join(first for _, first, _ in NAMED)}, shopped here before"
    )


def install(cast: Cast) -> None:
    """The merchant installs the app and opens it; the customers come by a bulk operation."""
    cast.in_shop("/install")
    page = cast.merchant.page("/")
    cast.teller.expect("the app's home is shown inside the admin", expected=True, found="<s-page" in page)
    cast.in_shop("/embeds", launcher=True)
    cast.teller.say("she switches the launcher on in her theme")
    job = cast.job_done("customer_import")
    cast.teller.expect("customers imported", SYNTHETIC + len(NAMED), job["done"])


def connect(cast: Cast) -> None:
    """The merchant connects Klaviyo on Klaviyo's own consent page."""
    cast.teller.expect("the way to Klaviyo and back", "connected", cast.merchant.connect_klaviyo())
    cast.teller.eventually("review webhooks at Klaviyo that are switched on", 1, lambda: _enabled(cast))


def sync(cast: Cast) -> None:
    """The merchant presses Sync customer data."""
    cast.merchant.press("/klaviyo/sync")
    job = cast.job_done("klaviyo_sync")
    cast.teller.expect("profiles synced", SYNTHETIC + len(NAMED), job["done"])
    cast.teller.expect("profiles at Klaviyo", job["done"], cast.klaviyo.get("/counts")["profiles"])
    cast.teller.expect("Ivy's balance on her profile", 0, cast.profile(IVY).get("Laurel Points Balance"))


def _enabled(cast: Cast) -> int:
    return sum(hook["enabled"] for hook in cast.klaviyo.get("/webhooks")["webhooks"])


__all__ = ["connect", "customers_of_old", "install", "sync"]
