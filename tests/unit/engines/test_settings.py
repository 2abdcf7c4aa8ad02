"""The settings: defaults, what is refused, and that no message shows a value."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from settings import BadSettings, Settings, load_settings

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
PRODUCTION = {
    "LAUREL_ENV": "production",
    "SECRET_KEY": "s" * 32,
    "TOKEN_KEYS": KEY,
    "SHOPIFY_API_KEY": "key",
    "SHOPIFY_API_SECRET": "secret",
    "SHOPIFY_APP_URL": "https://laurel.shop",
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what a test sets, and a machine that has made no secrets yet."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("LAUREL_VAR", str(tmp_path / "var"))


@pytest.fixture(name="production")
def _production(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)


def problems(**overrides: object) -> dict[str, str]:
    """What is wrong with the settings as they are."""
    with pytest.raises(BadSettings) as caught:
        load_settings(**overrides)
    return caught.value.problems


class TestDefaults:
    def test_development_needs_nothing(self):
        """An empty environment gives a machine that works: its own secrets, SQLite and the embedded queue."""
        settings = load_settings()

        assert not settings.production
        assert settings.database_url.startswith("sqlite:////")
        assert settings.database_url.endswith("/var/laurel.db")
        assert settings.redis_url is None
        assert settings.shopify_secrets == ()

    def test_addresses_of_the_real_services(self):
        """Without a word the real Shopify and the real Klaviyo are meant."""
        settings = load_settings()

        assert settings.shopify_shop_url.format(shop="fern.myshopify.com") == "https://fern.myshopify.com"
        assert settings.shopify_admin_url == "https://admin.shopify.com"
        assert settings.shopify_cdn_url == "https://cdn.shopify.com"
        assert settings.klaviyo_api_url == "https://a.klaviyo.com"
        assert settings.klaviyo_authorize_url == "https://www.klaviyo.com/oauth/authorize"
        assert (settings.shopify_api_version, settings.klaviyo_revision) == ("2026-10", "2026-10-15")

    def test_empty_is_unset(self, monkeypatch):
        """``REDIS_URL=`` in an environment file means the default."""
        monkeypatch.setenv("REDIS_URL", "")
        monkeypatch.setenv("LOG_LEVEL", "")

        settings = load_settings()

        assert (settings.redis_url, settings.log_level) == (None, "INFO")

    def test_frozen(self):
        """Nobody changes the settings of a running process."""
        settings = load_settings()

        with pytest.raises(ValueError, match="frozen"):
            settings.log_level = "DEBUG"  # type: ignore[misc]


class TestDevelopmentSecrets:
    def test_random_and_kept(self, tmp_path):
        """A machine keeps its secrets over restarts, and has others than its neighbour."""
        first, again = load_settings(), load_settings()
        neighbour = load_settings(laurel_var=tmp_path / "neighbour")

        assert (first.secret_key, first.token_keys) == (again.secret_key, again.token_keys)
        assert first.secret_key != neighbour.secret_key
        assert first.token_keys != neighbour.token_keys
        Fernet(first.token_keys[0])

    def test_for_us_alone(self):
        """Other users of the machine cannot read them, and no draft is left behind."""
        settings = load_settings()

        (kept,) = settings.laurel_var.iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600

    def test_set_ones_win(self, monkeypatch):
        """What the environment says is used, and nothing is made up beside it."""
        monkeypatch.setenv("SECRET_KEY", "mine")
        monkeypatch.setenv("TOKEN_KEYS", f"{KEY}, {KEY} ,")

        settings = load_settings()

        assert (settings.secret_key, settings.token_keys) == ("mine", (KEY, KEY))
        assert not settings.laurel_var.exists()

    def test_damaged(self, tmp_path):
        """A damaged file is not silently replaced: what was sealed with it would be lost."""
        (tmp_path / "var").mkdir()
        (tmp_path / "var" / "development-secrets.json").write_text(json.dumps({"secret_key": "x"}))

        with pytest.raises(RuntimeError, match="is damaged"):
            load_settings()


class TestRefused:
    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("LAUREL_ENV", "hunter2"),
            ("LAUREL_LEASE_SECONDS", "hunter2"),
            ("LAUREL_LEASE_SECONDS", "0"),
            ("LOG_LEVEL", "hunter2"),
            ("FLASK_DEBUG", "hunter2"),
            ("TOKEN_KEYS", "hunter2"),
            ("TOKEN_KEYS", f"{KEY},hunter2"),
            ("DATABASE_URL", "hunter2"),
            ("DATABASE_URL", "mysql://root:hunter2@db/laurel"),
            ("DATABASE_URL", "postgresql+psycopg://u:hunter2@db:port/laurel"),
            ("DATABASE_URL", "sqlite://"),
            ("DATABASE_URL", "sqlite:///:memory:"),
            ("REDIS_URL", "http://:hunter2@queue"),
            ("REDIS_URL", "hunter2"),
            ("SHOPIFY_APP_URL", "hunter2"),
            ("SHOPIFY_APP_URL", "ftp://hunter2.shop"),
            ("SHOPIFY_APP_URL", "https://me:hunter2@laurel.shop"),
            ("SHOPIFY_APP_URL", "https://laurel.shop/?a=hunter2"),
            ("SHOPIFY_APP_URL", "http://[hunter2"),
            ("SHOPIFY_APP_URL", "http://hunter2:99999"),
            ("SHOPIFY_SHOP_URL", "https://hunter2.shop"),
            ("SHOPIFY_SHOP_URL", "hunter2/{shop}"),
            ("SHOPIFY_API_VERSION", "hunter2"),
            ("SHOPIFY_API_VERSION", "2026-11"),
            ("KLAVIYO_API_URL", "hunter2"),
            ("KLAVIYO_REVISION", "hunter2"),
        ],
    )
    def test_named_and_not_shown(self, monkeypatch, variable, value):
        """A bad value ends the process with a line that names the variable and does not repeat the value."""
        monkeypatch.setenv(variable, value)

        with pytest.raises(BadSettings) as caught:
            load_settings()

        assert variable in caught.value.problems
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            ("SHOPIFY_API_KEY", "SHOPIFY_API_SECRET"),
            ("SHOPIFY_API_SECRET", "SHOPIFY_API_KEY"),
            ("KLAVIYO_CLIENT_ID", "KLAVIYO_CLIENT_SECRET"),
            ("KLAVIYO_CLIENT_SECRET", "KLAVIYO_CLIENT_ID"),
        ],
    )
    def test_half_a_pair(self, monkeypatch, given, missing):
        """An id without its secret is refused at start, before a merchant meets it."""
        monkeypatch.setenv(given, "hunter2")

        assert problems() == {missing: f"is required when {given} is set"}

    def test_all_at_once(self, monkeypatch):
        """Every bad variable is named in one go."""
        monkeypatch.setenv("REDIS_URL", "x")
        monkeypatch.setenv("LOG_LEVEL", "x")

        assert problems().keys() == {"REDIS_URL", "LOG_LEVEL"}

    def test_exit(self):
        """Nobody has to catch it: the process ends with the lines on its error output and a code that is not zero."""
        error = BadSettings({"B": "is bad", "A": "is worse"})

        assert isinstance(error, SystemExit)
        assert error.code == "The settings are not usable:\n  A: is worse\n  B: is bad"

    def test_secrets_not_in_repr(self, monkeypatch):
        """A settings object that ends up in a log tells no secret."""
        for name in (
            "SECRET_KEY",
            "SHOPIFY_API_SECRET",
            "SHOPIFY_API_SECRET_OLD",
            "KLAVIYO_CLIENT_SECRET",
            "METRICS_TOKEN",
        ):
            monkeypatch.setenv(name, "hunter2")
        monkeypatch.setenv("SHOPIFY_API_KEY", "id")
        monkeypatch.setenv("KLAVIYO_CLIENT_ID", "id")
        monkeypatch.setenv("REDIS_URL", "redis://:hunter2@queue")
        monkeypatch.setenv("DATABASE_URL", "postgres://laurel:hunter2@db/laurel")

        settings = load_settings()

        assert "hunter2" not in repr(settings)
        assert settings.token_keys[0] not in repr(settings)
        assert settings.shopify_secrets == ("hunter2", "hunter2")


class TestForms:
    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
    def test_postgres_spellings(self, scheme):
        """What hosts hand out means the driver that we ship; the password survives."""
        settings = load_settings(database_url=f"{scheme}://u:p%40ss@db:5433/laurel?sslmode=require")

        assert settings.database_url == "postgresql+psycopg://u:p%40ss@db:5433/laurel?sslmode=require"

    def test_absolute_sqlite(self):
        """An absolute path stays where it is."""
        assert (
            load_settings(database_url="sqlite:////srv/laurel.db").database_url == "sqlite:////srv/laurel.db"
        )

    def test_no_trailing_slash(self):
        """Paths are appended to an address, so it ends without a slash."""
        settings = load_settings(
            shopify_app_url="http://127.0.0.1:5000/", shopify_shop_url="http://127.0.0.1:9/shops/{shop}/"
        )

        assert settings.shopify_app_url == "http://127.0.0.1:5000"
        assert settings.shopify_shop_url == "http://127.0.0.1:9/shops/{shop}"

    @pytest.mark.parametrize("url", ["redis://queue:6379/0", "rediss://queue", "unix:///run/valkey.sock"])
    def test_queue_addresses(self, url):
        """Every address that the client understands is taken as it is."""
        assert load_settings(redis_url=url).redis_url == url


@pytest.mark.usefixtures("production")
class TestProduction:
    def test_complete(self):
        """What a production environment must say, and no more."""
        settings = load_settings()

        assert settings.production
        assert settings.shopify_secrets == ("secret",)

    @pytest.mark.parametrize("name", ["SECRET_KEY", "TOKEN_KEYS", "SHOPIFY_API_KEY", "SHOPIFY_API_SECRET"])
    def test_required(self, monkeypatch, tmp_path, name):
        """Nothing secret is made up in production."""
        monkeypatch.delenv(name)

        assert "required" in problems()[name]
        assert not (tmp_path / "var").exists()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SECRET_KEY", "changeme"),
            ("FLASK_DEBUG", "1"),
            ("SHOPIFY_APP_URL", "http://laurel.shop"),
            ("SHOPIFY_SHOP_URL", "http://127.0.0.1:9/shops/{shop}"),
            ("SHOPIFY_ADMIN_URL", "http://127.0.0.1:9"),
            ("SHOPIFY_CDN_URL", "http://127.0.0.1:9"),
            ("KLAVIYO_AUTHORIZE_URL", "http://127.0.0.1:9"),
            ("KLAVIYO_API_URL", "http://127.0.0.1:9"),
        ],
    )
    def test_no_conveniences(self, monkeypatch, name, value):
        """Weak secrets, debug and addresses in the clear are for development."""
        monkeypatch.setenv(name, value)

        assert problems().keys() == {name}

    def test_not_the_machines_own(self, monkeypatch):
        """The secrets of a development machine do not move to production with its environment."""
        monkeypatch.delenv("SECRET_KEY")
        monkeypatch.delenv("TOKEN_KEYS")
        made = load_settings(laurel_env="development")
        monkeypatch.setenv("SECRET_KEY", made.secret_key)
        monkeypatch.setenv("TOKEN_KEYS", f"{KEY},{made.token_keys[0]}")

        assert problems().keys() == {"SECRET_KEY", "TOKEN_KEYS"}
