"""Whose a referral code is, and what a member's code is.

A member has the code that follows from the id (nothing is written for it) unless another one was given: brought from elsewhere, or chosen
by the merchant. Codes that were given are looked for first.
"""

from sqlmodel import Session, col, select

from loyalty.core.referrals import member_of, own_code, read_code
from loyalty.models import Member

_GONE = ("deleted", "redacted", "merged")
_SPARE = 1 << 33
_MOST_TRIES = 3


def own_or_given(member_id: int, given: str | None) -> str:
    """A member's code: the one that was given, or the member's own from the start."""
    return given or own_code(member_id)


def code_in_use(session: Session, member: Member) -> str | None:
    """A member's code, or None in the rare case that somebody else was given the same one (see ``take_other_code``)."""
    assert member.id is not None
    if member.referral_code is not None:
        return member.referral_code
    code = own_code(member.id)
    return None if _given_to(session, member.shop_id, (code,)) is not None else code


def take_other_code(session: Session, member: Member) -> str:
    """Give a member another code than the one that somebody else was given before."""
    assert member.id is not None
    for attempt in range(1, _MOST_TRIES + 1):
        code = own_code(member.id + attempt * _SPARE)
        if _given_to(session, member.shop_id, (code,)) is None:
            member.referral_code = code
            session.add(member)
            return code
    raise LookupError("every spare code of this member was given to others")


def advocate_of(session: Session, shop_id: int, text: str) -> Member | None:
    """The member whose code this is, or the one that theirs was merged into; None when it is nobody's, or theirs who are gone."""
    candidates = read_code(text)
    found = _given_to(session, shop_id, candidates) if candidates else None
    if found is None:
        found = next(filter(None, (_from_the_start(session, shop_id, code) for code in candidates)), None)
    while found is not None and found.merged_into is not None:
        found = session.get(Member, found.merged_into)
    return None if found is None or found.state in _GONE else found


def _given_to(session: Session, shop_id: int, codes: tuple[str, ...]) -> Member | None:
    """Whoever was given one of these codes; of several, the first code counts."""
    found = session.exec(
        select(Member).where(Member.shop_id == shop_id, col(Member.referral_code).in_(codes))
    ).all()
    return min(found, key=lambda member: codes.index(member.referral_code or ""), default=None)


def _from_the_start(session: Session, shop_id: int, code: str) -> Member | None:
    member_id = member_of(code)
    member = session.get(Member, member_id) if member_id is not None else None
    return member if member and member.shop_id == shop_id and member.referral_code is None else None
