"""The heart: what a fact means for one member. Pure: standing, fact and program in, entries, awards and news out.

Every award is brought to ``worth - posted`` for its source and rule. Repeated, late and reordered facts therefore end at the same
balance, and what is taken back for a source never exceeds what was given for it. What an order is worth depends on the program's version
and the tier of its first award, whatever becomes of either later (``Pin``).
"""

from loyalty.core.decide.actions import ActionRefused, Occasion, decide_action, decide_occasion
from loyalty.core.decide.decision import (
    NOTHING,
    AdjustmentRefused,
    Decision,
    GiftDue,
    Pin,
    RewardRefused,
    TierMove,
)
from loyalty.core.decide.goals import decide_goals
from loyalty.core.decide.orders import decide_order, order_credit, order_source
from loyalty.core.decide.people import (
    decide_birthday_told,
    decide_customer,
    decide_duplicates,
    decide_subscription,
    decide_transfer,
    newsletter_source,
    signup_source,
)
from loyalty.core.decide.posting import release
from loyalty.core.decide.reviews import EARNING_REVIEW_KINDS, decide_review, review_problem, review_source
from loyalty.core.decide.rewards import (
    Price,
    decide_reward_request,
    decide_reward_retake,
    decide_reward_return,
    ends_at,
    given_news,
    price,
    redeemed_news,
    reminds_at,
    reward_news,
    reward_source,
)
from loyalty.core.decide.staff import debt_source, decide_adjustment, decide_debt, staff_source
from loyalty.core.decide.tiers import decide_tier, tier_slot
from loyalty.core.decide.ways import why_not

__all__ = [
    "EARNING_REVIEW_KINDS",
    "NOTHING",
    "ActionRefused",
    "AdjustmentRefused",
    "Decision",
    "GiftDue",
    "Occasion",
    "Pin",
    "Price",
    "RewardRefused",
    "TierMove",
    "debt_source",
    "decide_action",
    "decide_adjustment",
    "decide_birthday_told",
    "decide_customer",
    "decide_debt",
    "decide_duplicates",
    "decide_goals",
    "decide_occasion",
    "decide_order",
    "decide_review",
    "decide_reward_request",
    "decide_reward_retake",
    "decide_reward_return",
    "decide_subscription",
    "decide_tier",
    "decide_transfer",
    "ends_at",
    "given_news",
    "newsletter_source",
    "order_credit",
    "order_source",
    "price",
    "redeemed_news",
    "release",
    "reminds_at",
    "review_problem",
    "review_source",
    "reward_news",
    "reward_source",
    "signup_source",
    "staff_source",
    "tier_slot",
    "why_not",
]
