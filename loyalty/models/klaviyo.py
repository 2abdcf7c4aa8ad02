"""A shop's link to Klaviyo, and the short-lived state of an authorization under way."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Json, Sealed, UtcDateTime


class KlaviyoConnection(SQLModel, table=True):
    """One shop's link to one Klaviyo account.

    ``road`` is ``oauth`` or ``private_key``; ``state`` is ``connected`` or ``disconnected`` (then ``problem`` says why). Tokens, key
    and webhook secret are sealed, bound to ``klaviyo:{shop_id}``. ``account_id`` is unique while connected, because an app
    installs once per Klaviyo account; it is emptied on disconnect and kept in ``last_account_id``. ``webhook_key`` is the opaque
    part of our webhook address. ``dialects`` are the keys of those in which Klaviyo is told of things.
    """

    __tablename__ = "klaviyo_connection"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId, unique=True)
    road: str
    state: str
    problem: str | None = None
    account_id: str | None = Field(default=None, unique=True)
    last_account_id: str | None = None
    account_name: str = ""
    access_token: str | None = Field(default=None, sa_type=Sealed)
    access_token_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    refresh_token: str | None = Field(default=None, sa_type=Sealed)
    api_key: str | None = Field(default=None, sa_type=Sealed)
    scopes: str = ""
    dialects: str = "laurel"
    webhook_key: str | None = Field(default=None, unique=True)
    webhook_id: str | None = None
    webhook_secret: str | None = Field(default=None, sa_type=Sealed)
    review_cursor: datetime | None = Field(default=None, sa_type=UtcDateTime)
    details: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    connected_at: datetime = Field(sa_type=UtcDateTime)
    disconnected_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_delivery_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_error: str | None = None
    last_error_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OAuthState(SQLModel, table=True):
    """One authorization attempt: single use, ten minutes, known to the browser only by the hash's preimage.

    ``verifier`` (PKCE) and ``code`` are sealed, bound to ``oauth_state:{state_hash}``; ``return_to`` is the admin address that the browser goes
    back to. ``user_id`` is who began; ``code`` is Klaviyo's answer until it is traded, which takes the preimage of ``ticket_hash``.
    """

    __tablename__ = "oauth_state"

    state_hash: str = Field(primary_key=True)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId, index=True)
    user_id: str = ""
    verifier: str = Field(sa_type=Sealed)
    code: str | None = Field(default=None, sa_type=Sealed)
    ticket_hash: str | None = None
    return_to: str
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class KlaviyoFarewell(SQLModel, table=True):
    """What is still to be said to Klaviyo about a link that has ended here: remove the webhook, give the grant back.

    ``access_token`` (or the private key) and ``refresh_token`` are sealed, bound to ``klaviyo_farewell:{id}``. The row goes when all
    was said, or a day after ``created_at``. A webhook whose creation was never answered is known by ``webhook_name`` alone.
    """

    __tablename__ = "klaviyo_farewell"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    shop_id: int = Field(foreign_key="shop.id", sa_type=BigId, index=True)
    account_id: str = Field(index=True)
    road: str
    access_token: str | None = Field(default=None, sa_type=Sealed)
    refresh_token: str | None = Field(default=None, sa_type=Sealed)
    webhook_id: str | None = None
    webhook_name: str | None = None
    attempts: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
