"""The first visit of a merchant: the ID token becomes access, the shop gets its row, its program and its first import.

The network is used before the transaction, never in it. A second visit at the same moment does the same again and changes nothing.
"""

import requests
import structlog

from loyalty import outbox
from loyalty.runtime import Runtime
from shopify_app import lifecycle, token_endpoint, tokens
from shopify_app.config import ShopifyConfig
from shopify_app.errors import ShopifyError
from shopify_app.shop_details import read_details

log = structlog.get_logger(__name__)


class Installer:
    """Brings a shop in, or back in."""

    def __init__(self, runtime: Runtime, config: ShopifyConfig, session: requests.Session) -> None:
        self._runtime = runtime
        self._config = config
        self._session = session

    def install(self, domain: str, id_token: str) -> int:
        """The shop's id, once it can be spoken to. Raises ``SubjectTokenRefused`` and ``ShopifyError``."""
        now = self._runtime.clock()
        pair = token_endpoint.exchange(self._session, self._config, domain, id_token, now=now)
        with self._runtime.transaction() as session:
            installed = lifecycle.install(session, self._runtime.cipher, domain, now=now)
            tokens.store(self._runtime, session, installed.shop_id, pair)
            if installed.is_new:
                outbox.put(
                    session,
                    installed.shop_id,
                    outbox.SHOPIFY,
                    lifecycle.SHOP_DETAILS,
                    f"details:{now.isoformat()}",
                    {},
                    occurred_at=now,
                    now=now,
                )
        if installed.is_new:
            self._welcome(installed, domain)
        for channel in (outbox.REWARDS, outbox.SHOPIFY):
            self._runtime.nudge("drain_outbox", installed.shop_id, channel)
        return installed.shop_id

    def _welcome(self, installed: lifecycle.Installed, domain: str) -> None:
        log.info("shop_installed", shop=domain)
        try:
            # The first page already shows the shop's name and currency. If this fails, the queued message brings them later.
            read_details(self._runtime, self._config, installed.shop_id, self._session)
        except ShopifyError as error:
            log.warning("shop_details_postponed", shop=domain, reason=error.reason)
        self._runtime.nudge("drain_inbox", domain)
        if installed.run_id is not None:
            self._runtime.nudge("advance_run", installed.run_id)
