"""What the core says of movements by itself, and the words that the widget has for it."""

import ast
from pathlib import Path

import pytest

from shopify_app.storefront.history import OWN_WORDS
from tests.theme import LOCALES, locale

LOYALTY = Path(__file__).resolve().parents[2] / "loyalty"
# These speak of something by its name, and have a cause of their own.
WITH_A_TITLE = {"order_changed", "taken_back", "taken_again"}


def said_by_ourselves() -> set[str]:
    """Every fixed text that an entry of the ledger may get for its reason."""
    found = set()
    for path in [*(LOYALTY / "core").rglob("*.py"), *(LOYALTY / "redemption").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "reason":
                fixed = (
                    [node.value.body, node.value.orelse]
                    if isinstance(node.value, ast.IfExp)
                    else [node.value]
                )
                texts = [one.value for one in fixed if isinstance(one, ast.Constant)]
                # Codes for staff are no sentences.
                found |= {text for text in texts if isinstance(text, str) and " " in text}
    return found


class TestHistoryWords:
    def test_all_have_a_name(self) -> None:
        """No text of ours reaches a shopper without a name under which it can be translated, and no name is for nothing."""
        assert said_by_ourselves() == {text for _, text in OWN_WORDS}

    @pytest.mark.parametrize("language", LOCALES)
    def test_all_have_words(self, language: str) -> None:
        """Every cause has its sentence in every language, and the script finds it under its name."""
        words = locale(language)
        causes = {key.removeprefix("history.") for key in words if key.startswith("history.")} - {
            "title",
            "empty",
        }
        assert causes == set(OWN_WORDS.values()) | WITH_A_TITLE
        assert "{{ order }}" in words["history.order_changed"]
        assert all("{{ title }}" in words[f"history.{cause}"] for cause in WITH_A_TITLE - {"order_changed"})
