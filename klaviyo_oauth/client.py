"""One HTTP request to Klaviyo and what came back. It knows headers, compression and timeouts; no limits, no tokens, no retries."""

import gzip
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from klaviyo_oauth.answers import NoReply, Reply, read_errors
from klaviyo_oauth.config import KlaviyoConfig

TIMEOUT = (5, 30)
_MEDIA = "application/vnd.api+json"
_GZIP_FROM = 64 * 1024
# Level 1 already shrinks a batch several-fold, at a quarter of the default level's time.
_GZIP_LEVEL = 1
_LONGEST_WAIT = 86_400.0


class _Header(requests.auth.AuthBase):
    """Sets the Authorization header last, so that a ``.netrc`` on the machine cannot replace it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


class Client:
    """Sends dict (or ready-made) bodies as they are; models of an SDK would add nulls, and null clears a field."""

    def __init__(self, config: KlaviyoConfig, http: requests.Session) -> None:
        self._config = config
        self._http = http

    def send(
        self,
        authorization: str,
        method: str,
        path: str,
        *,
        json_body: Mapping[str, Any] | None = None,
        raw_body: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> Reply | NoReply:
        """One request. Never raises for the network or for what Klaviyo answers."""
        body = raw_body if json_body is None else json.dumps(json_body, separators=(",", ":")).encode()
        try:
            response = self._http.request(
                method,
                f"{self._config.api_url}{path}",
                params=params,
                data=_packed(body),
                headers=self._headers(body),
                auth=_Header(authorization),
                timeout=timeout,
                allow_redirects=False,
            )
            return _reply(response, has_data=method == "GET")
        except requests.Timeout:
            return NoReply("timeout")
        except requests.RequestException as error:
            # The exception's text names hosts and paths at length; its kind says enough.
            return NoReply(type(error).__name__)

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {
            "revision": self._config.revision,
            "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1",
            "Accept": _MEDIA,
        }
        if body is not None:
            headers["Content-Type"] = _MEDIA
            if len(body) >= _GZIP_FROM:
                headers["Content-Encoding"] = "gzip"
        return headers


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """The seconds of a Retry-After header, given as a number or as a date; None when there is none that can be read."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return min(max(0.0, seconds), _LONGEST_WAIT) if math.isfinite(seconds) else None
    try:
        return min(max(0.0, (parsedate_to_datetime(value) - now).total_seconds()), _LONGEST_WAIT)
    except (TypeError, ValueError, OverflowError):
        return None


def _packed(body: bytes | None) -> bytes | None:
    if body is None or len(body) < _GZIP_FROM:
        return body
    return gzip.compress(body, _GZIP_LEVEL)


def _reply(response: requests.Response, *, has_data: bool) -> Reply | NoReply:
    body: Any = {}
    if response.content:
        try:
            body = response.json()
        except (ValueError, RecursionError):
            body = None
    # A proxy's page in front of Klaviyo: the status still tells what to do, unless it claims success. And whoever takes an empty
    # answer for an empty list believes that there are no reviews, or no profiles.
    if response.ok and (not isinstance(body, Mapping) or (has_data and "data" not in body)):
        return NoReply("unreadable answer")
    body = body if isinstance(body, Mapping) else {}
    errors = () if response.ok else read_errors(response.status_code, body)
    wait = retry_after(response.headers.get("Retry-After"), now=datetime.now(UTC))
    return Reply(response.status_code, body, errors, wait)
