"""The rows of what is still to be said to Klaviyo about links that have ended here. It opens no transaction and speaks to nobody."""

from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, or_, update
from sqlmodel import Session, col, select

from klaviyo_oauth.oauth import Tokens
from loyalty.encryption import Cipher
from loyalty.models import KlaviyoConnection, KlaviyoFarewell, OAuthState

# The longest that trading a code and storing what it gave can take.
_EXCHANGE = timedelta(seconds=90)


def seal_row(farewell: KlaviyoFarewell) -> str:
    """What every secret of a farewell is sealed for."""
    return f"klaviyo_farewell:{farewell.id}"


def write(
    session: Session,
    cipher: Cipher,
    shop_id: int,
    *,
    account_id: str,
    road: str,
    access: str | None,
    refresh: str | None,
    webhook_id: str | None = None,
    webhook_name: str | None = None,
    now: datetime,
) -> None:
    """Remember a link that ends now, as long as there is something to say and something to say it with."""
    if refresh is None and (access is None or (webhook_id is None and webhook_name is None)):
        return
    row = KlaviyoFarewell(
        shop_id=shop_id,
        account_id=account_id,
        road=road,
        webhook_id=webhook_id,
        webhook_name=webhook_name,
        created_at=now,
        due_at=now,
    )
    session.add(row)
    session.flush()
    place = seal_row(row)
    row.access_token = cipher.seal(access, row=place) if access is not None else None
    row.refresh_token = cipher.seal(refresh, row=place) if refresh is not None else None


def keep_grant(session: Session, account_id: str) -> None:
    """The account was linked by OAuth again: nobody gives its grant back any more.

    Klaviyo installs an app once per account, so the old refresh token may well belong to the grant of the new link, and revoking
    it would uninstall the app under the merchant's feet. The old webhook has an address that nobody knows any longer, and still goes.
    """
    session.execute(
        update(KlaviyoFarewell)
        .where(col(KlaviyoFarewell.account_id) == account_id)
        .values(refresh_token=None),
        execution_options={"synchronize_session": False},
    )


def load(session: Session, farewell_id: int, *, lock: bool = False) -> KlaviyoFarewell | None:
    """The row, or None when all was said."""
    statement = select(KlaviyoFarewell).where(KlaviyoFarewell.id == farewell_id)
    return session.exec(statement.with_for_update() if lock else statement).first()


def keep_tokens(row: KlaviyoFarewell, cipher: Cipher, tokens: Tokens) -> None:
    """Store renewed tokens, unless the grant has become another link's meanwhile."""
    if row.refresh_token is None:
        return
    row.access_token = cipher.seal(tokens.access, row=seal_row(row))
    if tokens.refresh is not None:
        row.refresh_token = cipher.seal(tokens.refresh, row=seal_row(row))


def due(session: Session, shop_id: int, *, now: datetime) -> list[int]:
    """The shop's farewells whose time has come, the oldest first."""
    mine = (col(KlaviyoFarewell.shop_id) == shop_id, col(KlaviyoFarewell.due_at) <= now)
    found = session.exec(select(KlaviyoFarewell.id).where(*mine).order_by(col(KlaviyoFarewell.id))).all()
    return [farewell_id for farewell_id in found if farewell_id is not None]


def next_due(session: Session, shop_id: int) -> datetime | None:
    """When the shop's next farewell is due; None when there is none."""
    soonest = select(func.min(KlaviyoFarewell.due_at)).where(KlaviyoFarewell.shop_id == shop_id)
    return session.exec(soonest).one()


def shops_with_due(session: Session, *, now: datetime) -> list[int]:
    """Every shop that has a farewell to say now."""
    ready = select(KlaviyoFarewell.shop_id).where(col(KlaviyoFarewell.due_at) <= now).distinct()
    return list(session.exec(ready).all())


def is_in_use(session: Session, webhook_id: str) -> bool:
    """Whether a webhook belongs to a link of today."""
    return session.exec(select(exists().where(col(KlaviyoConnection.webhook_id) == webhook_id))).one()


def is_connecting(session: Session, shop_id: int, *, now: datetime) -> bool:
    """Whether a grant may be coming into being that a revocation could hit: this shop has an attempt open, or any shop is trading a
    code at this moment (whose account that is will only be known afterwards)."""
    is_open = and_(col(OAuthState.shop_id) == shop_id, col(OAuthState.used_at).is_(None))
    trading = col(OAuthState.used_at) > now - _EXCHANGE
    attempt = exists().where(col(OAuthState.expires_at) > now, or_(is_open, trading))
    return session.exec(select(attempt)).one()
