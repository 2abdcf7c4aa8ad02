"""Members bring friends: codes, invitations, claims, and what a referral comes to.

What a referral has come to is judged anew (``loyalty.core.decide.referrals``) from all that is known whenever something of it changes:
the friend's orders, a merge, the word of staff, the end of its hold. So facts may arrive in any order, and nothing is given twice.
"""

from loyalty.referrals.claiming import ReferralClaimed, claim
from loyalty.referrals.codes import advocate_of, code_in_use, own_or_given, take_other_code
from loyalty.referrals.devices import note_device
from loyalty.referrals.finding import BATCH, due_referrals, shops_with_due
from loyalty.referrals.forgetting import forget, forget_invitations
from loyalty.referrals.inviting import MOST_AT_ONCE, share
from loyalty.referrals.problem import ReferralRefused
from loyalty.referrals.ruling import rule
from loyalty.referrals.settling import (
    Ready,
    complete,
    settle_issues,
    settle_members,
    settle_orders,
)
from loyalty.referrals.telling import link_of

__all__ = [
    "BATCH",
    "MOST_AT_ONCE",
    "Ready",
    "ReferralClaimed",
    "ReferralRefused",
    "advocate_of",
    "claim",
    "code_in_use",
    "complete",
    "due_referrals",
    "forget",
    "forget_invitations",
    "link_of",
    "note_device",
    "own_or_given",
    "rule",
    "settle_issues",
    "settle_members",
    "settle_orders",
    "share",
    "shops_with_due",
    "take_other_code",
]
