"""The life of a shop's link to Klaviyo as changes of its row. It opens no transaction and speaks to nobody."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from klaviyo_oauth.oauth import Tokens
from loyalty.encryption import Cipher
from loyalty.models import KlaviyoConnection, OutboxMessage

OAUTH = "oauth"
PRIVATE_KEY = "private_key"
CONNECTED = "connected"
DISCONNECTED = "disconnected"

AUTHORIZATION_LOST = "authorization_lost"
KEY_REJECTED = "key_rejected"


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


def load(session: Session, shop_id: int, *, lock: bool = False) -> KlaviyoConnection | None:
    """The shop's link, or None when there never was one."""
    statement = select(KlaviyoConnection).where(KlaviyoConnection.shop_id == shop_id)
    return session.exec(statement.with_for_update() if lock else statement).first()


def owner_of(session: Session, account_id: str) -> KlaviyoConnection | None:
    """The link that holds a Klaviyo account now."""
    return session.exec(select(KlaviyoConnection).where(KlaviyoConnection.account_id == account_id)).first()


def link_oauth(
    session: Session, cipher: Cipher, shop_id: int, account: Account, tokens: Tokens, *, now: datetime
) -> KlaviyoConnection:
    """Link (or link again) with tokens. Raises ``AccountTaken``."""
    row = _linked(session, shop_id, account, now)
    row.road, row.api_key = OAUTH, None
    row.scopes = " ".join(sorted(tokens.scopes))
    keep_tokens(row, cipher, tokens, now=now)
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
    row = _linked(session, shop_id, account, now)
    row.road, row.api_key = PRIVATE_KEY, cipher.seal(key, row=seal_row(shop_id))
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


def unlink(row: KlaviyoConnection, *, now: datetime) -> None:
    """The merchant ended the link: news has nobody to go to, and the webhook's address is forgotten."""
    _end(row, None, now)
    row.webhook_id = row.webhook_key = row.webhook_secret = None


def change_details(row: KlaviyoConnection, **changes: Any) -> None:
    """Write into the free-form part; a value of None removes its key."""
    merged = dict(row.details) | changes
    row.details = {key: value for key, value in merged.items() if value is not None}


def release_waiting(session: Session, shop_id: int, *, now: datetime) -> None:
    """Make the news due at once that was waiting for a link to be mended."""
    session.execute(
        update(OutboxMessage)
        .where(
            col(OutboxMessage.shop_id) == shop_id,
            col(OutboxMessage.channel) == "klaviyo",
            col(OutboxMessage.state) == "due",
            col(OutboxMessage.due_at) > now,
        )
        .values(due_at=now),
        execution_options={"synchronize_session": False},
    )


def _linked(session: Session, shop_id: int, account: Account, now: datetime) -> KlaviyoConnection:
    other = owner_of(session, account.id)
    if other is not None and other.shop_id != shop_id:
        raise AccountTaken
    row = load(session, shop_id, lock=True)
    if row is None:
        row = KlaviyoConnection(shop_id=shop_id, road="", state=CONNECTED, connected_at=now)
        session.add(row)
    if (row.account_id or row.last_account_id) != account.id:
        _start_over(row, now)
    elif row.state != CONNECTED:
        row.connected_at = now
    row.state, row.problem, row.disconnected_at = CONNECTED, None, None
    row.account_id = row.last_account_id = account.id
    row.account_name = account.name
    row.last_error = row.last_error_at = None
    change_details(row, account=account.details)
    return row


def _start_over(row: KlaviyoConnection, now: datetime) -> None:
    """Another account knows none of our profiles, and its reviews of the past were never part of the program."""
    first = row.last_account_id is None
    row.webhook_id = row.webhook_key = row.webhook_secret = None
    row.review_cursor = now
    row.connected_at = now
    row.last_delivery_at = None
    row.details = {"reviews_since": now.isoformat(), "needs_sync": "first" if first else "other_account"}


def _end(row: KlaviyoConnection, problem: str | None, now: datetime) -> None:
    row.state, row.problem, row.disconnected_at = DISCONNECTED, problem, now
    row.last_account_id = row.account_id or row.last_account_id
    row.account_id = None
    row.access_token = row.refresh_token = row.access_token_expires_at = row.api_key = None
