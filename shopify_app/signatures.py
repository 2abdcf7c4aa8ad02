"""Shopify's signatures, checked over bytes and plain mappings. Knows no web framework, and an empty secret verifies nothing."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import parse_qsl

PROXY_WINDOW_SECONDS = 90
_SINGLE = frozenset({"shop", "signature", "timestamp", "logged_in_customer_id", "path_prefix"})


class SignatureRefused(Exception):
    """A signed query does not hold. ``code`` says what is wrong with it; the values are never part of the message."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def webhook_signature_holds(body: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Whether ``signature`` (base64) is the HMAC-SHA256 of the raw body under one of the secrets."""
    try:
        given = base64.b64decode(signature.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return False
    return any(hmac.compare_digest(_digest(secret, body), given) for secret in secrets if secret)


def verified_proxy_query(query: str, secrets: Sequence[str], *, now: datetime) -> dict[str, str]:
    """The parameters of a signed app proxy request. Raises ``SignatureRefused``.

    The request can be replayed by anyone who saw it for as long as the window is open, so a caller must not change state on GET.
    """
    if not query.isascii():
        raise SignatureRefused("not_ascii")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise SignatureRefused("unreadable") from None
    grouped: dict[str, list[str]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    if any(len(grouped.get(key, ())) > 1 for key in _SINGLE):
        raise SignatureRefused("duplicate_parameter")
    signature = grouped.pop("signature", [""])[0]
    if not _proxy_signature_holds(grouped.items(), signature, secrets):
        raise SignatureRefused("bad_signature")
    _check_window(grouped.get("timestamp", [""])[0], now)
    return {key: ",".join(values) for key, values in grouped.items()}


def _proxy_signature_holds(
    grouped: Iterable[tuple[str, list[str]]], signature: str, secrets: Sequence[str]
) -> bool:
    message = "".join(sorted(f"{key}={','.join(values)}" for key, values in grouped)).encode()
    try:
        given = bytes.fromhex(signature)
    except ValueError:
        return False
    return any(hmac.compare_digest(_digest(secret, message), given) for secret in secrets if secret)


def _check_window(timestamp: str, now: datetime) -> None:
    # Digits only: int() would also take signs, spaces, underscores and other alphabets.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise SignatureRefused("bad_timestamp")
    if abs(now.timestamp() - int(timestamp)) > PROXY_WINDOW_SECONDS:
        raise SignatureRefused("outside_window")


def _digest(secret: str, message: bytes) -> bytes:
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()
