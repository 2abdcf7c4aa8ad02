"""The door for Shopify's webhooks: a plain WSGI callable in front of the application.

A delivery is checked over its raw bytes, kept by one insert that ignores a repeat, and answered. Nothing here reads the body's
meaning, asks the database for anything or waits for another machine: that is the inbox's later work.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

import structlog

from loyalty import inbox
from loyalty.intake import Intake, NotKept
from loyalty.runtime import Nudge, Runtime
from shopify_app.config import ShopifyConfig, canonical_domain
from shopify_app.signatures import webhook_signature_holds

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/webhooks/shopify"
LARGEST_BODY = 2 * 1024 * 1024
# The server must offer more threads than this (``flask run --threads``): a request that waits for a thread cannot be turned away.
MOST_IN_FLIGHT = 48
_NAMES = ("TOPIC", "HMAC_SHA256", "SHOP_DOMAIN", "WEBHOOK_ID")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook whose signature holds."""

    shop_domain: str
    topic: str
    delivery_id: str
    body: bytes = field(repr=False)


class Refused(Exception):
    """A request is not taken; ``status`` is the whole answer."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class WebhookDoor:
    """See the module. More than ``most_in_flight`` requests at once are shed: Shopify gives up after five seconds and comes again."""

    def __init__(
        self,
        app: "WSGIApplication",
        runtime: Runtime,
        config: ShopifyConfig,
        *,
        keep: Callable[[Delivery], None] | None = None,
        nudge: Nudge | None = None,
        most_in_flight: int = MOST_IN_FLIGHT,
    ) -> None:
        self._app = app
        self._runtime = runtime
        self._secrets = config.secrets
        self._keep = keep or self._receive
        self._intake = Intake(runtime.engine)
        self._nudge = nudge or runtime.nudge
        self._places = threading.BoundedSemaphore(most_in_flight)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            return self._app(environ, start_response)
        status = self._answer(environ)
        headers = [("Content-Length", "0"), ("Cache-Control", "no-store")]
        if status.startswith("503"):
            headers.append(("Retry-After", "5"))
        if status.startswith("405"):
            headers.append(("Allow", "POST"))
        start_response(status, headers)
        return []

    def _answer(self, environ: "WSGIEnvironment") -> str:
        if environ["REQUEST_METHOD"] != "POST":
            return "405 Method Not Allowed"
        if not self._places.acquire(blocking=False):
            return "503 Service Unavailable"
        try:
            delivery = read_delivery(environ, self._secrets)
            self._keep(delivery)
        except Refused as refused:
            return refused.status
        except NotKept as problem:
            log.error("webhook_not_kept", error=problem.kind)  # noqa: TRY400  # a trace would show the database's own text
            return "503 Service Unavailable"
        finally:
            self._places.release()
        self._nudge("drain_inbox", delivery.shop_domain)
        return "200 OK"

    def close(self) -> None:
        """Close what the door keeps open."""
        self._intake.close()

    def _receive(self, delivery: Delivery) -> None:
        self._intake.receive(
            shop_domain=delivery.shop_domain,
            source=inbox.SHOPIFY,
            delivery_id=delivery.delivery_id,
            topic=delivery.topic,
            body=delivery.body,
            now=self._runtime.clock(),
        )


def read_delivery(environ: "WSGIEnvironment", secrets: tuple[str, ...]) -> Delivery:
    """The delivery of a request, or ``Refused``. Both families of header names are understood."""
    topic, signature, shop, webhook_id = (_header(environ, name) for name in _NAMES)
    # Whoever does not sign is told nothing else: Shopify looks whether an app answers a bad signature with 401, whatever else is there.
    if not signature or not webhook_signature_holds(body := _read_body(environ), signature, secrets):
        log.warning("webhook_signature_refused")
        raise Refused("401 Unauthorized")
    if not (topic and shop and webhook_id):
        raise Refused("400 Bad Request")
    domain = canonical_domain(shop)
    if domain is None or not (topic.isascii() and webhook_id.isascii()) or len(topic) + len(webhook_id) > 250:
        raise Refused("400 Bad Request")
    # One id may serve several subscriptions, and each of them matters.
    return Delivery(domain, topic, f"{topic}:{webhook_id}", body)


def _header(environ: "WSGIEnvironment", name: str) -> str:
    return str(environ.get(f"HTTP_X_SHOPIFY_{name}") or environ.get(f"HTTP_SHOPIFY_{name}") or "")


def _read_body(environ: "WSGIEnvironment") -> bytes:
    stream = cast("BinaryIO", environ["wsgi.input"])
    length = environ.get("CONTENT_LENGTH") or ""
    if not length:
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() != "chunked" and not environ.get(
            "wsgi.input_terminated"
        ):
            raise Refused("411 Length Required")
        body = stream.read(LARGEST_BODY + 1)
    elif not (length.isascii() and length.isdigit()):
        raise Refused("400 Bad Request")
    elif int(length) > LARGEST_BODY:
        raise Refused("413 Content Too Large")
    else:
        body = stream.read(int(length))
        if len(body) != int(length):
            raise Refused("400 Bad Request")
    if len(body) > LARGEST_BODY:
        raise Refused("413 Content Too Large")
    return body
