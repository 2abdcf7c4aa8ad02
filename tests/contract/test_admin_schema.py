"""Every document that is sent to the Admin API, held to Shopify's own schema of the version that we ask for."""

import functools
import gzip
import json
from pathlib import Path

import pytest
from graphql import (
    GraphQLSchema,
    build_client_schema,
    parse,
    validate,
)

from shopify_app import documents
from shopify_app.config import ShopifyConfig

DATA = Path(__file__).parents[2] / "node_modules/@shopify/dev-mcp/dist/data"
VERSION = ShopifyConfig(api_key="", api_secret="").api_version
TEXTS = {
    name: value.replace("%s", "created_at:>=2026-01-01")
    for name, value in vars(documents).items()
    if isinstance(value, str) and name.isupper() and not name.startswith("_")
}

pytestmark = pytest.mark.node


@functools.cache
def schema() -> GraphQLSchema:
    """Shopify's schema of the pinned version."""
    body = json.loads(gzip.decompress((DATA / f"admin_{VERSION}.json.gz").read_bytes()))
    return build_client_schema(body["data"])


@pytest.mark.parametrize("name", sorted(TEXTS))
class TestDocument:
    """One document at a time."""

    def test_valid(self, name):
        """Shopify's schema accepts the document."""
        assert [error.message for error in validate(schema(), parse(TEXTS[name]))] == []
