"""A shop that has been open for a while, in the whole house: people and a month of orders, and the rewards that they asked for.

Everything comes to be as in life, but for one thing: nobody can ask for a reward last week, so the past's requests are put into the
books with their true day. From there the worker makes their codes at Shopify like any other.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlmodel import col, select

from demo.stage import SHOP
from engines import valkey
from loyalty.core.facts import RewardRequested
from loyalty.database import transaction
from loyalty.models import Member, RewardIssue, Shop
from loyalty.redemption import request_reward
from loyalty.runtime import utc_now
from queues import Bell
from tests.integration.story.house import House

WREN = "wren.castellanos@fernandfig.shop"
NO_EMAIL = "Moss"
DAYS = 30
_FIRST = [
    "Ada",
    "Basil",
    "Clementine",
    "Dahlia",
    "Elio",
    "Flora",
    "Gideon",
    "Hazel",
    "Ivy",
    "Jasper",
    "Kiki",
    "Laurel",
    "Marlow",
    "Nadia",
    "Olive",
    "Percy",
    "Quinn",
    "Rosa",
    "Soren",
    "Tansy",
    "Umberto",
    "Viola",
    "Winona",
    "Xavier",
    "Yara",
    "Zinnia",
    "Alder",
    "Briar",
    "Cedar",
    "Daphne",
    "Ezra",
    "Fennel",
    "Greta",
    "Heath",
    "Iris",
    "Juniper",
    "Kai",
    "Linden",
    "Mina",
    "Noor",
]
_LAST = [
    "Okafor",
    "Lindqvist",
    "Marlowe",
    "Reyes",
    "Haddad",
    "Nakamura",
    "Fitzgerald",
    "Novak",
    "Almeida",
    "Brandt",
    "Sato",
    "Whitlock",
    "Moreau",
    "Petrov",
    "Ashby",
    "Delacroix",
    "Kowalski",
    "Mensah",
    "Rinaldi",
    "Thorne",
]
_GOODS = ("fiddle-leaf-fig", "boston-fern", "terracotta-pot", "brass-watering-can")


@contextmanager
def open_house(directory: Path, database_url: str) -> Iterator[House]:
    """Web process, worker and cron, beside a local Shopify whose shop has a past, and a local Klaviyo."""
    with (
        valkey.running(directory / "valkey") as redis_url,
        House(directory, database_url, redis_url) as house,
    ):
        house.start()
        _people(house)
        _month(house)
        yield house


def addresses() -> list[str]:
    """The e-mail addresses of the customers of old."""
    return [
        f"{first.lower()}.{_surname(place).lower()}@fernandfig.shop" for place, first in enumerate(_FIRST)
    ]


def customer(house: House, email: str) -> dict[str, Any]:
    """A customer as Shopify knows them."""
    found: dict[str, Any] = house.shopify.get(f"/shops/{SHOP}/customers/{email}")
    return found


def past_rewards(house: House, *, most: int = 14) -> int:
    """The members with the most points asked for a reward on some day of the month; how many did."""
    now, chance = utc_now(), Random(11)
    with transaction(house.engine) as session:
        shop = session.exec(select(Shop)).one()
        rich = (
            select(Member).where(col(Member.balance) >= 500).order_by(col(Member.balance).desc()).limit(most)
        )
        members = [member for member in session.exec(rich).all() if member.email != WREN]
        for place, member in enumerate(members):
            at = now - timedelta(days=1 + place * (DAYS - 4) / most, hours=chance.randrange(12))
            request_reward(session, shop, member, _request(place, at), now=at)
        shop_id = int(shop.id or 0)
    Bell(house.redis)("drain_outbox", shop_id, "rewards")
    return len(members)


def states_of_rewards(house: House) -> set[str]:
    """The states that rewards are in."""
    return {issue.state for issue in house.rows(RewardIssue)}


def _request(place: int, at: datetime) -> RewardRequested:
    letters = hashlib.sha256(f"reward {place}".encode()).hexdigest().upper()
    return RewardRequested("five_off", f"past-{place}", letters[:32].lower(), at)


def _surname(place: int) -> str:
    return _LAST[(place * 7) % len(_LAST)]


def _people(house: House) -> None:
    long_ago = (utc_now() - timedelta(days=400)).isoformat()
    for (place, first), email in zip(enumerate(_FIRST), addresses(), strict=True):
        _customer(house, email=email, first_name=first, last_name=_surname(place), created_at=long_ago)
    _customer(house, email=WREN, first_name="Wren", last_name="Castellanos", created_at=long_ago)
    _customer(house, first_name=NO_EMAIL, last_name="Avery", phone="+15550100199", created_at=long_ago)


def _customer(house: House, **fields: Any) -> None:
    house.in_shop("/customers", silent=True, **fields)


def _month(house: House) -> None:
    """Orders over the month: more towards its end, and more at its weekends."""
    chance, now = Random(5), utc_now()
    orders = []
    for back in range(DAYS - 1, 0, -1):
        at = now - timedelta(days=back)
        for _ in range(2 + (DAYS - back) // 10 + 2 * (at.weekday() >= 5) + chance.randrange(3)):
            orders.append(_order(chance, chance.choice(addresses()), at))
    orders += [_order(chance, WREN, now - timedelta(days=back), most=4) for back in (26, 19, 11, 6, 2)]
    house.in_shop("/orders/many", orders=orders)


def _order(chance: Random, email: str, at: datetime, *, most: int = 3) -> dict[str, Any]:
    goods = chance.sample(_GOODS, 1 + chance.randrange(2))
    return {
        "customer": email,
        "lines": [{"product": handle, "quantity": 1 + chance.randrange(most)} for handle in goods],
        "processed_at": (at - timedelta(minutes=chance.randrange(600))).isoformat(),
        "silent": True,
    }
