"""Which language a visitor of the storefront is answered in."""

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from shopify_app.phrases import ENGLISH, LANGUAGES
from shopify_app.visitors import language_of_request, refuse


class TestLanguage:
    @pytest.mark.parametrize(
        ("query", "header", "code"),
        [
            ("", None, "en"),
            ("", "de-AT,de;q=0.9,en;q=0.8", "de"),
            ("", "da,sv;q=0.9,fr;q=0.5,it;q=0.7", "it"),
            ("", "pt-PT", "pt_br"),
            ("", "nl;q=0,*", "en"),
            ("", "en-GB,de;q=0.9", "en"),
            ("", ";;,,=", "en"),
            ("language=pt_br", "de", "pt_br"),
            ("language=xx", "de", "en"),
            ("language=", "de", "en"),
        ],
    )
    def test_chosen(self, query: str, header: str | None, code: str) -> None:
        """What is asked for by name comes first, then what the browser prefers, then English."""
        headers = {"Accept-Language": header} if header else {}
        with Flask("laurel").test_request_context(f"/?{query}", headers=headers):
            assert code == language_of_request().code


class TestRefusal:
    @pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
    @pytest.mark.parametrize("code", ["not_enough_points", "bad_signature", "once_per_customer"])
    def test_message(self, language, code: str) -> None:
        """The code is the same everywhere, the sentence is the visitor's own; a reason without words of its own is told in general."""
        context = Flask("laurel").test_request_context(f"/?language={language.code}")
        with context, pytest.raises(HTTPException) as ended:
            refuse(code)
        assert ended.value.response is not None
        answer = ended.value.response.get_json()
        known = f"refused_{code}" in ENGLISH.phrases
        told = language.phrases[f"refused_{code}" if known else "refused_not_available"]
        assert {"error": code, "message": told} == answer
        assert (language is ENGLISH) == (told in ENGLISH.phrases.values())
