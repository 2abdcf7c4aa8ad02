"""The Admin GraphQL API: a strict subset of 2026-10 with costs, throttling and scopes."""
