"""The life of a shop's link to Klaviyo as changes of its row. It opens no transaction and speaks to nobody."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from klaviyo_oauth import farewells, payloads
from klaviyo_oauth.config import SCOPES
from klaviyo_oauth.dialects import DIALECTS, OURS, Choice, choice
from klaviyo_oauth.oauth import Tokens
from loyalty.encryption import Cipher, SealBroken
from loyalty.models import KlaviyoConnection, OutboxMessage, Shop

OAUTH = "oauth"
PRIVATE_KEY = "private_key"
CONNECTED = "connected"
DISCONNECTED = "disconnected"

AUTHORIZATION_LOST = "authorization_lost"
KEY_REJECTED = "key_rejected"
UNINSTALLED = "uninstalled"
_MOST_RELEASED = 5_000


class AccountTaken(Exception):
    """The Klaviyo account is linked to another shop; Klaviyo installs an app once per account, so it cannot serve two."""


@dataclass(frozen=True, slots=True)
class Account:
    """The Klaviyo account that answered when we asked who is there."""

    id: str
    name: str
    details: dict[str, Any] = field(default_factory=dict)


def seal_row(shop_id: int) -> str:
    """What every secret of a link is sealed for."""
    return f"klaviyo:{shop_id}"


def authorization(road: str, secret: str) -> str:
    """The Authorization header of a link by this road."""
    return f"Klaviyo-API-Key {secret}" if road == PRIVATE_KEY else f"Bearer {secret}"


def load(session: Session, shop_id: int, *, lock: bool = False) -> KlaviyoConnection | None:
    """The shop's link, or None when there never was one."""
    statement = select(KlaviyoConnection).where(KlaviyoConnection.shop_id == shop_id)
    return session.exec(statement.with_for_update() if lock else statement).first()


def load_with_departure(session: Session, shop_id: int) -> tuple[KlaviyoConnection | None, datetime | None]:
    """The shop's link, and when the app was removed from the shop, if it was."""
    found = session.exec(
        select(KlaviyoConnection, Shop.uninstalled_at)
        .join(Shop, col(Shop.id) == KlaviyoConnection.shop_id)
        .where(KlaviyoConnection.shop_id == shop_id)
    ).first()
    return (None, None) if found is None else (found[0], found[1])


def owner_of(session: Session, account_id: str) -> KlaviyoConnection | None:
    """The link that holds a Klaviyo account now."""
    return session.exec(select(KlaviyoConnection).where(KlaviyoConnection.account_id == account_id)).first()


def link_oauth(
    session: Session, cipher: Cipher, shop_id: int, account: Account, tokens: Tokens, *, now: datetime
) -> KlaviyoConnection:
    """Link (or link again) with tokens. Raises ``AccountTaken``."""
    row = _linked(session, cipher, shop_id, account, OAUTH, now)
    row.api_key = None
    # RFC 6749: whoever is not told otherwise was granted what was asked for.
    row.scopes = " ".join(sorted(tokens.scopes or SCOPES))
    keep_tokens(row, cipher, tokens, now=now)
    farewells.keep_grant(session, account.id)
    session.flush()
    return row


def link_key(
    session: Session,
    cipher: Cipher,
    shop_id: int,
    account: Account,
    key: str,
    scopes: frozenset[str],
    *,
    now: datetime,
) -> KlaviyoConnection:
    """Link (or link again) with a private key. Raises ``AccountTaken``."""
    row = _linked(session, cipher, shop_id, account, PRIVATE_KEY, now)
    row.api_key = cipher.seal(key, row=seal_row(shop_id))
    row.access_token = row.refresh_token = row.access_token_expires_at = None
    row.scopes = " ".join(sorted(scopes))
    session.flush()
    return row


def keep_tokens(row: KlaviyoConnection, cipher: Cipher, tokens: Tokens, *, now: datetime) -> None:
    """Store what the token endpoint gave; a refresh token that it did not give again stays."""
    place = seal_row(row.shop_id)
    row.access_token = cipher.seal(tokens.access, row=place)
    row.access_token_expires_at = now + timedelta(seconds=tokens.expires_in)
    if tokens.refresh is not None:
        row.refresh_token = cipher.seal(tokens.refresh, row=place)
    if tokens.scopes:
        row.scopes = " ".join(sorted(tokens.scopes))


def lose(row: KlaviyoConnection, problem: str, *, now: datetime) -> None:
    """Klaviyo no longer knows us: news waits, and the merchant is told to connect again."""
    _end(row, problem, now)


def unlink(session: Session, cipher: Cipher, row: KlaviyoConnection, *, now: datetime) -> None:
    """The merchant ended the link: news has nobody to go to, and the webhook's address is forgotten. Klaviyo is told later."""
    _leave(session, cipher, row, now)
    _end(row, None, now)


def choice_of(row: KlaviyoConnection | None) -> Choice:
    """The dialects of a link."""
    return OURS if row is None else choice(row.dialects.split(), row.details.get("dialects_left", ()))


