"""The OAuth pages and endpoints: consent, tokens, revocation.

Refuses to redirect anywhere before the client and its redirect address are known to be right.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus, urlencode

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as WerkzeugResponse

from sandbox.klaviyo.gate import state
from sandbox.klaviyo.grants import Client, TokenError, Tokens
from sandbox.klaviyo.operations import SCOPES

blueprint = Blueprint("oauth", __name__)

# Every app has it, asked for or not.
BASE_SCOPE = "accounts:read"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Demand:
    """What an app asks for in its authorization request."""

    redirect_uri: str
    state: str | None
    scopes: frozenset[str]
    challenge: str


class _BadDemand(Exception):
    """Something to tell the person, since there is no address it is safe to send them to."""


class _RefusedDemand(Exception):
    """An error that goes back to the app."""

    def __init__(self, code: str, detail: str, redirect_uri: str, app_state: str | None) -> None:
        super().__init__(code)
        self.answer = _back(redirect_uri, app_state, error=code, error_description=detail)


@blueprint.get("/oauth/authorize")
def consent() -> WerkzeugResponse | str | tuple[str, int]:
    """The page on which an account's owner allows or denies an app."""
    try:
        demand = _read(request.args)
    except _BadDemand as error:
        return render_template("refused.html", reason=str(error)), 400
    except _RefusedDemand as error:
        return error.answer
    with state().lock:
        installed = {ident for ident in state().accounts if state().grants.grant(ident)}
        specs = [account.spec for account in state().accounts.values()]
    return render_template(
        "consent.html",
        app=state().client.name,
        accounts=specs,
        installed=installed,
        scopes=sorted(demand.scopes),
    )


@blueprint.post("/oauth/authorize")
def decide() -> WerkzeugResponse | tuple[str, int]:
    """The owner pressed a button; the query is the one of the page."""
    try:
        demand = _read(request.args)
    except _BadDemand as error:
        return render_template("refused.html", reason=str(error)), 400
    except _RefusedDemand as error:
        return error.answer
    if request.form.get("decision") != "allow":
        detail = "The user denied the request."
        return _back(demand.redirect_uri, demand.state, error="access_denied", error_description=detail)
    ident = request.form.get("account", "")
    with state().lock:
        if ident not in state().accounts:
            return render_template("refused.html", reason="Choose one of the accounts."), 400
        code = state().grants.issue_code(
            ident, demand.redirect_uri, demand.scopes, demand.challenge, state().now()
        )
    return _back(demand.redirect_uri, demand.state, code=code)


@blueprint.post("/oauth/token")
def token() -> Response:
    """Codes and refresh tokens in, access tokens out."""
    try:
        _authenticate()
        return _tokens(_grant(_form()))
    except TokenError as error:
        return _token_error(error)


def _grant(form: Mapping[str, str]) -> Tokens:
    grant_type = form.get("grant_type")
    with state().lock:
        grants, now = state().grants, state().now()
        if grant_type == "authorization_code":
            wanted = (_field(form, "code"), _field(form, "redirect_uri"), _field(form, "code_verifier"))
            return grants.exchange(*wanted, now)
        if grant_type == "refresh_token":
            return grants.refresh(_field(form, "refresh_token"), now)
    raise TokenError("invalid_grant_type", "grant_type must be authorization_code or refresh_token.")


@blueprint.post("/oauth/revoke")
def revoke() -> Response:
    """End an installation."""
    try:
        _authenticate()
        wanted = _revocable(_form())
    except TokenError as error:
        return _token_error(error)
    with state().lock:
        state().grants.revoke(wanted)
    return jsonify({})


def _revocable(form: Mapping[str, str]) -> str:
    if form.get("token_type_hint", "refresh_token") not in ("refresh_token", "access_token"):
        raise TokenError("unsupported_token_type", "token_type_hint is not known.")
    return _field(form, "token")


def _read(args: Mapping[str, str]) -> Demand:
    client, uri = state().client, args.get("redirect_uri", "")
    if args.get("client_id") != client.ident:
        raise _BadDemand("There is no app with this client_id.")
    if uri not in client.redirect_uris:
        raise _BadDemand("This redirect_uri is not on the app's list.")
    app_state = args.get("state")

    def refused(code: str, detail: str) -> _RefusedDemand:
        return _RefusedDemand(code, detail, uri, app_state)

    if args.get("response_type") != "code":
        raise refused("unsupported_response_type", "response_type must be code.")
    if args.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
        args.get("code_challenge", "")
    ):
        raise refused("invalid_request", "PKCE with code_challenge_method=S256 is required.")
    scopes = frozenset(args.get("scope", "").split())
    if not scopes or scopes - (SCOPES if client.scopes is None else client.scopes):
        raise refused("invalid_scope", "A scope is missing, unknown or not on the app's list.")
    return Demand(uri, app_state, scopes | {BASE_SCOPE}, args["code_challenge"])


def _back(redirect_uri: str, app_state: str | None, **values: str) -> WerkzeugResponse:
    if app_state is not None:
        values["state"] = app_state
    joint = "&" if "?" in redirect_uri else "?"
    return redirect(f"{redirect_uri}{joint}{urlencode(values)}", 302)


def _authenticate() -> None:
    client = state().client
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        ident, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        ident, secret = "", ""
    if scheme.lower() != "basic" or not _same_client(client, unquote_plus(ident), unquote_plus(secret)):
        raise TokenError("invalid_client", "Send client id and secret in a Basic authorization header.", 401)


def _same_client(client: Client, ident: str, secret: str) -> bool:
    good = hmac.compare_digest(ident.encode(), client.ident.encode())
    return hmac.compare_digest(secret.encode(), client.secret.encode()) and good


def _form() -> Mapping[str, str]:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise TokenError("invalid_grant_type", "The body must be application/x-www-form-urlencoded.")
    if any(len(values) > 1 for _, values in request.form.lists()):
        raise TokenError("invalid_request", "A parameter may be there once.")
    return request.form


def _field(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise TokenError("invalid_request", f"{name} is required.")
    return value


def _tokens(tokens: Tokens) -> Response:
    reply = jsonify(
        access_token=tokens.access,
        token_type="Bearer",
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh,
        scope=" ".join(sorted(tokens.scopes)),
    )
    reply.headers["Cache-Control"] = "no-store"
    return reply


def _token_error(error: TokenError) -> Response:
    reply = jsonify(error=error.code, error_description=error.detail)
    reply.status_code = error.status
    if error.retry_after is not None:
        reply.headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        reply.headers["WWW-Authenticate"] = 'Basic realm="klaviyo"'
    return reply
