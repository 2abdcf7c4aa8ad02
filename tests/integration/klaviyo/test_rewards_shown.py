"""What is read of members' rewards for their profiles."""

from datetime import timedelta

import pytest

from klaviyo_oauth.standing import rewards_of
from tests.integration.klaviyo.conftest import World

ADA = "ada@fernandfig.shop"


class TestLastRedeemed:
    """When points were last exchanged for a reward."""

    @pytest.mark.parametrize("state", ["issuing", "issued", "used", "expired", "cancelling"])
    def test_newest(self, either_world: World, state: str) -> None:
        """The newest redemption counts, whatever became of its reward."""
        member_id, now = either_world.add_member(ADA), either_world.clock()
        either_world.add_code(member_id, "OLD", state="used", created_at=now - timedelta(days=9))
        either_world.add_code(member_id, "NEW", state=state, created_at=now - timedelta(days=2))
        assert self._read(either_world, member_id) == now - timedelta(days=2)

    @pytest.mark.parametrize("values", [{"state": "failed"}, {"state": "cancelled"}, {"points": 0}])
    def test_not_redeemed(self, either_world: World, values: dict[str, object]) -> None:
        """Points that came back were not redeemed, and a gift costs none."""
        member_id, now = either_world.add_member(ADA), either_world.clock()
        either_world.add_code(member_id, "OLD", state="used", created_at=now - timedelta(days=9))
        either_world.add_code(member_id, "NEW", **values)
        assert self._read(either_world, member_id) == now - timedelta(days=9)

    def test_never(self, either_world: World) -> None:
        """Who never redeemed has no such day, and nobody gets that of another."""
        member_id, other = either_world.add_member(ADA), either_world.add_member("bo@fernandfig.shop")
        either_world.add_code(other, "HIS")
        with either_world.runtime.reading() as session:
            assert set(rewards_of(session, either_world.shop.shop_id, [member_id, other])) == {other}

    def _read(self, world: World, member_id: int) -> object:
        with world.runtime.reading() as session:
            return rewards_of(session, world.shop.shop_id, [member_id])[member_id].last_redeemed_at


class TestReadyCodes:
    """The codes that are ready to use."""

    def test_no_money(self, either_world: World) -> None:
        """A gift card is no discount: its code is money, and nobody tells when that is spent."""
        member_id = either_world.add_member(ADA)
        either_world.add_code(member_id, "CARD1234", kind="gift_card")
        either_world.add_code(member_id, "FIVE")
        with either_world.runtime.reading() as session:
            found = rewards_of(session, either_world.shop.shop_id, [member_id])[member_id]
        assert found.codes == ("FIVE",)