def choose(row: KlaviyoConnection, keys: Iterable[str]) -> bool:
    """Speak these dialects from now on. What was written in those that are left is taken off the profiles by the next sync. False when
    nothing changes; raises ``ValueError`` for none, or for one that there is not."""
    wanted = frozenset(keys)
    if not wanted or not wanted <= DIALECTS.keys():
        raise ValueError(sorted(wanted - DIALECTS.keys()))
    before = choice_of(row)
    left = {each.key for each in before.spoken + before.left} - wanted
    after = choice(wanted, left)
    if after == before:
        return False
    row.dialects = after.keys
    change_details(row, dialects_left=sorted(left) or None)
    return True


def change_details(row: KlaviyoConnection, **changes: Any) -> None:
    """Write into the free-form part; a value of None removes its key."""
    merged = dict(row.details) | changes
    row.details = {key: value for key, value in merged.items() if value is not None}


def release_waiting(session: Session, shop_id: int, *, now: datetime) -> None:
    """Make the news due at once that was waiting for a link to be mended. Of a long backlog only the beginning: a merchant waits for
    this, and the rest comes due by itself before the beginning is sent."""
    waiting = (
        select(OutboxMessage.id)
        .where(
            OutboxMessage.shop_id == shop_id,
            OutboxMessage.channel == "klaviyo",
            OutboxMessage.state == "due",
            col(OutboxMessage.due_at) > now,
        )
        .order_by(col(OutboxMessage.due_at), col(OutboxMessage.id))
        .limit(_MOST_RELEASED)
    )
    session.execute(
        update(OutboxMessage).where(col(OutboxMessage.id).in_(waiting)).values(due_at=now),
        execution_options={"synchronize_session": False},
    )


def _linked(
    session: Session, cipher: Cipher, shop_id: int, account: Account, road: str, now: datetime
) -> KlaviyoConnection:
    other = owner_of(session, account.id)
    if other is not None and other.shop_id != shop_id:
        shop = session.get(Shop, other.shop_id)
        if shop is None or shop.uninstalled_at is None:
            raise AccountTaken
        # Nobody can open the app there to disconnect it.
        unlink(session, cipher, other, now=now)
        session.flush()
    row = load(session, shop_id, lock=True)
    if row is None:
        row = KlaviyoConnection(shop_id=shop_id, road="", state=CONNECTED, connected_at=now)
        session.add(row)
    if row.account_id is not None and (row.account_id, row.road) != (account.id, road):
        # What was made with the old credentials is not sure to be within reach of the new ones.
        _leave(session, cipher, row, now)
    if (row.account_id or row.last_account_id) != account.id:
        _start_over(row, now)
    elif row.state != CONNECTED:
        row.connected_at = now
        if row.problem is None:
            # The merchant had ended it: what changed since then waits in no queue.
            change_details(row, missed_news=True)
    row.road, row.state, row.problem, row.disconnected_at = road, CONNECTED, None, None
    row.account_id = row.last_account_id = account.id
    row.account_name = account.name
    row.last_error = row.last_error_at = None
    change_details(row, account=account.details, key_doubted_at=None)
    return row


def _start_over(row: KlaviyoConnection, now: datetime) -> None:
    """Another account knows none of our profiles, and its reviews of the past were never part of the program."""
    first = row.last_account_id is None
    row.webhook_id = row.webhook_key = row.webhook_secret = None
    row.review_cursor = now
    row.connected_at = now
    row.last_delivery_at = None
    row.details = {"reviews_since": now.isoformat(), "needs_sync": "first" if first else "other_account"}


def _leave(session: Session, cipher: Cipher, row: KlaviyoConnection, now: datetime) -> None:
    """Write down what is to be said to Klaviyo about the link as it was, and forget its webhook."""
    if row.account_id is not None:
        farewells.write(
            session,
            cipher,
            row.shop_id,
            account_id=row.account_id,
            road=row.road,
            access=_opened(cipher, row, row.api_key if row.road == PRIVATE_KEY else row.access_token),
            refresh=_opened(cipher, row, row.refresh_token),
            webhook_id=row.webhook_id,
            webhook_name=payloads.webhook_name(row.webhook_key) if row.webhook_key else None,
            now=now,
        )
    row.webhook_id = row.webhook_key = row.webhook_secret = None


def _opened(cipher: Cipher, row: KlaviyoConnection, sealed: str | None) -> str | None:
    try:
        return cipher.open(sealed, row=seal_row(row.shop_id)) if sealed is not None else None
    except SealBroken:
        # Without the key it was sealed with, it can be used for nothing, not even for this.
        return None


def _end(row: KlaviyoConnection, problem: str | None, now: datetime) -> None:
    row.state, row.problem, row.disconnected_at = DISCONNECTED, problem, now
    row.last_account_id = row.account_id or row.last_account_id
    row.account_id = None
    row.access_token = row.refresh_token = row.access_token_expires_at = row.api_key = None
    change_details(row, key_doubted_at=None)
