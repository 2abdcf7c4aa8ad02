"""Starts a local Shopify and a local Klaviyo, says where they are, and serves until it is stopped.

The first line on standard output is JSON with every address; nothing else is ever printed there.
"""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
import threading
from collections.abc import Sequence

from sandbox import klaviyo, shopify


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; port 0 picks a free one."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__.splitlines()[0])
    parser.add_argument("--shopify-port", type=int, default=0)
    parser.add_argument("--storefront-port", type=int, default=0, help="the demo shop's own address")
    parser.add_argument("--klaviyo-port", type=int, default=0)
    parser.add_argument("--app-url", default="http://127.0.0.1:5000", help="where the app is or will be")
    parser.add_argument("--client-id", default="laurel-client-id")
    parser.add_argument("--client-secret", default="laurel-client-secret")
    parser.add_argument("--toml", help="the app's shopify.app.toml, for scopes and subscriptions")
    parser.add_argument("--extension", help="folder of the theme app extension")
    parser.add_argument(
        "--shop", default=shopify.DEMO_SHOP, help="domain of the shop that is open at the start"
    )
    parser.add_argument("--install", action="store_true", help="install the app in that shop")
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="multiplies the waits between webhook retries"
    )
    parser.add_argument("--klaviyo-client-id", default=klaviyo.DEFAULT_CLIENT_ID)
    parser.add_argument("--klaviyo-client-secret", default=klaviyo.DEFAULT_CLIENT_SECRET)
    parser.add_argument("--klaviyo-redirect-uri", action="append", default=[])
    parser.add_argument("--klaviyo-limits", choices=("real", "off"), default="real")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Start both servers and wait for a signal."""
    given = arguments(argv)
    # A bulk request is a hundred thousand small objects that live for a moment: looking through them for
    # cycles again and again costs a third of the time that it takes.
    gc.set_threshold(100_000, 20, 20)
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    store = shopify.start(
        port=given.shopify_port,
        client_id=given.client_id,
        client_secret=given.client_secret,
        app_url=given.app_url,
        toml_path=given.toml,
        extension_path=given.extension,
        shop=given.shop,
        install=given.install,
        time_scale=given.time_scale,
        storefront_port=given.storefront_port,
    )
    marketing = klaviyo.start(
        given.klaviyo_port,
        given.klaviyo_client_id,
        given.klaviyo_client_secret,
        redirect_uris=given.klaviyo_redirect_uri,
        limits=given.klaviyo_limits,
    )
    addresses = {"shopify": store.url, "storefront": store.storefront_url, "klaviyo": marketing.url}
    addresses |= {
        "shop": given.shop,
        "admin": f"{store.url}/store/{given.shop.removesuffix('.myshopify.com')}",
    }
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    stopped.wait()
    marketing.stop()
    store.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
