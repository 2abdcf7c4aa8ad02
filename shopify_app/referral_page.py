"""The page behind a referral link for browsers without scripts, shown inside the shop's theme.

Shopify renders what is answered here as Liquid, so every brace of a text that somebody wrote is taken away as carefully as its tags.
"""

import html
from http import HTTPStatus
from string import Template
from urllib.parse import quote

from flask import Blueprint, Response, make_response, request

from loyalty.models import Referral
from loyalty.runtime import Runtime
from shopify_app.config import ShopifyConfig
from shopify_app.referral_claims import (
    Offer,
    claim_answer,
    claim_of,
    minimum_of,
    nothing_given,
    offer_of,
    open_offer_of,
    take_claim,
)
from shopify_app.visitors import LARGEST_BODY, Visitor, language_of_request, refuse, visitor_of

_BRACES = str.maketrans({"{": "&#123;", "}": "&#125;", "%": "&#37;"})
_FORM = Template("""<div class="laurel-referral page-width" lang="$lang">
<h1>$title</h1>
<p>$offer</p>
<form method="post" action="$action">
<p><label for="laurel-referral-email">$email</label></p>
<p><input id="laurel-referral-email" type="email" name="email" autocomplete="email" maxlength="254" required></p>
<p><button type="submit">$send</button></p>
</form>
</div>""")
_WAITING = Template("""<div class="laurel-referral page-width" lang="$lang">
<h1>$title</h1>
<p role="status">$waiting</p>
<p><a href="$again">$show</a></p>
</div>""")
_CODE = Template("""<div class="laurel-referral page-width" lang="$lang">
<h1>$title</h1>
<p role="status">$label <strong>$code</strong></p>
<p><a href="/discount/$code">$use</a></p>
</div>""")
_NOTHING = Template("""<div class="laurel-referral page-width" lang="$lang">
<h1>$title</h1>
<p role="status">$message</p>
</div>""")


def create_blueprint(runtime: Runtime, config: ShopifyConfig) -> Blueprint:
    """``/proxy/r/<code>`` and what comes of its form."""
    blueprint = Blueprint("referral_page", __name__, url_prefix="/proxy/r")

    @blueprint.after_request
    def for_people(response: Response) -> Response:
        if response.is_json and response.status_code != HTTPStatus.UNAUTHORIZED:
            # A refusal, as the doors for scripts say it. No person is shown what Shopify did not sign.
            message = str(response.get_json()["message"])
            page = _page(_NOTHING, title=language_of_request().say("refused"), message=message)
            page.status_code, response = response.status_code, page
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get("/<code>")
    def show_offer(code: str) -> Response:
        visitor = visitor_of(runtime, config)
        with runtime.reading() as session:
            offered = open_offer_of(session, visitor, code, now=runtime.clock())
            return _form(visitor, offered, code)

    @blueprint.post("/<code>")
    def take_offer(code: str) -> Response:
        visitor = visitor_of(runtime, config)
        request.max_content_length = LARGEST_BODY
        claimed = take_claim(runtime, visitor, code=code, email=request.form.get("email"), device=None)
        return _state(runtime, visitor, code, claimed)

    @blueprint.get("/<code>/<key>")
    def show_code(code: str, key: str) -> Response:
        visitor = visitor_of(runtime, config)
        with runtime.reading() as session:
            claimed = claim_of(session, visitor, key)
        if claimed is None:
            refuse("not_found")
        return _state(runtime, visitor, code, claimed)

    return blueprint


def safe(text: str) -> str:
    """A text that is neither a tag of HTML nor of Liquid."""
    return html.escape(text).translate(_BRACES)


def _form(visitor: Visitor, offered: Offer, code: str) -> Response:
    language, gift = language_of_request(), offered.friend_title
    minimum = minimum_of(visitor, offered.program)
    if minimum:
        offer = language.say("friend_invites_from", gift=gift, money=minimum)
    else:
        offer = language.say("friend_invites", gift=gift)
    return _page(
        _FORM,
        title=offered.terms.title,
        offer=offer,
        action=_address(visitor, code),
        email=language.say("friend_email"),
        send=language.say("friend_send"),
    )


def _state(runtime: Runtime, visitor: Visitor, code: str, claimed: Referral) -> Response:
    with runtime.reading() as session:
        title = offer_of(session, visitor, code).friend_title
        claim = claim_answer(session, claimed)["claim"]
    if claim is None or claim["reward"]["state"] not in ("issuing", "issued"):
        return _page(_NOTHING, title=title, message=nothing_given())
    say = language_of_request().say
    if claim["reward"]["code"] is None:
        again = _address(visitor, code, f"/{claim['id']}")
        return _page(
            _WAITING, title=title, waiting=say("friend_waiting"), again=again, show=say("friend_show")
        )
    shown = claim["reward"]["code"]
    return _page(_CODE, title=title, label=say("friend_code"), code=shown, use=say("friend_use"))


def _address(visitor: Visitor, code: str, rest: str = "") -> str:
    """The address of a page of the same offer; who asked for a language by name goes on in it."""
    named = f"?language={language_of_request().code}" if "language" in request.args else ""
    return f"{visitor.prefix or '/apps/laurel'}/r/{quote(code, safe='')}{rest}{named}"


def _page(template: Template, **texts: str) -> Response:
    texts["lang"] = language_of_request().code.replace("_", "-")
    response = make_response(template.substitute({name: safe(text) for name, text in texts.items()}))
    response.headers["Content-Type"] = "application/liquid; charset=utf-8"
    return response
