"""Seals secrets at rest. A sealed value opens only for the row that it was sealed for, so a copied ciphertext is worthless."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_SEPARATOR = "\x00"


class SealBroken(Exception):
    """A sealed value does not open: wrong key, damaged, or sealed for another row. The value is never part of the message."""

    def __init__(self, row: str) -> None:
        super().__init__(f"a sealed value of {row} cannot be opened")
        self.row = row


class Cipher:
    """Fernet keys; the first seals, all open (so keys can be rotated)."""

    def __init__(self, keys: Sequence[str]) -> None:
        fernets = [Fernet(key) for key in keys]
        self._fernet = MultiFernet(fernets)
        self._first = fernets[0]

    def seal(self, secret: str, *, row: str) -> str:
        """Encrypt ``secret`` for ``row``, for example ``shop:fern.myshopify.com``."""
        return self._fernet.encrypt(f"{row}{_SEPARATOR}{secret}".encode()).decode()

    def open(self, sealed: str, *, row: str) -> str:
        """Decrypt a value sealed for ``row``. Raises ``SealBroken``."""
        try:
            owner, separator, secret = self._fernet.decrypt(sealed.encode()).decode().partition(_SEPARATOR)
        except InvalidToken:
            raise SealBroken(row) from None
        if owner != row or not separator:
            raise SealBroken(row)
        return secret

    def reseal(self, sealed: str, *, place: str) -> str:
        """The same secret for the same row, sealed with the first key; the very value where it is already. Raises ``SealBroken``, which then
        names the ``place`` where the value was found."""
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            pass
        else:
            return sealed
        try:
            return self._fernet.rotate(sealed).decode()
        except InvalidToken:
            raise SealBroken(place) from None
