"""The web process: Flask with its rooms, and the webhook door in front of it. Nothing connects at import.

``flask run`` serves it with granian; any WSGI server can (``gunicorn 'app:create_app()'``).
"""

from flask import Flask, Response, jsonify, render_template, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

import cli
import health
import klaviyo_oauth.connect
import klaviyo_oauth.dialect_pages
import klaviyo_oauth.pages
import klaviyo_oauth.review_door
import klaviyo_oauth.wording
import logs
import shopify_app.admin
import shopify_app.api
import shopify_app.referral_door
import shopify_app.referral_page
import shopify_app.storefront
from queues import Doorbell
from settings import Settings, load_settings
from shopify_app.admin.page import Pages
from shopify_app.embedding import embedded_address
from shopify_app.merchant import MerchantGate
from shopify_app.webhook_door import WebhookDoor
from wiring import House, build


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application of these settings (by default those of the environment)."""
    settings = settings or load_settings()
    logs.configure(settings.log_level)
    house = build(settings)
    app = Flask(__name__)
    app.secret_key = settings.secret_key
    app.jinja_env.undefined = StrictUndefined
    app.extensions["laurel"] = house
    _add_rooms(app, house)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_fault)
    cli.register(app)
    # One proxy in front of us ends TLS and says so; the addresses that we build come from the settings, never from a request.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    door = WebhookDoor(app.wsgi_app, house.runtime, house.shopify, nudge=Doorbell(house.bell))
    app.wsgi_app = door  # type: ignore[method-assign]
    return app


def _add_rooms(app: Flask, house: House) -> None:
    runtime, shopify, klaviyo = house.runtime, house.shopify, house.klaviyo
    gate = MerchantGate(runtime, shopify, house.http)
    pages = Pages(runtime, shopify, gate, in_words=klaviyo_oauth.wording.reason)
    app.register_blueprint(gate.blueprint)
    app.register_blueprint(shopify_app.admin.create_blueprint(pages))
    app.register_blueprint(shopify_app.storefront.create_blueprint(runtime, shopify))
    app.register_blueprint(shopify_app.referral_door.create_blueprint(runtime, shopify))
    app.register_blueprint(shopify_app.referral_page.create_blueprint(runtime, shopify))
    app.register_blueprint(shopify_app.api.create_blueprint(runtime))
    app.register_blueprint(
        klaviyo_oauth.connect.create_blueprint(
            runtime,
            klaviyo,
            gate,
            house.redis,
            admin_address=lambda who: embedded_address(shopify, who.domain, who.host, "/klaviyo"),
            page_address=lambda outcome: pages.link("/klaviyo", klaviyo=outcome),
            http=house.http,
        )
    )
    app.register_blueprint(klaviyo_oauth.pages.create_blueprint(runtime, klaviyo, pages))
    app.register_blueprint(klaviyo_oauth.dialect_pages.create_blueprint(runtime, pages))
    app.register_blueprint(klaviyo_oauth.review_door.create_blueprint(runtime))
    app.register_blueprint(health.create_blueprint(house))


def _wants_json() -> bool:
    return (
        request.path.startswith(("/proxy/", "/api/")) or request.accept_mimetypes.best == "application/json"
    )


def _answer_http_error(error: HTTPException) -> Response | tuple[Response | str, int]:
    if error.response is not None:
        return error.get_response()  # type: ignore[return-value]  # it was made by one of our views
    code = error.code or 500
    if _wants_json():
        return jsonify(error=error.name.lower().replace(" ", "_"), message=error.description), code
    return render_template("error.html", code=code, name=error.name), code


def _answer_fault(error: Exception) -> tuple[Response | str, int]:
    logs.fault(error, path=request.path, method=request.method)
    if _wants_json():
        return jsonify(error="fault", message="Something went wrong on our side."), 500
    return render_template("error.html", code=500, name="Something went wrong on our side"), 500
