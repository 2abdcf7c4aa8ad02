"""Rewards that members have: how they are asked for, given, made, used, ended and taken back.

Money first: points go and the reward is recorded in one transaction, before Shopify hears of it. From then on the reward is
``issuing``; it becomes ``issued`` when Shopify has it, or ``failed``, and then the points come back. It speaks to nobody outside: what
Shopify has to do is put in the outbox, and what Shopify did comes back as a fact.
"""

from loyalty.redemption.asking import credit_may_be_paid, leave_to_a_person, name_code
from loyalty.redemption.cancelling import CancelRefused, cancel, reward_deactivated
from loyalty.redemption.ending import expire, remind
from loyalty.redemption.giving import give
from loyalty.redemption.issuing import BY_STAFF, GIVEN_UP, NOT_IN_TIME, reward_failed, reward_issued
from loyalty.redemption.overdue import LONGEST_ISSUING, return_overdue, shops_with_overdue
from loyalty.redemption.records import DEACTIVATE_CODE, ISSUE_REWARD, locked, tell_to_make
from loyalty.redemption.requesting import request_reward
from loyalty.redemption.showing import shown_state
from loyalty.redemption.terms import terms_of
from loyalty.redemption.using import mark_used

__all__ = [
    "BY_STAFF",
    "DEACTIVATE_CODE",
    "GIVEN_UP",
    "ISSUE_REWARD",
    "LONGEST_ISSUING",
    "NOT_IN_TIME",
    "CancelRefused",
    "cancel",
    "credit_may_be_paid",
    "expire",
    "give",
    "leave_to_a_person",
    "locked",
    "mark_used",
    "name_code",
    "remind",
    "request_reward",
    "return_overdue",
    "reward_deactivated",
    "reward_failed",
    "reward_issued",
    "shops_with_overdue",
    "shown_state",
    "tell_to_make",
    "terms_of",
]
