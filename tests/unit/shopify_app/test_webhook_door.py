"""The door for Shopify's webhooks."""

import base64
import hashlib
import hmac
import io
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select
from structlog.testing import capture_logs

from loyalty.intake import NotKept
from loyalty.models import InboxMessage
from shopify_app.webhook_door import LARGEST_BODY, PATH, Delivery, WebhookDoor

BODY = b'{"id":1,"email":"iris@fernandfig.shop"}'


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """What stands behind the door."""
    start_response("200 OK", [("X-Behind", "yes")])
    return [b"behind"]


def sign(body: bytes, secret: str = "s" * 40) -> str:
    """Shopify's signature."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def request(body: bytes = BODY, *, family: str = "X_SHOPIFY", **changes: Any) -> dict[str, Any]:
    """A delivery as a WSGI environment, with changes (None takes a key out)."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        f"HTTP_{family}_TOPIC": "orders/paid",
        f"HTTP_{family}_HMAC_SHA256": sign(body),
        f"HTTP_{family}_SHOP_DOMAIN": "fern-and-fig.myshopify.com",
        f"HTTP_{family}_WEBHOOK_ID": "w-1",
    } | changes
    return {key: value for key, value in environ.items() if value is not None}


def call(door: WebhookDoor, environ: dict[str, Any]) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer."""
    seen: list[Any] = []
    b"".join(door(environ, lambda status, headers, _info=None: seen.extend((status, headers))))
    return int(seen[0].split()[0]), dict(seen[1])


@pytest.fixture
def door(runtime, config):
    """The door before an empty inbox."""
    door = WebhookDoor(application, runtime, config)
    yield door
    door.close()


def kept(runtime) -> list[InboxMessage]:
    """What is in the inbox."""
    with runtime.reading() as session:
        return list(session.exec(select(InboxMessage)).all())


class TestTaken:
    """Deliveries that are kept."""

    @pytest.mark.parametrize("family", ["X_SHOPIFY", "SHOPIFY"])
    def test_kept(self, door, runtime, bell, clock, family):
        """A signed delivery is kept whole and the shop's inbox is rung, under both families of header names."""
        assert call(door, request(family=family))[0] == 200
        (message,) = kept(runtime)
        assert (message.shop_domain, message.source, message.topic) == (
            "fern-and-fig.myshopify.com",
            "shopify",
            "orders/paid",
        )
        assert (message.body, message.state, message.due_at) == (BODY, "due", clock())
        assert bell.rung == [("drain_inbox", "fern-and-fig.myshopify.com")]

    def test_repeat(self, door, runtime):
        """A repeat is answered alike and kept once."""
        assert [call(door, request())[0] for _ in range(3)] == [200, 200, 200]
        assert len(kept(runtime)) == 1

    def test_same_id_other_topic(self, door, runtime):
        """One id under two topics is two deliveries."""
        call(door, request())
        call(door, request(HTTP_X_SHOPIFY_TOPIC="orders/create"))
        assert len(kept(runtime)) == 2

    def test_chunked(self, door, runtime):
        """A body without a stated length is read to its end."""
        assert call(door, request(CONTENT_LENGTH=None, HTTP_TRANSFER_ENCODING="chunked"))[0] == 200
        assert kept(runtime)[0].body == BODY

    def test_elsewhere(self, door):
        """Every other path goes to the application untouched."""
        assert call(door, request(PATH_INFO="/"))[1]["X-Behind"] == "yes"


class TestRefused:
    """Requests that are not taken, and leave nothing behind."""

    @pytest.mark.parametrize("name", ["TOPIC", "SHOP_DOMAIN", "WEBHOOK_ID"])
    def test_missing_header(self, door, runtime, name):
        """A signed delivery without one of its headers is a bad request; without a good signature it is 401, whatever else it has."""
        without = {f"HTTP_X_SHOPIFY_{name}": None}
        assert call(door, request(**without))[0] == 400
        for signature in (sign(BODY, "wrong"), "", None):
            assert call(door, request(HTTP_X_SHOPIFY_HMAC_SHA256=signature, **without))[0] == 401
            assert call(door, request(HTTP_X_SHOPIFY_HMAC_SHA256=signature))[0] == 401
        assert kept(runtime) == []

    @pytest.mark.parametrize("signature", [sign(BODY, "wrong"), sign(b"other"), "é", "x"])
    def test_bad_signature(self, door, runtime, bell, signature):
        """A signature that does not hold is 401, and nothing of the body or the signature reaches the log."""
        with capture_logs() as logs:
            assert call(door, request(HTTP_X_SHOPIFY_HMAC_SHA256=signature))[0] == 401
        assert kept(runtime) == []
        assert bell.rung == []
        assert "iris" not in str(logs)
        assert signature not in str(logs)

    @pytest.mark.parametrize(
        "domain", ["evil.net", "fern.myshopify.com.evil.net", "fern.myshopify.com/x", "é.myshopify.com"]
    )
    def test_foreign_shop(self, door, runtime, domain):
        """A signed body for something that is no shop is refused."""
        assert call(door, request(HTTP_X_SHOPIFY_SHOP_DOMAIN=domain))[0] == 400
        assert kept(runtime) == []

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"REQUEST_METHOD": "GET"}, 405),
            ({"CONTENT_LENGTH": None}, 411),
            ({"CONTENT_LENGTH": "-1"}, 400),
            ({"CONTENT_LENGTH": "many"}, 400),
            ({"CONTENT_LENGTH": "1000"}, 400),
            ({"CONTENT_LENGTH": str(LARGEST_BODY + 1)}, 413),
            ({"HTTP_X_SHOPIFY_WEBHOOK_ID": "w" * 300}, 400),
            ({"HTTP_X_SHOPIFY_TOPIC": "orders/é"}, 400),
        ],
    )
    def test_shape(self, door, runtime, changes, status):
        """Wrong methods, lengths and names have their own answers."""
        assert call(door, request(**changes))[0] == status
        assert kept(runtime) == []

    def test_endless(self, door):
        """A body without a stated length is read no further than the limit."""
        stream = io.BytesIO(b"x" * (LARGEST_BODY * 2))
        environ = request(CONTENT_LENGTH=None, HTTP_TRANSFER_ENCODING="chunked") | {"wsgi.input": stream}
        assert call(door, environ)[0] == 413
        assert stream.tell() == LARGEST_BODY + 1


class TestTrouble:
    """When it cannot be taken now, Shopify is asked to come again."""

    def test_database(self, runtime, config, bell):
        """Trouble with the database is 503, nobody is rung for, and the log says what kind of trouble it was."""

        def keep(delivery: Delivery) -> None:
            raise NotKept("OperationalError")

        with capture_logs() as logs:
            status, headers = call(WebhookDoor(application, runtime, config, keep=keep), request())
        assert (status, headers["Retry-After"]) == (503, "5")
        assert logs == [{"event": "webhook_not_kept", "error": "OperationalError", "log_level": "error"}]
        assert bell.rung == []

    def test_shed(self, runtime, config):
        """With all places taken the next request is turned away at once, and its place is not used up."""
        inner: list[int] = []

        def keep(delivery: Delivery) -> None:
            inner.append(call(door, request())[0])

        door = WebhookDoor(application, runtime, config, keep=keep, most_in_flight=1)
        assert call(door, request())[0] == 200
        assert call(door, request())[0] == 200
        assert inner == [503, 503]
