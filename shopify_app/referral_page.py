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
    NOTHING_GIVEN,
    Offer,
    claim_answer,
    claim_of,
    minimum_of,
    offer_of,
    take_claim,
)
from shopify_app.visitors import LARGEST_BODY, Visitor, refuse, visitor_of

_BRACES = str.maketrans({"{": "&#123;", "}": "&#125;", "%": "&#37;"})
_FORM = Template("""<div class="laurel-referral page-width">
<h1>$title</h1>
<p>$offer</p>
<form method="post" action="$action">
<p><label for="laurel-referral-email">Your e-mail address</label></p>
<p><input id="laurel-referral-email" type="email" name="email" autocomplete="email" maxlength="254" required></p>
<p><button type="submit">Get my code</button></p>
</form>
</div>""")
_WAITING = Template("""<div class="laurel-referral page-width">
<h1>$title</h1>
<p role="status">Your code is being made.</p>
<p><a href="$again">Show my code</a></p>
</div>""")
_CODE = Template("""<div class="laurel-referral page-width">
<h1>$title</h1>
<p role="status">Your code is <strong>$code</strong></p>
<p><a href="/discount/$code">Use it now</a></p>
</div>""")
_NOTHING = Template("""<div class="laurel-referral page-width">
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
            page = _page(_NOTHING, title="This did not work", message=str(response.get_json()["message"]))
            page.status_code, response = response.status_code, page
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get("/<code>")
    def show_offer(code: str) -> Response:
        visitor = visitor_of(runtime, config)
        with runtime.reading() as session:
            return _form(visitor, offer_of(session, visitor, code), code)

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
    terms, gift = offered.terms, offered.friend_title
    minimum = minimum_of(visitor, offered.program)
    least = f" for your first order of {minimum} or more" if minimum else ""
    offer = f"A friend invites you: {gift}{least}."
    return _page(_FORM, title=terms.title, offer=offer, action=_address(visitor, code))


def _state(runtime: Runtime, visitor: Visitor, code: str, claimed: Referral) -> Response:
    with runtime.reading() as session:
        title = offer_of(session, visitor, code).friend_title
        claim = claim_answer(session, claimed)["claim"]
    if claim is None or claim["reward"]["state"] not in ("issuing", "issued"):
        return _page(_NOTHING, title=title, message=NOTHING_GIVEN)
    if claim["reward"]["code"] is None:
        return _page(_WAITING, title=title, again=f"{_address(visitor, code)}/{claim['id']}")
    return _page(_CODE, title=title, code=claim["reward"]["code"])


def _address(visitor: Visitor, code: str) -> str:
    return f"{visitor.prefix or '/apps/laurel'}/r/{quote(code, safe='')}"


def _page(template: Template, **texts: str) -> Response:
    response = make_response(template.substitute({name: safe(text) for name, text in texts.items()}))
    response.headers["Content-Type"] = "application/liquid; charset=utf-8"
    return response
