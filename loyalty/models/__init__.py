"""The tables. They hold rows and constraints and nothing else: no queries, no rules, no defaults that need a clock."""

from loyalty.models.api import ApiAction, ApiKey
from loyalty.models.award import AwardRow
from loyalty.models.klaviyo import KlaviyoConnection, KlaviyoFarewell, OAuthState
from loyalty.models.lease import Lease
from loyalty.models.ledger import LedgerEntry
from loyalty.models.member import Member
from loyalty.models.member_import import ImportBatch, ImportChunk, ImportRow
from loyalty.models.merge import MemberMerge
from loyalty.models.messages import InboxMessage, OutboxMessage
from loyalty.models.order import OrderStanding
from loyalty.models.privacy import PrivacyRequest
from loyalty.models.program import ProgramVersion
from loyalty.models.referral import MemberDevice, Referral
from loyalty.models.review import Review
from loyalty.models.reward import RewardIssue
from loyalty.models.run import Run, RunItem
from loyalty.models.shop import Shop

__all__ = [
    "ApiAction",
    "ApiKey",
    "AwardRow",
    "ImportBatch",
    "ImportChunk",
    "ImportRow",
    "InboxMessage",
    "KlaviyoConnection",
    "KlaviyoFarewell",
    "Lease",
    "LedgerEntry",
    "Member",
    "MemberDevice",
    "MemberMerge",
    "OAuthState",
    "OrderStanding",
    "OutboxMessage",
    "PrivacyRequest",
    "ProgramVersion",
    "Referral",
    "Review",
    "RewardIssue",
    "Run",
    "RunItem",
    "Shop",
]
