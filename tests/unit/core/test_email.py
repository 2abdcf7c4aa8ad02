"""One spelling for an e-mail address."""

import pytest

from loyalty.core.email import normal_email


class TestNormalEmail:
    """Addresses as they come from shops."""

    @pytest.mark.parametrize(
        ("text", "normal"),
        [
            ("iris@fernandfig.shop", "iris@fernandfig.shop"),
            ("  Iris.Vale@FernAndFig.SHOP\n", "iris.vale@fernandfig.shop"),
            ("IRIS+news@fernandfig.shop", "iris+news@fernandfig.shop"),
            ("ЮЛИЯ@пример.рф", "юлия@пример.рф"),
        ],
    )
    def test_one_spelling(self, text, normal):
        """Space around and letter case do not make another person."""
        assert normal_email(text) == normal

    @pytest.mark.parametrize(
        "text",
        [None, "", "   ", "iris", "@fernandfig.shop", "iris@", "iris vale@x.shop", "a" * 250 + "@x.shop"],
    )
    def test_none(self, text):
        """What cannot be an address is none."""
        assert normal_email(text) is None

    def test_stable(self):
        """Normalising again changes nothing."""
        assert normal_email(normal_email(" Iris@FernAndFig.shop")) == "iris@fernandfig.shop"
