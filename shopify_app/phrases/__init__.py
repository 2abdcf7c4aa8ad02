"""The languages in which shoppers read what we say (what the program gives and asks, why something was refused, what a friend is
offered): those of the theme extension's ``locales/``. A language knows
phrases and how numbers are written; names that a merchant chose are the same in all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from babel.dates import format_date

from loyalty.core.program import PointsName
from shopify_app.phrases import de, en, es, fr, it, ja, nl, pt_br


@dataclass(frozen=True, slots=True)
class Language:
    """One language. ``code`` is what the extension's locale file calls it (``language.key``), ``locale`` Babel's name for it."""

    code: str
    locale: str
    phrases: Mapping[str, str] = field(repr=False)

    def say(self, phrase: str, **values: str) -> str:
        """A phrase with what belongs into it."""
        return self.phrases[phrase].format(**values)

    def count(self, phrase: str, number: int, **values: str) -> str:
        """A phrase about one thing or several."""
        form = "one" if number == 1 else "other"
        return self.say(f"{phrase}_{form}", count=self.number(number), **values)

    def join(self, parts: list[str]) -> str:
        """``first, second, third``."""
        return self.phrases["comma"].join(parts)

    def both(self, parts: list[str]) -> str:
        """``first and second and third``."""
        told = "".join(parts[:1])
        for part in parts[1:]:
            told = self.say("both", first=told, second=part)
        return told

    def number(self, number: int | Decimal) -> str:
        """``12,345`` or ``1.5``: exactly, without needless noughts."""
        marks = {ord(","): self.phrases["group"], ord("."): self.phrases["decimal"]}
        return f"{Decimal(number).normalize():,f}".translate(marks)

    def points(self, name: PointsName, points: int) -> str:
        """``1,200 leaves``."""
        return f"{self.number(points)} {name.one if abs(points) == 1 else name.many}"

    def day(self, day: date) -> str:
        """``December 24, 2026``."""
        return format_date(day, format="long", locale=self.locale)


ENGLISH = Language("en", "en_US", en.PHRASES)
LANGUAGES: Mapping[str, Language] = {
    language.code: language
    for language in (
        ENGLISH,
        Language("de", "de", de.PHRASES),
        Language("es", "es", es.PHRASES),
        Language("fr", "fr", fr.PHRASES),
        Language("it", "it", it.PHRASES),
        Language("ja", "ja", ja.PHRASES),
        Language("nl", "nl", nl.PHRASES),
        Language("pt_br", "pt_BR", pt_br.PHRASES),
    )
}


def spoken(tags: Iterable[str]) -> Language:
    """The first language that we know among those that a browser asks for (``pt-PT``, ``de``); English when there is none."""
    for tag in tags:
        main = tag.replace("-", "_").lower().partition("_")[0]
        for code, language in LANGUAGES.items():
            if code.partition("_")[0] == main:
                return language
    return ENGLISH
