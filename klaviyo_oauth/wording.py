"""What outcomes, problems and reasons mean, in the merchant's words: one sentence for what it is and one for what to do."""

from collections.abc import Mapping

from klaviyo_oauth import sampling
from loyalty import outbox

OUTCOMES: Mapping[str, str] = {
    "connected": "Klaviyo is connected.",
    "denied": "You did not allow the connection in Klaviyo. Nothing has changed.",
    "expired": "The connection took longer than ten minutes. Start it again.",
    "repeated": "This answer of Klaviyo was used before. What came of it is shown below.",
    "failed": "Klaviyo did not accept the connection. Start it again.",
    "unreachable": "Klaviyo does not answer at the moment. Try again in a minute.",
    "elsewhere": "This connection was begun in another shop or by another person, so it was not made. Start it here yourself.",
    "taken": "This Klaviyo account is already linked to another shop. Disconnect it there first, or choose another account.",
}

PROBLEMS: Mapping[str, str] = {
    "authorization_lost": "Klaviyo no longer accepts our authorization: the app was removed there, or not used for 90 days. "
    "Connect again; what happened meanwhile is kept and will be sent.",
    "key_rejected": "Klaviyo no longer accepts the private API key: it was deleted or changed. "
    "Enter a new key; what happened meanwhile is kept and will be sent.",
    "uninstalled": "The app was removed from the shop, so nothing was sent; what waited goes on now that it is back.",
}

REASONS: Mapping[str, str] = {
    "no_email": "The member has no e-mail address, and Klaviyo knows people by e-mail.",
    "invalid_email": "The member's e-mail address is not one that Klaviyo takes.",
    "email_too_long": "The member's e-mail address is longer than Klaviyo takes.",
    "test_address": "Klaviyo discards addresses at example.com and test.com.",
    "no_recipient": "The member is no longer there.",
    "not_connected": "Klaviyo was not connected when this happened.",
    "rate_limit": "Klaviyo's limit is used up for the moment; it goes on by itself.",
    "key_doubted": "Klaviyo refused the private API key once. It is asked again in a minute; only then is the key taken for deleted.",
    "unauthorized": "Klaviyo refuses a fresh token; it is tried again every minute.",
    "token_refresh_failed": "Klaviyo does not renew the authorization at the moment; it is tried again by itself.",
    "sealed_tokens_cannot_be_opened": "The tokens were sealed with a key that this installation no longer has. "
    "Give TOKEN_KEYS the old key as well, or connect again.",
    "timeout": "Klaviyo took too long to answer; it is tried again by itself.",
    "ConnectionError": "Klaviyo could not be reached; it is tried again by itself.",
    "no_profile": "Klaviyo has no profile with the member's e-mail address.",
    "on_its_way": "News of the member is on its way to Klaviyo, so the profile was not compared.",
    "no sealed address": "The address that this was for is not there any more.",
    "the sealed address cannot be opened": "The address was sealed with a key that this installation no longer has.",
    "other_account": "Another Klaviyo account was connected meanwhile. Start it again for that one.",
    "sending_never_ended": "Every attempt to send this ended with the process that made it. Send it again once that is mended.",
    "uninstalled": "The app was removed from the shop while this ran. Start it again.",
    "server errors": "Klaviyo answers with errors; it is tried again by itself.",
}


def reason(text: str) -> str:
    """A recorded reason in plain words, or as it was recorded when there are no better ones."""
    if text.startswith("disconnected: "):
        return PROBLEMS.get(text.removeprefix("disconnected: "), text)
    if text.startswith("forbidden"):
        return f"Klaviyo does not allow this: a permission is missing. Connect again to grant it. ({text})"
    if text.startswith("HTTP 5"):
        return f"{REASONS['server errors']} ({text})"
    return REASONS.get(text, text)


NO_EVENT = "The chosen dialects have no event for this. The profile is brought up to date all the same."

WITHOUT_EVENTS: Mapping[str, str] = {
    sampling.KIND: "One event of every kind that the chosen dialects have, with made-up values.",
    outbox.FORGET: "No event. Our properties are taken off the profile of an address that is nobody's any more: its person was erased, has another "
    "address now, or is one with another account.",
}

WEBHOOK_STATES: Mapping[str, str] = {
    "on": "Klaviyo tells us of reviews as they are submitted.",
    "forbidden": "Klaviyo does not offer webhooks to this account, so we ask for new reviews every few minutes.",
    "no_https_address": "This installation has no https address, so we ask for new reviews every few minutes.",
    "reviews_not_set_up": "Klaviyo knows no review events in this account yet. We look again every hour.",
    "refused": "Klaviyo did not accept our webhook, so we ask for new reviews every few minutes.",
    "": "We ask for new reviews every few minutes.",
}

REVIEW_PROBLEMS: Mapping[str, str] = {
    "missing_scope": "We may not read reviews: the permission reviews:read is missing. Connect again to grant it.",
    "unavailable": "Klaviyo Reviews is not available in this account. We look again by ourselves.",
}
