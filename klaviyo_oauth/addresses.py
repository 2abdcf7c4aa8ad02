"""Whether Klaviyo would take an e-mail address. It asks no name server: that is Klaviyo's business."""

import re

from email_validator import EmailNotValidError, validate_email

LONGEST = 99

# What nearly every address looks like; the thorough check costs a hundred times as much, which a million members would feel.
_PLAIN = re.compile(
    r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(com|net|org|shop|[a-z]{2})"
)
# Klaviyo answers 202 for these and then forgets them.
_TEST_DOMAINS = ("@example.com", "@test.com")


def problem(email: str | None) -> str | None:
    """None for an address that can be sent to Klaviyo, else: no_email, email_too_long, test_address or invalid_email."""
    if not email:
        return "no_email"
    if len(email) > LONGEST:
        return "email_too_long"
    if email.endswith(_TEST_DOMAINS):
        return "test_address"
    if _PLAIN.fullmatch(email):
        local = email.partition("@")[0]
        return None if len(local) <= 64 else "invalid_email"
    try:
        validate_email(email, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return "invalid_email"
    return None if email.isascii() else "invalid_email"
