"""The accounts of a storefront: log in as anyone, open one, read one's orders. The sandbox asks for no password."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as BaseResponse

from sandbox.shopify import describe
from sandbox.shopify.actions import customers
from sandbox.shopify.control.common import world
from sandbox.shopify.errors import ActionRefused
from sandbox.shopify.visit import PREFIX, back, page, shop_of, visitor_of

blueprint = Blueprint("accounts", __name__, url_prefix=PREFIX)


@blueprint.get("/account")
def account(domain: str) -> BaseResponse:
    """The customer's orders."""
    with world().lock:
        shop = shop_of(domain)
        visitor = visitor_of(shop)
        if visitor.customer_id is None:
            return back(shop, visitor, "/account/login")
        mine = [order for order in reversed(shop.orders.values()) if order.customer_id == visitor.customer_id]
        return page(shop, visitor, "account", orders=[describe.order(order) for order in mine])


@blueprint.get("/account/<any(login, register):form>")
def account_form(domain: str, form: str) -> Response:
    """Log in as anyone, or open an account: the sandbox asks for no password."""
    with world().lock:
        shop = shop_of(domain)
        return page(shop, visitor_of(shop), form)


@blueprint.post("/account/login")
def log_in(domain: str) -> BaseResponse:
    """Become the customer with this e-mail."""
    with world().lock:
        shop = shop_of(domain)
        visitor = visitor_of(shop)
        person = shop.customers.by_email(request.form.get("email", ""))
        if person is None:
            visitor.message = "No customer has this e-mail."
            return back(shop, visitor, "/account/login")
        visitor.customer_id = person.id
        return back(shop, visitor, "/account")


@blueprint.post("/account/register")
def register(domain: str) -> BaseResponse:
    """Open an account and log in."""
    with world().lock:
        shop = shop_of(domain)
        visitor = visitor_of(shop)
        names = {name: request.form.get(name) or None for name in ("first_name", "last_name")}
        if request.form.get("newsletter"):
            names["email_consent"] = "subscribed"
        try:
            person = customers.sign_up(world(), shop, email=request.form.get("email", ""), **names)
        except ActionRefused as refusal:
            visitor.message = refusal.message
            return back(shop, visitor, "/account/register")
        visitor.customer_id = person.id
        return back(shop, visitor, "/account")


@blueprint.post("/account/newsletter")
def newsletter(domain: str) -> BaseResponse:
    """Agree to marketing e-mail, or no longer."""
    with world().lock:
        shop = shop_of(domain)
        visitor = visitor_of(shop)
        if visitor.customer_id is None:
            return back(shop, visitor, "/account/login")
        state = "subscribed" if request.form.get("newsletter") else "unsubscribed"
        customers.update(world(), shop, visitor.customer_id, {"email_consent": state})
        visitor.message = "Welcome to our letters." if state == "subscribed" else "No more letters."
        return back(shop, visitor, "/account")


@blueprint.route("/account/logout", methods=["GET", "POST"])
def log_out(domain: str) -> BaseResponse:
    """Be a guest again."""
    with world().lock:
        shop = shop_of(domain)
        visitor = visitor_of(shop)
        visitor.customer_id = None
        return back(shop, visitor, "/")
