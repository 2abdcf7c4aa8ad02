"""``flask secrets`` as an operator runs it."""

import json
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from sqlmodel import col, update

from loyalty.database import transaction
from loyalty.encryption import Cipher
from loyalty.models import Shop
from tests.shop_story import DOMAIN, tell_story


@pytest.fixture(name="run")
def _run(sqlite_engine, open_app, tmp_path):
    """``flask secrets reseal`` after a rotation, for a shop whose token has this seal."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    with transaction(sqlite_engine) as session:
        tell_story(session, now=datetime.now(UTC), lived=False)
    app = open_app(token_keys=f"{new},{old}")

    def run(*, is_lost=False):
        key = Fernet.generate_key().decode() if is_lost else old
        sealed = Cipher([key]).seal("shpat", row=f"shop:{DOMAIN}")
        with transaction(sqlite_engine) as session:
            session.execute(update(Shop).values({col(Shop.access_token): sealed, col(Shop.code_key): ""}))
        return app.test_cli_runner().invoke(args=["secrets", "reseal", "--json"])

    return run


def test_reseal(run):
    """What was sealed anew is told by place."""
    answer = run()
    told = {row["what"]: row["sealed anew"] for row in json.loads(answer.stdout)}
    assert (answer.exit_code, told["shop.access_token"], sum(told.values())) == (0, 1, 1)


def test_lost(run):
    """What no key opens is an error in one sentence, without the value."""
    answer = run(is_lost=True)
    assert answer.exit_code == 1
    assert "none of TOKEN_KEYS opens 1 of the values" in answer.stderr
    assert "gAAAA" not in answer.output
