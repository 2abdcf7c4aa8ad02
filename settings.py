"""The environment as one frozen object. Only the roots and the migrations import it; it connects to nothing.

A setting that cannot be right stops the process at start. The message names the variable and says what is wrong with it,
and never shows the value: it may be a secret, and it may be on its way to a log.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from engines import secrets, urls

ROOT = Path(__file__).resolve().parent

Base = Annotated[str, AfterValidator(urls.http_base)]
Secret = Field(repr=False)
MissingSecret = Field(default=None, repr=False)

# In production these are for everybody or carry tokens, so they may not travel in the clear.
_PUBLIC = (
    "shopify_app_url",
    "shopify_shop_url",
    "shopify_admin_url",
    "shopify_cdn_url",
    "klaviyo_authorize_url",
    "klaviyo_api_url",
)


class BadSettings(SystemExit):
    """Ends the process with one line for each bad variable. ``problems`` maps the variable to what is wrong with it."""

    def __init__(self, problems: dict[str, str]) -> None:
        lines = [f"  {name}: {problem}" for name, problem in sorted(problems.items())]
        super().__init__("\n".join(["The settings are not usable:", *lines]))
        self.problems = problems


class Settings(BaseSettings):
    """What operators may set. Field names are the variables' names in lower case; ``docs/settings.md`` lists them."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, validate_default=True
    )

    laurel_env: Literal["development", "production"] = "development"
    laurel_var: Path = ROOT / "var"
    # How long work that a process took stays reserved for it: after a kill, others wait that long.
    laurel_lease_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    flask_debug: bool = False
    metrics_token: str | None = MissingSecret

    secret_key: str = Secret
    token_keys: Annotated[tuple[str, ...], NoDecode] = Secret
    database_url: str = Field(default="sqlite:///var/laurel.db", repr=False)
    redis_url: str | None = MissingSecret

    shopify_api_key: str | None = None
    shopify_api_secret: str | None = MissingSecret
    shopify_api_secret_old: str | None = MissingSecret
    shopify_app_url: Base = "http://127.0.0.1:5000"
    shopify_api_version: Annotated[str, Field(pattern=r"^(\d{4}-(01|04|07|10)|unstable)$")] = "2026-10"
    shopify_shop_url: Annotated[str, AfterValidator(urls.shop_template)] = "https://{shop}"
    shopify_admin_url: Base = "https://admin.shopify.com"
    shopify_cdn_url: Base = "https://cdn.shopify.com"

    klaviyo_client_id: str | None = None
    klaviyo_client_secret: str | None = MissingSecret
    klaviyo_authorize_url: Base = "https://www.klaviyo.com/oauth/authorize"
    klaviyo_api_url: Base = "https://a.klaviyo.com"
    klaviyo_revision: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(\.pre)?$")] = "2026-10-15"

    @property
    def production(self) -> bool:
        """Whether real shops are served, so that every convenience of development is refused."""
        return self.laurel_env == "production"

    @property
    def shopify_secrets(self) -> tuple[str, ...]:
        """The secrets that may have signed what Shopify sends: the current one, and the old one during a rotation."""
        return tuple(secret for secret in (self.shopify_api_secret, self.shopify_api_secret_old) if secret)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the secrets that this machine made up for development."""
        return init_settings, env_settings, _DevelopmentSecrets(settings_cls)

    @field_validator("token_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return (
            tuple(key.strip() for key in value.split(",") if key.strip()) if isinstance(value, str) else value
        )

    @field_validator("token_keys")
    @classmethod
    def _check_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not keys:
            raise ValueError("needs at least one key")
        if not all(secrets.is_fernet_key(key) for key in keys):
            raise ValueError("every key must be a Fernet key: 32 bytes in URL-safe base64")
        return keys

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        return urls.database(value, root=ROOT)

    @field_validator("redis_url")
    @classmethod
    def _check_redis(cls, value: str | None) -> str | None:
        return None if value is None else urls.redis(value)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        problems = _pair_problems(self) | (_production_problems(self) if self.production else {})
        if problems:
            raise BadSettings(problems)
        return self


class _DevelopmentSecrets(PydanticBaseSettingsSource):
    """Fills in what nobody set, outside production: random per machine, kept in ``var``, so sessions outlive a restart."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        state = self.current_state
        if (
            state.get("laurel_env", "development") != "development"
            or {"secret_key", "token_keys"} <= state.keys()
        ):
            return {}
        made = secrets.development(Path(state.get("laurel_var", ROOT / "var")))
        return {"secret_key": made.secret_key, "token_keys": made.token_key}


def load_settings(**overrides: object) -> Settings:
    """Read the environment (arguments win). Raises ``BadSettings``, which ends a process that does not catch it."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them, and tells which is wrong
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    raise BadSettings({str(e["loc"][0]).upper(): _plain(e["type"], e["msg"]) for e in found})


def _plain(kind: str, message: str) -> str:
    return "is required" if kind == "missing" else message.removeprefix("Value error, ")


def _pair_problems(settings: Settings) -> dict[str, str]:
    """Halves of a pair: a client id without its secret can only fail later, in front of a merchant."""
    problems = {}
    for one, other in (
        ("shopify_api_key", "shopify_api_secret"),
        ("klaviyo_client_id", "klaviyo_client_secret"),
    ):
        for here, there in ((one, other), (other, one)):
            if getattr(settings, here) and not getattr(settings, there):
                problems[there.upper()] = f"is required when {here.upper()} is set"
    return problems


def _production_problems(settings: Settings) -> dict[str, str]:
    problems = {
        name.upper(): "must be https in production"
        for name in _PUBLIC
        if not getattr(settings, name).startswith("https://")
    }
    made = secrets.kept(settings.laurel_var)
    if made and made.secret_key == settings.secret_key:
        problems["SECRET_KEY"] = "is this machine's development secret"
    elif len(settings.secret_key) < secrets.SHORTEST:
        problems["SECRET_KEY"] = f"must have at least {secrets.SHORTEST} characters in production"
    if made and made.token_key in settings.token_keys:
        problems["TOKEN_KEYS"] = "holds this machine's development key"
    if settings.flask_debug:
        problems["FLASK_DEBUG"] = "must be off in production"
    for name in ("shopify_api_key", "shopify_api_secret"):
        if not getattr(settings, name):
            problems[name.upper()] = "is required in production"
    return problems
