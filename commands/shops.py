"""``flask shops``: which stores have the app."""

from flask.cli import AppGroup
from sqlmodel import col, select

from commands.output import as_json, house, show
from loyalty.models import KlaviyoConnection, Shop

shops = AppGroup("shops", help="The stores that have the app.")


@shops.command("list")
@as_json
def list_shops(*, as_json: bool) -> None:
    """List the stores, the newest first."""
    with house().runtime.reading() as session:
        statement = (
            select(Shop, KlaviyoConnection)
            .outerjoin(KlaviyoConnection, col(KlaviyoConnection.shop_id) == col(Shop.id))
            .order_by(col(Shop.id).desc())
        )
        rows = [
            {
                "shop": shop.domain,
                "name": shop.name,
                "installed_at": shop.installed_at.isoformat(timespec="seconds"),
                "state": _state(shop),
                "klaviyo": link.state if link else "not connected",
            }
            for shop, link in session.exec(statement)
        ]
    show(rows, as_json=as_json)


def _state(shop: Shop) -> str:
    if shop.uninstalled_at is not None:
        return "uninstalled"
    return "needs the merchant to open the app" if shop.needs_reauthorization else "installed"
