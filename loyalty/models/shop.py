"""One row per installed store."""

from datetime import datetime

from sqlalchemy import String
from sqlmodel import Field, SQLModel

from loyalty.models.columns import BigId, Sealed, UtcDateTime


class Shop(SQLModel, table=True):
    """A store that has, or had, the app.

    ``domain`` is the canonical ``x.myshopify.com``. Tokens and ``code_key`` are sealed (see ``loyalty.encryption``), bound to
    ``shop:{domain}``. ``installed_at`` is the start of the latest installation, or the visit that renewed tokens which had died; ``first_installed_at`` never moves and is the
    moment from which new customer accounts earn. ``erasing_at`` is set only while ``shop/redact`` removes the rows of the shop:
    the append-only guard of the ledger lets go of them then and at no other time. ``money_format`` is how Shopify writes the shop's
    money (``{{amount}} kr``), empty while it is not known. ``classic_accounts``: customers log in with a password, and only then does a
    customer's record say whether there is an account; elsewhere whoever has a record has one.
    """

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    domain: str = Field(sa_type=String, unique=True)
    shopify_id: int | None = Field(default=None, sa_type=BigId)
    name: str = ""
    contact_email: str | None = None
    currency: str = "USD"
    money_format: str = ""
    timezone: str = "UTC"
    plan: str = ""
    classic_accounts: bool = False
    access_token: str | None = Field(default=None, sa_type=Sealed)
    access_token_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    refresh_token: str | None = Field(default=None, sa_type=Sealed)
    refresh_token_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    scopes: str = ""
    needs_reauthorization: bool = False
    code_key: str = Field(default="", sa_type=Sealed)
    first_installed_at: datetime = Field(sa_type=UtcDateTime)
    installed_at: datetime = Field(sa_type=UtcDateTime)
    uninstalled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    erasing_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
