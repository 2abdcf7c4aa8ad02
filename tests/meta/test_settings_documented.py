"""docs/settings.md says of every setting what the code says, and of none that is not there."""

import re
from pathlib import Path

from settings import ROOT, Settings

PAGE = ROOT / "docs" / "settings.md"
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def documented() -> dict[str, str]:
    """The default of each variable in the table, as it is written."""
    return {name: default for name, default, _meaning in _ROW.findall(PAGE.read_text())}


def written(default: object) -> str:
    """A field's default as the table writes it."""
    if default is None or repr(default) == "PydanticUndefined":
        return "–"
    return f"`{default.relative_to(ROOT)}`" if isinstance(default, Path) else f"`{default}`"


class TestSettingsPage:
    def test_every_variable(self):
        """The table has every variable, in the order of the code, with its true default."""
        assert list(documented().items()) == [
            (name.upper(), written(field.default)) for name, field in Settings.model_fields.items()
        ]
