"""Webhooks out: what they say, and how they are delivered."""
