"""Builds the members' figures anew from the entries. It refuses a ledger whose chains are broken: what is false is not a source."""

from contextlib import closing
from dataclasses import asdict

from sqlalchemy import update
from sqlmodel import Session, col

from loyalty.ledger.chain import chain_problems
from loyalty.ledger.problem import Problem
from loyalty.ledger.reading import Fold, accounts
from loyalty.models import Member


class LedgerBroken(Exception):
    """A chain does not hold, so nothing may be built on it. ``problem`` is the first thing that was found."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def rebuild(session: Session, shop_id: int) -> int:
    """Put right what the members' rows say of their entries. Returns how many rows were wrong. Raises ``LedgerBroken``.

    Nothing else may be writing: the caller stops the workers first.
    """
    wrong = 0
    with closing(accounts(session, shop_id)) as members:
        for member, rows in members:
            fold = Fold()
            for problem in chain_problems(rows, fold):
                raise LedgerBroken(problem)
            figures = asdict(fold)
            if any(getattr(member, name) != figure for name, figure in figures.items()):
                session.execute(update(Member).where(col(Member.id) == member.id).values(figures))
                wrong += 1
    return wrong
