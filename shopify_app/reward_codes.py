"""The codes of rewards, and the marks by which we know our own things at Shopify.

Shopify knows no idempotency key for discounts and gift cards, so the code itself is one: it follows from the reward's id and a key of the
shop's own. Asking again for the same reward asks for the same code.
"""

import hashlib
import hmac

from loyalty.encryption import Cipher
from loyalty.models import RewardIssue, Shop
from loyalty.redemption import terms_of

# No I, L, O and U: nothing is mistaken for 1 or 0, and no words come about.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 12
# A gift card's whole code has 8 to 20 letters and digits.
LONGEST_CARD_PREFIX = 8


def code_of(cipher: Cipher, shop: Shop, issue: RewardIssue) -> str | None:
    """The code of a reward; store credit has none."""
    prefix = terms_of(issue).code_prefix.upper()
    if issue.kind == "store_credit":
        return None
    if issue.kind == "gift_card":
        letters = "".join(letter for letter in prefix if letter.isalnum())
        return letters[:LONGEST_CARD_PREFIX] + _characters(cipher, shop, issue.id)
    return reward_code(cipher, shop, issue.id, prefix)


def reward_code(cipher: Cipher, shop: Shop, issue_id: str, prefix: str = "LAUREL") -> str:
    """The code of a discount: always the same for the same reward, and not to be guessed without the shop's key."""
    return f"{prefix}-{_characters(cipher, shop, issue_id)}"


def title_of(row: RewardIssue) -> str:
    """A discount's title (or a gift card's note) in the admin. It names the reward's id: by that we know our own."""
    return f"{row.title} (Laurel {row.id})"


def _characters(cipher: Cipher, shop: Shop, issue_id: str) -> str:
    key = cipher.open(shop.code_key, row=f"shop:{shop.domain}")
    number = int.from_bytes(hmac.new(key.encode(), issue_id.encode(), hashlib.sha256).digest(), "big")
    characters = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[place])
    return "".join(characters)
