"""One spelling for an e-mail address, so that the same person is found by it wherever the address came from."""

LONGEST = 254


def normal_email(text: str | None) -> str | None:
    """The address trimmed and in lower case, or None when there is none or it cannot be one.

    It judges no further: what a shop has taken as a customer's address is that customer's address.
    """
    if not text:
        return None
    trimmed = text.strip().lower()
    local, at, host = trimmed.rpartition("@")
    has_space = trimmed.split() != [trimmed]
    if has_space or not (local and at and host) or len(trimmed) > LONGEST:
        return None
    return trimmed
