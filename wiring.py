"""Joins the rooms: the one place where settings become parts, and where the edges are plugged into the loyalty program."""

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests
from redis import Redis

import klaviyo_oauth.drift_check
import klaviyo_oauth.review_facts
import klaviyo_oauth.sync
import shopify_app.api
import shopify_app.imports
import shopify_app.lifecycle
import shopify_app.translate
from engines import valkey
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.disconnecting import disconnect
from klaviyo_oauth.goodbye import say_goodbye
from klaviyo_oauth.sender import KlaviyoSender
from loyalty import calendar, inbox, member_import, outbox, preview
from loyalty.database import make_engine
from loyalty.delivery import Sender
from loyalty.encryption import Cipher
from loyalty.receiving import Reception
from loyalty.runs import RunView, Step, StepFunction
from loyalty.runtime import Runtime
from queues import Bell
from settings import Settings
from shopify_app.config import ShopifyConfig
from shopify_app.erasure import SHOP_ERASURE, erase_step
from shopify_app.sender import ShopifySender

REDIS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class House:
    """Everything that a process of ours works with."""

    settings: Settings
    runtime: Runtime
    bell: Bell
    redis: Redis
    redis_url: str = field(repr=False)
    http: requests.Session
    shopify: ShopifyConfig
    klaviyo: KlaviyoConfig
    reception: Reception
    senders: Mapping[str, Sender]
    steps: Mapping[str, StepFunction]


def build(settings: Settings) -> House:
    """Make the parts of this process. Engines connect when they are first used; only the embedded queue server is started."""
    redis_url = settings.redis_url or _embedded_queue(settings)
    # A queue server that hangs must not hang the webhook door with it.
    redis = Redis.from_url(redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
    bell = Bell(redis)
    engine = make_engine(settings.database_url)
    # A forked child must not share its parent's connections, nor close them.
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
    runtime = Runtime(
        engine=engine,
        cipher=Cipher(settings.token_keys),
        nudge=bell,
        lease_seconds=settings.laurel_lease_seconds,
    )
    http = requests.Session()
    shopify, klaviyo = shopify_config(settings), klaviyo_config(settings)
    senders: dict[str, Sender] = {
        outbox.REWARDS: ShopifySender(runtime, shopify, http, channel=outbox.REWARDS),
        outbox.SHOPIFY: ShopifySender(runtime, shopify, http),
        outbox.KLAVIYO: KlaviyoSender(runtime, klaviyo, redis, http),
        outbox.PROFILES: KlaviyoSender(runtime, klaviyo, redis, http, channel=outbox.PROFILES),
    }
    return House(
        settings=settings,
        runtime=runtime,
        bell=bell,
        redis=redis,
        redis_url=redis_url,
        http=http,
        shopify=shopify,
        klaviyo=klaviyo,
        reception=_reception(runtime.cipher),
        senders=senders,
        steps=_steps(runtime, shopify, klaviyo, redis, http),
    )


def _reception(cipher: Cipher) -> Reception:
    return Reception(
        translators={
            inbox.SHOPIFY: shopify_app.translate.translate,
            inbox.KLAVIYO: klaviyo_oauth.review_facts.translate,
            inbox.API: shopify_app.api.translate,
        },
        shop_handlers=shopify_app.lifecycle.shop_handlers(cipher),
    )


def _steps(
    runtime: Runtime, shopify: ShopifyConfig, klaviyo: KlaviyoConfig, redis: Redis, http: requests.Session
) -> Mapping[str, StepFunction]:
    """What takes each kind of run further."""
    return {
        **shopify_app.imports.steps(shopify, http),
        **member_import.STEPS,
        preview.KIND: preview.step,
        SHOP_ERASURE: _erasure(klaviyo, redis, http),
        klaviyo_oauth.drift_check.KIND: klaviyo_oauth.drift_check.create_step(runtime, klaviyo, redis, http),
        calendar.REFRESH: calendar.refresh_step,
        klaviyo_oauth.sync.KIND: klaviyo_oauth.sync.create_step(runtime, klaviyo, redis, http),
    }


def _erasure(klaviyo: KlaviyoConfig, redis: Redis, http: requests.Session) -> StepFunction:
    """Before a shop's rows go, its link to Klaviyo is ended there too: afterwards nobody has the token to do it with. While Klaviyo
    does not answer the erasure waits, a day at most: then the farewell has been given up."""

    def step(runtime: Runtime, view: RunView) -> Step:
        disconnect(runtime, view.shop_id)
        again_in = say_goodbye(runtime, klaviyo, redis, view.shop_id, http=http)
        return erase_step(runtime, view) if again_in is None else Step(wait=again_in)

    return step


def shopify_config(settings: Settings) -> ShopifyConfig:
    """What the Shopify edge is told of the settings."""
    return ShopifyConfig(
        api_key=settings.shopify_api_key or "",
        api_secret=settings.shopify_api_secret or "",
        api_secret_old=settings.shopify_api_secret_old or "",
        app_url=settings.shopify_app_url,
        api_version=settings.shopify_api_version,
        shop_url=settings.shopify_shop_url,
        admin_url=settings.shopify_admin_url,
        cdn_url=settings.shopify_cdn_url,
    )


def klaviyo_config(settings: Settings) -> KlaviyoConfig:
    """What the Klaviyo edge is told of the settings."""
    return KlaviyoConfig(
        app_url=settings.shopify_app_url,
        client_id=settings.klaviyo_client_id,
        client_secret=settings.klaviyo_client_secret,
        authorize_url=settings.klaviyo_authorize_url,
        api_url=settings.klaviyo_api_url,
        revision=settings.klaviyo_revision,
        production=settings.production,
    )


def _embedded_queue(settings: Settings) -> str:
    server = valkey.start(settings.laurel_var / "valkey")
    atexit.register(server.stop)
    return server.url
