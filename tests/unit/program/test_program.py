"""The program as values."""

import pytest

from loyalty.core.program import PointsName
from tests.unit.core.makers import program


class TestPointsName:
    @pytest.mark.parametrize(
        ("points", "text"),
        [(1, "1 leaf"), (-1, "-1 leaf"), (0, "0 leaves"), (-3, "-3 leaves"), (1200, "1,200 leaves")],
    )
    def test_format(self, points, text):
        """One is singular whatever its sign; thousands are grouped."""
        assert text == PointsName("leaf", "leaves").format(points)


class TestReward:
    def test_known(self):
        """A reward is found by its key."""
        assert program().rewards[0] == program().reward("five_off")

    def test_unknown(self):
        """A reward that is not offered is None."""
        assert program().reward("car") is None
