"""The one form in which e-mail addresses are compared."""


def normal_email(text: str | None) -> str | None:
    """Trimmed and lower case, or None when there is nothing. It does not judge whether the address can receive mail."""
    normal = (text or "").strip().lower()
    return normal or None
