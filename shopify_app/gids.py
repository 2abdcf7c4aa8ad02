"""Shopify's global ids. An id of the wrong kind is refused, not guessed."""


def gid(kind: str, number: int) -> str:
    """``gid://shopify/Customer/7``."""
    return f"gid://shopify/{kind}/{number}"


def number_of(global_id: object, kind: str) -> int:
    """The number in a global id of this kind. Raises ``ValueError``."""
    prefix = f"gid://shopify/{kind}/"
    if not isinstance(global_id, str) or not global_id.startswith(prefix):
        raise ValueError(f"not an id of {kind}")
    digits = global_id.removeprefix(prefix)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise ValueError(f"not an id of {kind}")
    return int(digits)
