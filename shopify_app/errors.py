"""What can go wrong between us and Shopify. Errors carry numbers and names, never bodies, tokens or addresses with queries."""


class ShopifyError(Exception):
    """Anything that Shopify did not do for us. ``status`` is the HTTP status, if there was an answer."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Unreachable(ShopifyError):
    """No usable answer: connection lost, time ran out, or an error of the server. The request may have been carried out."""


class Throttled(ShopifyError):
    """Too many requests; worth trying again in ``seconds``."""

    def __init__(self, seconds: float, *, status: int | None = 429) -> None:
        super().__init__("throttled", status=status)
        self.seconds = seconds


class NeedsReauthorization(ShopifyError):
    """The shop's tokens are no longer good; the merchant has to open the app once."""


class NotInstalled(ShopifyError):
    """The app is not, or no longer, in this shop."""


class ShopUnavailable(ShopifyError):
    """The shop is frozen, locked, closed or gone. It may come back."""


class ConfigurationWrong(ShopifyError):
    """Our client id or secret is not accepted. An operator has to mend it; the shop's tokens are kept."""


class BeingErased(ShopifyError):
    """The shop's rows are being removed, as Shopify asked; it can be installed anew when that is done."""


class TokenBusy(ShopifyError):
    """Somebody else is renewing the token and was not done in time."""


class RequestInvalid(ShopifyError):
    """Shopify does not understand or does not allow what we asked."""


class AccessDenied(RequestInvalid):
    """Shopify does not let us see or do this: a scope was not granted, or was taken back."""
