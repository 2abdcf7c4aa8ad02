"""Settles facts: who is meant, what follows, written once.

``absorb`` may be given any facts in any order, any number of times: it ends at the same ledger. It opens no transaction.
"""

from loyalty.points.absorbing import absorb
from loyalty.points.deciding import NotWaiting, give_back, make_again, say_paid, waits_for_a_person
from loyalty.points.redeeming import redeem
from loyalty.points.settling import settle_accounts

__all__ = [
    "NotWaiting",
    "absorb",
    "give_back",
    "make_again",
    "redeem",
    "say_paid",
    "settle_accounts",
    "waits_for_a_person",
]
