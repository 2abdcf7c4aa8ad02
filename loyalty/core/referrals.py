"""Referral codes, and how two addresses are compared when somebody may be referring themselves.

Every member has a code without anybody having written it down: it is the member's id, scrambled so that codes do not count up, in an
alphabet without look-alikes, with a check character. The scrambling hides nothing that matters: a code is made to be shared.
"""

import re

# Crockford's alphabet: no I, L, O and U.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_LOOK_ALIKES = str.maketrans("OIL", "011")
_BITS = 35
_SPACE = 1 << _BITS
_HALF = 18
_FACTORS = (0x5DEECE66D, 0x2545F4915)
_INVERSES = tuple(pow(factor, -1, _SPACE) for factor in _FACTORS)
_BODY = _BITS // 5
# What a merchant wrote by hand or brought from elsewhere.
_ANY_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{2,63}")

# Hosts whose mailboxes ignore dots, and what their addresses are written as in full.
_DOTLESS_HOSTS = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}


def own_code(member_id: int) -> str:
    """The code that a member has from the start: eight characters, another one for each id."""
    if not 0 < member_id < _SPACE:
        raise ValueError("no code for this id")
    number = member_id
    for factor in _FACTORS:
        number = number * factor % _SPACE
        number ^= number >> _HALF
    body = "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_BODY)))
    return body + _check_character(body)


def member_of(code: str) -> int | None:
    """The id of the member whose code from the start this is, or None when it is none."""
    body = code[:_BODY]
    if len(code) != _BODY + 1 or any(character not in _VALUES for character in code):
        return None
    if code[_BODY] != _check_character(body):
        return None
    number = 0
    for character in body:
        number = number << 5 | _VALUES[character]
    for inverse in reversed(_INVERSES):
        number ^= number >> _HALF
        number = number * inverse % _SPACE
    return number or None


def read_code(text: str) -> tuple[str, ...]:
    """What a code that somebody typed may be: as it was typed, in capitals, and with look-alikes put right. Empty when it is none."""
    typed = text.strip()
    if not _ANY_CODE.fullmatch(typed):
        return ()
    capitals = typed.upper()
    return tuple(dict.fromkeys((typed, capitals, capitals.replace("-", "").translate(_LOOK_ALIKES))))


def comparable(email: str | None) -> str | None:
    """An address without what lets one mailbox have many: a ``+tag``, and dots where the host ignores them. Only for comparing."""
    if not email:
        return None
    local, _, host = email.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if host in _DOTLESS_HOSTS:
        local, host = local.replace(".", ""), _DOTLESS_HOSTS[host]
    return f"{local}@{host}"


def masked(email: str | None) -> str | None:
    """An address as much as somebody who knows it recognises it by: ``r…@f…``."""
    if not email:
        return None
    local, _, host = email.rpartition("@")
    return f"{local[:1]}…@{host[:1]}…"


def _check_character(body: str) -> str:
    # Odd weights have inverses modulo 32: every single slip changes the sum.
    return _ALPHABET[sum((2 * place + 1) * _VALUES[character] for place, character in enumerate(body)) % 32]
