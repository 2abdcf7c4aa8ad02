"""A key that seals secrets is thrown away, and nothing is lost with it."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert, select
from sqlmodel import SQLModel

from klaviyo_oauth import oauth, sampling, tokens
from klaviyo_oauth.disconnecting import disconnect
from loyalty import outbox
from loyalty.encryption import Cipher
from loyalty.models import OAuthState, Shop
from loyalty.models.columns import table_of
from loyalty.resealing import Resealed, reseal
from loyalty.runtime import Runtime
from tests.integration.klaviyo.conftest import World

_FERNET = "gAAAA"


@pytest.fixture(name="filled")
def _filled(either_world: World) -> World:
    """A shop with tokens, a link to Klaviyo, one that it said goodbye to, an authorization under way, and sealed addresses in its messages."""
    world = either_world
    seal, shop_id = world.cipher.seal, world.shop.shop_id
    place = f"shop:{world.shop.domain}"
    world.change_shop(
        access_token=seal("shpat", row=place),
        refresh_token=seal("shprt", row=place),
        code_key=seal("key", row=place),
    )
    assert world.connect() == "connected"
    world.change_connection(webhook_id="w1", webhook_secret=seal("hook", row=f"klaviyo:{shop_id}"))
    disconnect(world.runtime, shop_id)
    assert world.connect() == "connected"
    world.browser().post("/klaviyo/connect")
    with world.runtime.transaction() as session:
        row = outbox.forgetting(world.cipher, shop_id, "ada@fernandfig.shop", "f", now=world.clock())
        outbox.put_many(session, [row])
        sampling.want(session, world.cipher, shop_id, "eve@fernandfig.shop", key="s", now=world.clock())
    return world


def sealed(world: World) -> Iterator[tuple[str, str]]:
    """Every sealed value of every column of the whole database, and where it stands."""
    with world.runtime.reading() as session:
        for table in SQLModel.metadata.sorted_tables:
            for row in session.execute(select(table)).mappings():
                for name, value in row.items():
                    found = value.get("sealed") if isinstance(value, dict) else value
                    if isinstance(found, str) and found.startswith(_FERNET):
                        yield f"{table.name}.{name}", found


def rotate(world: World) -> str:
    """A new key is put before the old one; gives the new one."""
    new = Fernet.generate_key().decode()
    world.cipher = Cipher([new, world.key])
    world.runtime = Runtime(world.engine, world.cipher, world._nudge, world.clock)
    return new


def counts(found: list[Resealed]) -> tuple[int, int, int]:
    """How many were kept, sealed anew and broken, over all places."""
    return sum(x.kept for x in found), sum(x.resealed for x in found), sum(x.broken for x in found)


class TestReseal:
    def test_all(self, filled: World) -> None:
        """Afterwards the new key alone opens whatever is sealed anywhere, and everything says what it said; again there is nothing to do."""
        said = {filled.cipher._fernet.decrypt(value) for _, value in sealed(filled)}
        new = rotate(filled)
        found = list(reseal(filled.runtime))
        assert {one.place for one in found if one.resealed} == {place for place, _ in sealed(filled)}
        assert {Fernet(new).decrypt(value) for _, value in sealed(filled)} == said
        everything = counts(found)[1]
        assert counts(found) == (0, everything, 0)
        assert counts(list(reseal(filled.runtime))) == (everything, 0, 0)

    def test_lives_on(self, filled: World) -> None:
        """The link works with the new key alone."""
        new = rotate(filled)
        list(reseal(filled.runtime))
        filled.cipher = Cipher([new])
        filled.runtime = Runtime(filled.engine, filled.cipher, filled._nudge, filled.clock)
        tokens.keep_alive(filled.runtime, filled.config, filled.shop.shop_id)
        assert filled.connection().state == "connected"
        assert isinstance(
            tokens.credentials(filled.runtime, filled.config, filled.shop.shop_id), tokens.Credentials
        )

    def test_lost_key(self, filled: World) -> None:
        """What no key opens is counted and left as it is."""
        lost = Cipher([Fernet.generate_key().decode()]).seal("x", row="shop:y")
        filled.change_shop(access_token=lost)
        rotate(filled)
        (broken,) = [one for one in reseal(filled.runtime) if one.broken]
        assert (broken.place, broken.broken) == ("shop.access_token", 1)
        with filled.runtime.reading() as session:
            assert session.get_one(Shop, filled.shop.shop_id).access_token == lost

    def test_many(self, either_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """However many there are, each is sealed anew once, and some in each transaction."""
        world = either_world
        monkeypatch.setattr("loyalty.resealing._AT_ONCE", 2)
        states = [
            {
                "state_hash": f"h{number}",
                "shop_id": world.shop.shop_id,
                "user_id": "",
                "verifier": world.cipher.seal(str(number), row=f"oauth_state:h{number}"),
                "return_to": "/",
                "expires_at": world.clock(),
            }
            for number in range(5)
        ]
        with world.runtime.transaction() as session:
            session.execute(insert(table_of(OAuthState)), states)
        new = rotate(world)
        assert counts(list(reseal(world.runtime))) == (0, 5, 0)
        alone = Cipher([new])
        with world.runtime.reading() as session:
            rows = session.execute(select(table_of(OAuthState))).all()
        assert [alone.open(row.verifier, row=f"oauth_state:{row.state_hash}") for row in rows] == list(
            "01234"
        )

    def test_beside_a_renewal(self, filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Klaviyo's new tokens are kept though the old ones were sealed anew while it was asked."""
        rotate(filled)
        place = f"klaviyo:{filled.shop.shop_id}"
        before = filled.cipher.open(filled.connection().access_token or "", row=place)
        ask = oauth.refresh

        def asked_meanwhile(*given: object) -> object:
            answer = ask(*given)  # type: ignore[arg-type]
            list(reseal(filled.runtime))
            return answer

        monkeypatch.setattr(oauth, "refresh", asked_meanwhile)
        tokens.keep_alive(filled.runtime, filled.config, filled.shop.shop_id)
        assert filled.cipher.open(filled.connection().access_token or "", row=place) != before
