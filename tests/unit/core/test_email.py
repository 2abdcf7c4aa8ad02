"""One spelling for an e-mail address."""

from loyalty.core.email import normal_email


class TestNormalEmail:
    """Addresses as they come from shops."""

    def test_one_spelling(self):
        """Space around and letter case do not make another person."""
        spellings = {
            "iris@fernandfig.shop": "iris@fernandfig.shop",
            "  Iris.Vale@FernAndFig.SHOP\n": "iris.vale@fernandfig.shop",
            "IRIS+news@fernandfig.shop": "iris+news@fernandfig.shop",
            "ЮЛИЯ@пример.рф": "юлия@пример.рф",
        }
        assert spellings == {text: normal_email(text) for text in spellings}

    def test_none(self):
        """What cannot be an address is none."""
        texts = [
            None,
            "",
            "   ",
            "iris",
            "@fernandfig.shop",
            "iris@",
            "iris vale@x.shop",
            "a" * 250 + "@x.shop",
        ]
        assert dict.fromkeys(texts) == {text: normal_email(text) for text in texts}

    def test_stable(self):
        """Normalising again changes nothing."""
        assert normal_email(normal_email(" Iris@FernAndFig.shop")) == "iris@fernandfig.shop"
