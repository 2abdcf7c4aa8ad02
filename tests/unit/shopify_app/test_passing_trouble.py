"""Shopify says no to a change: for good, for one of many, or only for the moment."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from loyalty.core.program import Reward
from loyalty.delivery import Delivered, Later, Message, Outcome, Recipient, Refused
from shopify_app import discounts, gift_cards, metafields
from shopify_app.admin_api import AdminClient
from shopify_app.gids import number_of
from tests.unit.shopify_app.test_reward_inputs import reward, row

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PASSES = {"field": ["id"], "code": "INTERNAL_ERROR"}
STAYS = {"field": ["id"], "code": "INVALID_VALUE"}


class Shopify:
    """Answers with user errors, and with the card or code that was meant where there are none."""

    def __init__(self, **answers: Sequence[Any]) -> None:
        self.answers = {name: list(each) for name, each in answers.items()}
        self.wrote: list[list[int]] = []

    def query(self, _document: str, _variables: Any = None) -> Any:
        money = {"amount": "5.00"}
        card = {"id": "gid://shopify/GiftCard/1", "balance": money, "initialValue": money}
        return SimpleNamespace(data={"giftCard": card}, errors=())

    def mutate(self, _document: str, variables: Any, *, idempotent: bool) -> Any:
        assert idempotent
        if "metafields" in variables:
            owners = [number_of(field["ownerId"], "Customer") for field in variables["metafields"]]
            self.wrote.append(owners)
        ((name, answers),) = self.answers.items()
        errors = answers.pop(0) if answers else []
        return SimpleNamespace(data={name: {"userErrors": errors}}, errors=())


def api_of(shopify: Shopify) -> AdminClient:
    """As a client of the Admin API."""
    api: AdminClient = shopify  # type: ignore[assignment]
    return api


def end(kind: str, *errors: Any) -> Outcome:
    """Switch a reward off."""
    terms: Reward = reward(kind)
    ended = row(terms, state="cancelling", discount_id="gid://shopify/DiscountCodeNode/1")
    if kind == "gift_card":
        api = api_of(Shopify(giftCardDeactivate=[errors]))
        return gift_cards.deactivate(api, ended, attempt=1, now=NOW)
    return discounts.deactivate(api_of(Shopify(discountCodeDeactivate=[errors])), ended, attempt=1, now=NOW)


def write(shopify: Shopify, count: int = 3) -> list[Outcome]:
    """Write the balances of so many members."""
    messages = [
        Message(number, 1, "balance_metafield", f"balance:{number}", {}, NOW, False, 1, person(number))
        for number in range(1, count + 1)
    ]
    outcomes = metafields.write_balances(api_of(shopify), messages)
    return [outcomes[message.id] for message in messages]


def person(number: int) -> Recipient:
    """A member whose customer has the number 100 more."""
    return Recipient(number, None, 100 + number, None, None, "member", 5 * number, 0, 0, NOW)


class TestEnding:
    @pytest.mark.parametrize("kind", ["amount_off", "gift_card"])
    def test_passes(self, kind: str) -> None:
        """Trouble of Shopify's own is no answer: the code is switched off later, and its points are not lost."""
        assert end(kind, PASSES) == Later(2.0, "INTERNAL_ERROR", 200)

    @pytest.mark.parametrize("kind", ["amount_off", "gift_card"])
    def test_stays(self, kind: str) -> None:
        """A refusal is one."""
        assert end(kind, STAYS) == Refused("invalid_value", 200)


class TestBalances:
    @pytest.mark.parametrize(
        "said",
        [{"field": ["metafields", "1", "ownerId"], "elementIndex": None}, {"field": None, "elementIndex": 1}],
    )
    def test_one_is_wrong(self, said: dict[str, Any]) -> None:
        """Whichever way Shopify names one, it is left out and the others are written."""
        shopify = Shopify(metafieldsSet=[[{"code": "INVALID"} | said]])
        assert write(shopify) == [Delivered(200), Refused("invalid", 200), Delivered(200)]
        assert shopify.wrote == [[101, 102, 103], [101, 103]]

    def test_nobody_is_named(self) -> None:
        """Where it names none each is written by itself, so that one does not keep the others from theirs."""
        nobody = [{"code": "INVALID", "field": ["metafields"], "elementIndex": None}]
        shopify = Shopify(metafieldsSet=[nobody, [], nobody, []])
        assert write(shopify) == [Delivered(200), Refused("invalid", 200), Delivered(200)]
        assert shopify.wrote == [[101, 102, 103], [101], [102], [103]]

    def test_passes(self) -> None:
        """Trouble of Shopify's own comes to an end, and the balance is written then."""
        shopify = Shopify(metafieldsSet=[[PASSES | {"elementIndex": 0}]])
        assert write(shopify) == [Later(2.0, "INTERNAL_ERROR", 200), Delivered(200), Delivered(200)]
