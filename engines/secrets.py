"""Secrets that a development machine makes up for itself. They are never used in production, which refuses them."""

import base64
import binascii
import contextlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

SHORTEST = 32
_FILE = "development-secrets.json"


@dataclass(frozen=True, slots=True)
class DevelopmentSecrets:
    """One machine's own secrets."""

    secret_key: str = field(repr=False)
    token_key: str = field(repr=False)


def is_fernet_key(key: str) -> bool:
    """Whether ``key`` is 32 bytes in URL-safe base64."""
    try:
        return len(base64.b64decode(key.encode(), altchars=b"-_", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def kept(directory: Path) -> DevelopmentSecrets | None:
    """The secrets made earlier in ``directory``, if there are any and they are ours to read."""
    try:
        return _read(directory / _FILE)
    except (FileNotFoundError, PermissionError):
        return None


def development(directory: Path) -> DevelopmentSecrets:
    """The secrets of this machine, made on first use. Processes that start together end up with the same ones."""
    path = directory / _FILE
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _make(path)
    return _read(path)


def _read(path: Path) -> DevelopmentSecrets:
    try:
        document = json.loads(path.read_text())
        return DevelopmentSecrets(document["secret_key"], document["token_key"])
    except (ValueError, KeyError, TypeError):
        raise RuntimeError(f"{path} is damaged; what it sealed cannot be opened without it") from None


def _make(path: Path) -> None:
    made = {
        "secret_key": secrets.token_urlsafe(48),
        "token_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    # mkstemp makes the draft for us alone (0600). Linking is refused when another process was first, and then its file counts.
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".secrets-")
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(made, file)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        Path(draft).unlink()
