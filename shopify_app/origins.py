"""Where a shopper's request came from, as salted hashes: enough to see that two came from the same place, and no more.

The salt is the shop's own key, so the same browser has another hash in every shop, and none when the shop is erased.
"""

import hashlib
import hmac
import ipaddress
import re

from flask import request

from loyalty.encryption import Cipher
from loyalty.models import Shop

_DEVICE = re.compile(r"[A-Za-z0-9_-]{8,64}")
_DIGITS = 24


def device_of(cipher: Cipher, shop: Shop, device: object) -> str | None:
    """The hash of the random id that the script keeps in a browser; None when it sent none, or nonsense."""
    if not isinstance(device, str) or not _DEVICE.fullmatch(device):
        return None
    return _hash(cipher, shop, f"device:{device}")


def network_of(cipher: Cipher, shop: Shop) -> str | None:
    """The hash of the shopper's network: Shopify forwards the address first. A whole site of IPv6 addresses is one network."""
    first = request.headers.get("X-Forwarded-For", request.remote_addr or "").partition(",")[0].strip()
    try:
        address = ipaddress.ip_address(first)
    except ValueError:
        return None
    network = ipaddress.ip_network((address, 56 if address.version == 6 else 32), strict=False)
    return _hash(cipher, shop, f"network:{network}")


def _hash(cipher: Cipher, shop: Shop, text: str) -> str:
    key = cipher.open(shop.code_key, row=f"shop:{shop.domain}")
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:_DIGITS]
