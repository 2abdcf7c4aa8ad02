"""Two accounts turn out to be one person's."""

from sqlalchemy import delete, update
from sqlmodel import col, select

from loyalty.book.book import Book
from loyalty.book.merge_record import award_names, remember, times_moved
from loyalty.book.records import Account
from loyalty.core.decide import decide_duplicates, decide_transfer
from loyalty.core.lots import carried
from loyalty.models import AwardRow, MemberDevice, OrderStanding, Referral, Review, RewardIssue


def merge(book: Book, source: Account, target: Account) -> None:
    """Make ``source`` a part of ``target``: its entries stay where they are, two new ones move its balance.

    What belonged to it (orders, awards, rewards, reviews) belongs to ``target`` from now on, so later corrections meet the kept
    account. What one person may have once and both had is taken back from one of them.
    """
    book.ensure_ids()
    assert source.id is not None
    assert target.id is not None
    book.load_history((source, target))
    record = remember(book, source, target)
    _move_balance(book, source, target)
    _part_requests(book, source.id, target.id)
    for table in (OrderStanding, RewardIssue, Review, AwardRow):
        moved = update(table).where(col(table.member_id) == source.id).values(member_id=target.id)
        book.session.execute(moved, execution_options={"synchronize_session": False})
    _move_referrals(book, source.id, target.id)
    book.move_awards(source, target)
    _join_people(source, target)
    before = {award.key: award.worth for award in target.awards.values()}
    twice = decide_duplicates(target, at=book.now)
    record.moved = {
        **record.moved,
        "twice": [[*award_names(award), before[award.key]] for award in twice.awards],
    }
    book.session.add(record)
    book.apply(target, twice)
    email = source.email
    book.rename(source, customer_id=source.shopify_customer_id, email=None)
    source.state, source.merged_into = "merged", target.id
    if target.email is None and email:
        book.rename(target, customer_id=target.shopify_customer_id, email=email)


def _part_requests(book: Book, source_id: int, target_id: int) -> None:
    """A key of a request is the caller's own: two accounts may have asked under the same one."""
    same = select(RewardIssue.request_key).where(RewardIssue.member_id == target_id)
    mine = (col(RewardIssue.member_id) == source_id, col(RewardIssue.request_key).in_(same))
    other = (
        update(RewardIssue)
        .where(*mine)
        .values(request_key=col(RewardIssue.request_key) + ":" + col(RewardIssue.id))
    )
    book.session.execute(other, execution_options={"synchronize_session": False})


def _move_referrals(book: Book, source_id: int, target_id: int) -> None:
    """Whoever brought friends, or was brought, is the kept account; so are the devices. What that means for them is judged later."""
    unseen = {"synchronize_session": False}
    for column in (Referral.advocate_id, Referral.friend_id):
        moved = update(Referral).where(col(column) == source_id).values({column: target_id})
        book.session.execute(moved, execution_options=unseen)
    known = select(MemberDevice.device).where(MemberDevice.member_id == target_id)
    same = delete(MemberDevice).where(
        col(MemberDevice.member_id) == source_id, col(MemberDevice.device).in_(known)
    )
    book.session.execute(same, execution_options=unseen)
    rest = update(MemberDevice).where(col(MemberDevice.member_id) == source_id).values(member_id=target_id)
    book.session.execute(rest, execution_options=unseen)


def _move_balance(book: Book, source: Account, target: Account) -> None:
    if source.balance == 0:
        return
    assert source.id is not None
    assert target.id is not None
    book.load_entries((source,))
    out, into = decide_transfer(
        source.balance,
        lots=carried(source.entries),
        sequence=times_moved(book, source.id, target.id),
        from_member=source.id,
        to_member=target.id,
        at=book.now,
        program_version=book.program.version,
    )
    book.post(source, (out,), ())
    book.post(target, (into,), ())


def _join_people(source: Account, target: Account) -> None:
    """What is known of the two as people. The kept one's own word counts more."""
    target.changed = target.rewards_changed = True
    target.birthday = target.birthday or source.birthday
    target.subscribed_at = target.subscribed_at or source.subscribed_at
    if source.joined_at is not None and target.joined_at is not None:
        # Somebody has been a member since the first of their accounts: what was bought in between was bought by a member.
        target.joined_at = min(source.joined_at, target.joined_at)
    elif source.joined_at is not None and target.customer_updated_at is not None:
        # The record that is kept was a guest's.
        target.joined_at, target.state, target.is_guest = source.joined_at, "member", False
    if target.hand_tier is None:
        target.hand_tier, target.hand_tier_by = source.hand_tier, source.hand_tier_by
    activities = [at for at in (source.last_activity_at, target.last_activity_at) if at is not None]
    orders = [at for at in (source.last_order_at, target.last_order_at) if at is not None]
    target.last_activity_at = max(activities, default=None)
    target.last_order_at = max(orders, default=None)
