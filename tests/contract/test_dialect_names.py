"""The tables of the dialects, held against lists of names that were typed from what the other programs document."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from klaviyo_oauth import samples
from klaviyo_oauth.dialect_pages import rows
from klaviyo_oauth.dialects import DIALECTS, Dialect, choice
from klaviyo_oauth.dialects.dialect import DATE, FLAG, MOMENT, NUMBER, TEXT, TEXTS, key_names
from klaviyo_oauth.payloads import Teller
from klaviyo_oauth.standing import Rewards, standing_of
from tests.unit.klaviyo_oauth.tellings import NOW, SHOP, message, recipient

TYPED: dict[str, Any] = tomllib.loads(Path(__file__).with_name("dialect_names.toml").read_text())
PYTHON_TYPES = {NUMBER: (int, float), TEXT: str, DATE: str, MOMENT: str, FLAG: bool, TEXTS: list}


def listed(what: str) -> list[Any]:
    return [
        pytest.param(
            DIALECTS[vendor], row, marks=pytest.mark.acceptance(row["row"]), id=f"{vendor}-{row['name']}"
        )
        for vendor, tables in TYPED.items()
        for row in tables[what]
    ]


def keys_of(dialect: Dialect, name: str) -> set[str]:
    """What the events of a name may say, whichever of our news they tell."""
    metrics = [metric for metric in dialect.metrics if metric.name == name]
    assert metrics, name
    return {key for metric in metrics for key in key_names(metric.keys or {})}


class TestMetrics:
    """Names of events and what they say."""

    @pytest.mark.acceptance("S3-55")
    def test_all(self) -> None:
        """Every dialect but our own has its list, and no event that the list does not have, but for one that is explained."""
        assert set(TYPED) == set(DIALECTS) - {"laurel"}
        for vendor, tables in TYPED.items():
            known = {row["name"] for row in tables["metrics"]}
            beyond = {"Influence.io Card completed"} if vendor == "influence" else set()
            assert {metric.name for metric in DIALECTS[vendor].metrics} == known | beyond

    @pytest.mark.parametrize(("dialect", "row"), listed("metrics"))
    def test_keys(self, dialect: Dialect, row: dict[str, Any]) -> None:
        """Each event exists under exactly this name and says everything that it is documented to say; Stamped's say nothing else."""
        keys = keys_of(dialect, row["name"])
        assert set(row["keys"]) <= keys
        if dialect.key == "stamped":
            assert set(row["keys"]) == keys

    def test_sixteen_fields(self) -> None:
        """All of Stamped's events together say sixteen things."""
        stamped = DIALECTS["stamped"]
        assert len({key for metric in stamped.metrics for key in key_names(metric.keys or {})}) == 16

    @pytest.mark.parametrize(("dialect", "row"), listed("metrics"))
    def test_said(self, dialect: Dialect, row: dict[str, Any]) -> None:
        """With everything known, an event says each of these things, numbers as numbers."""
        teller = Teller(choice([dialect.key]), SHOP, {7: Rewards(("FIVE-A",), NOW)})
        (found,) = [
            event for event in samples.events(teller, message("points_earned")) if event.metric == row["name"]
        ]
        said = set(_flat(found.properties)) | ({"$value"} if found.value is not None else set())
        assert set(row["keys"]) - said == set()
        for name, value in _flat(found.properties).items():
            if "point" in name.lower() and not isinstance(value, str):
                assert isinstance(value, int | float)


class TestProperties:
    """Names and types of properties."""

    @pytest.mark.parametrize(("dialect", "row"), listed("properties"))
    def test_type(self, dialect: Dialect, row: dict[str, Any]) -> None:
        """Each property exists under exactly this name, and what it shows is of the type that it is said to have."""
        found = dialect.properties[row["name"]]
        assert found.type == row["type"]
        value = found.read(standing_of(recipient(), SHOP, Rewards(("FIVE-A",), NOW)))
        assert isinstance(value, PYTHON_TYPES[row["type"]])
        assert isinstance(value, bool) is (row["type"] == FLAG)

    def test_all(self) -> None:
        """No dialect has a property that its list does not have, and no two dialects share one."""
        for vendor, tables in TYPED.items():
            assert [row["name"] for row in tables["properties"]] == list(DIALECTS[vendor].properties)
        names = [name for dialect in DIALECTS.values() for name in dialect.properties]
        assert len(names) == len(set(names))


def _flat(value: dict[str, Any], within: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            found |= _flat(inner, f"{within}{name}.")
        else:
            found[f"{within}{name}"] = inner
    return found


class TestDocumented:
    """docs/dialects.md."""

    PAGE = (Path(__file__).resolve().parents[2] / "docs" / "dialects.md").read_text()

    @pytest.mark.parametrize("vendor", TYPED)
    def test_tables(self, vendor: str) -> None:
        """The page has every event with what it tells of and says, every property with its type, and every note, and no others."""
        dialect = DIALECTS[vendor]
        part = self.PAGE.partition(f"\n## {dialect.title}\n")[2].partition("\n## ")[0]
        events, _, properties = part.partition("| property | type |")
        listed_events = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| (.*) \|$", events, re.MULTILINE)
        assert [
            (name, when, tuple(re.findall(r"`([^`]+)`", keys))) for name, when, keys in listed_events
        ] == [(row.name, row.when, row.keys) for row in rows(dialect)]
        listed_types = re.findall(r"^\| `([^`]+)` \| ([^|;]+)(;[^|]+)? \|$", properties, re.MULTILINE)
        assert [(name, kind, bool(stays)) for name, kind, stays in listed_types] == [
            (name, each.type, each.stays) for name, each in dialect.properties.items()
        ]
        assert all(f"- {note}\n" in part for note in dialect.notes)
