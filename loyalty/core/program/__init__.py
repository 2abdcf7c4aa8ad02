"""The program: what a shop's document says, as frozen values. Reading a document, with every mistake named, is ``document``'s work."""

from loyalty.core.program.currency import CurrencyFormat
from loyalty.core.program.earning import (
    ACTION_WAYS,
    GOAL_WAYS,
    ONCE,
    ORDER_WAYS,
    REVIEW_WAYS,
    SELF_REPORTED_WAYS,
    WAYS,
    YEARLY,
    ActionRule,
    BirthdayRule,
    Campaign,
    Gift,
    GoalRule,
    Goods,
    Limit,
    OrderRule,
    Rule,
    Schedule,
)
from loyalty.core.program.names import PointsName
from loyalty.core.program.policies import BalanceReminder, Basis, Expiry, Referrals
from loyalty.core.program.program import Program
from loyalty.core.program.rewards import DISCOUNTS, REWARD_KINDS, Combines, Reward
from loyalty.core.program.tiers import Tier, Tiers

__all__ = [
    "ACTION_WAYS",
    "DISCOUNTS",
    "GOAL_WAYS",
    "ONCE",
    "ORDER_WAYS",
    "REVIEW_WAYS",
    "REWARD_KINDS",
    "SELF_REPORTED_WAYS",
    "WAYS",
    "YEARLY",
    "ActionRule",
    "BalanceReminder",
    "Basis",
    "BirthdayRule",
    "Campaign",
    "Combines",
    "CurrencyFormat",
    "Expiry",
    "Gift",
    "GoalRule",
    "Goods",
    "Limit",
    "OrderRule",
    "PointsName",
    "Program",
    "Referrals",
    "Reward",
    "Rule",
    "Schedule",
    "Tier",
    "Tiers",
]
