"""What a shopper's browser may know of the program: names, ways to earn, rewards and prices. Nothing about any person."""

from decimal import Decimal
from typing import Any

from babel.numbers import UnknownCurrencyError, format_currency

from loyalty.core.program import Program

PROXY_PATH = "/apps/laurel"


def program_view(program: Program, *, currency: str) -> dict[str, Any]:
    """The program as the theme's blocks and the widget read it."""
    return {
        "points_name": {"one": program.points_name.one, "many": program.points_name.many},
        "earn": _ways_to_earn(program, currency),
        "rewards": [
            {"key": reward.key, "title": reward.title, "points": reward.points} for reward in program.rewards
        ],
        "proxy": PROXY_PATH,
    }


def _ways_to_earn(program: Program, currency: str) -> list[dict[str, str]]:
    ways = []
    if program.order is not None:
        rate = program.order.rate.normalize()
        name = program.points_name.one if rate == 1 else program.points_name.many
        detail = f"{rate:,f} {name} for every {_money(Decimal(1), currency)} spent"
        ways.append({"key": program.order.key, "title": program.order.title, "detail": detail})
    for rule in (program.signup, program.review):
        if rule is not None:
            detail = program.points_name.format(rule.points)
            ways.append({"key": rule.key, "title": rule.title, "detail": detail})
    return ways


def _money(amount: Decimal, currency: str) -> str:
    try:
        return format_currency(amount, currency, format="¤#,##0.##", locale="en_US", currency_digits=False)
    except UnknownCurrencyError:
        return f"{amount} {currency}"
