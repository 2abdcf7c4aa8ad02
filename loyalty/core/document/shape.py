"""What each part of a document may say, for those who let people fill it in."""

from loyalty.core.document import earning, policies, rewards
from loyalty.core.document.fields import Field
from loyalty.core.document.program import FIELDS
from loyalty.core.document.tiers import TIERS_TABLE

# The things of these parts have keys: one rule, one reward, one campaign.
KEYED_PARTS = ("earn", "rewards", "campaigns")
# These are there or not, as a whole.
WHOLE_PARTS = ("tiers", "referrals", "expiry", "balance_reminder")
GENERAL = "general"
_OF_PARTS = frozenset({*KEYED_PARTS, *WHOLE_PARTS})


def fields_for(part: str, sort: str = "") -> tuple[Field, ...]:
    """The fields of a part; of one thing in it where it has several. ``sort`` is the way of a rule or the kind of a reward.
    ``general`` is what stands at the top of the document and belongs to no part."""
    match part:
        case "earn":
            return (earning.ENABLED, *earning.fields_of(sort))
        case "rewards":
            return rewards.fields_of(sort)
        case "campaigns":
            return earning.CAMPAIGN.fields
        case "tiers":
            return TIERS_TABLE.fields
        case "referrals":
            return policies.REFERRALS.fields
        case "expiry":
            return policies.EXPIRY.fields
        case "balance_reminder":
            return policies.BALANCE_REMINDER.fields
        case "general":
            return tuple(field for field in FIELDS if field.name not in _OF_PARTS)
    raise KeyError(part)
