"""What is left of a local Shopify when it has stopped, or could not start: nothing."""

import threading
from pathlib import Path

import pytest

from sandbox.shopify import start
from sandbox.shopify.errors import ActionRefused
from tests.unit.sandbox.klaviyo_rig import wait_for
from tests.unit.sandbox.shopify_rig import rig

BULK = """mutation { bulkOperationRunQuery(query: "{ customers { edges { node { id email } } } }") {
  bulkOperation { id } userErrors { message } } }"""


class TestStop:
    def test_nothing_left(self):
        """Listeners, deliveries and bulk operations have ended with it, and their files are gone."""
        before = set(threading.enumerate())
        with rig() as shop:
            graph = shop.graph()
            shop.post("//limits", bulk_hold=True)
            assert graph(BULK)["data"]["bulkOperationRunQuery"]["userErrors"] == []
            shop.post("//limits", bulk_hold=False)
            graph(BULK)
            directory = Path(shop.sandbox.state.directory)
            assert directory.is_dir()
        wait_for(lambda: set(threading.enumerate()) <= before)
        assert not directory.exists()

    def test_failed_start(self):
        """A start that fails leaves no thread behind."""
        before = set(threading.enumerate())
        with pytest.raises(ActionRefused):
            start(shop="not a shop")
        wait_for(lambda: set(threading.enumerate()) <= before)
