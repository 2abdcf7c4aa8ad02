"""``flask program``, as an operator runs it."""

import json

import pytest

from loyalty.core.document import DEFAULT_DOCUMENT
from loyalty.database import transaction
from loyalty.program_text import write_text
from settings import ROOT
from tests.merchant_pages import NOW
from tests.shop_story import tell_story


@pytest.fixture(name="runner")
def _runner(sqlite_engine, open_app, tmp_path):
    with transaction(sqlite_engine) as session:
        tell_story(session, now=NOW, lived=False)
    app = open_app()
    return app.test_cli_runner()


@pytest.fixture(name="say")
def _say(runner, tmp_path):
    """Run a command of ``flask program``; ``file`` is written first and given to it."""

    def say(command, *more, file=None):
        arguments = ["program", command, "--shop", "fern-and-fig", *more]
        if file is not None:
            path = tmp_path / "program"
            path.write_bytes(file if isinstance(file, bytes) else file.encode())
            arguments.append(str(path))
        return runner.invoke(args=arguments)

    return say


def with_rate(rate):
    """The default document as TOML, with another rate."""
    earn = DEFAULT_DOCUMENT["earn"]
    return write_text(DEFAULT_DOCUMENT | {"earn": earn | {"order": earn["order"] | {"rate": rate}}})


class TestRoundTrip:
    def test_nothing_changed(self, say):
        """What was exported can be applied, and changes nothing: as TOML and as JSON."""
        for option in ((), ("--json",)):
            exported = say("export", *option).stdout
            answer = say("apply", "--json", file=exported)
            assert (0, False) == (answer.exit_code, json.loads(answer.stdout)["changed"])

    def test_versions(self, say):
        """Applying begins a version; each of them can be listed, printed and compared."""
        assert 0 == say("apply", file=with_rate("2")).exit_code
        assert [2, 1] == [row["version"] for row in json.loads(say("versions", "--json").stdout)]
        assert 'rate = "1"' in say("export", "--version", "1").stdout
        text = "“Place an order”, points for each unit of currency spent: 1 → 2"
        assert f"{text}\n" == say("diff").stdout == say("diff", "--version", "1").stdout
        assert "No difference.\n" == say("diff", file=with_rate("2.0")).stdout
        (change,) = json.loads(say("diff", "--json", "--version", "1", file=with_rate("3")).stdout)
        assert ("earn.order.rate", "1", "3") == (change["path"], change["old"], change["new"])

    @pytest.mark.parametrize("name", ["coffee", "fashion", "cosmetics"])
    def test_examples(self, say, name):
        """Each example program can be applied as it is, and comes out as it went in."""
        text = (ROOT / "examples" / f"{name}.toml").read_text()
        assert 0 == say("apply", file=text).exit_code
        exported = say("export").stdout
        assert "No difference.\n" == say("diff", file=text).stdout == say("diff", file=exported).stdout

    def test_based_on(self, say):
        """A file that was made from an older version is refused when that is asked."""
        assert 0 == say("apply", "--based-on", "1", file=with_rate("2")).exit_code
        late = say("apply", "--based-on", "1", file=with_rate("3"))
        assert 1 == late.exit_code
        assert "version 2 is in force by now" in late.output


class TestMistakes:
    def test_each_on_its_line(self, say):
        """A wrong file names each mistake on a line of its own and changes nothing."""
        text = with_rate("x") + "\n[teirs]\n"
        answer = say("apply", file=text)
        assert 1 == answer.exit_code
        assert "\n  earn.order.rate: expected a decimal number in quotes" in answer.output
        assert "\n  teirs: expected one of" in answer.output
        assert 1 == len(json.loads(say("versions", "--json").stdout))
        assert 1 == say("diff", file=text).exit_code

    @pytest.mark.parametrize(
        ("file", "told"),
        [
            ("points = ", "not TOML"),
            ("{", "not JSON"),
            ("a = 1\na = 2", "not TOML"),
            ('{"a": 1, "a": 2}', "the key 'a' is there twice"),
            (b"\xff\xfe", "not UTF-8"),
            ("", "points.one: expected"),
        ],
    )
    def test_unreadable(self, say, file, told):
        """A file that is no document is said to be none."""
        answer = say("apply", file=file)
        assert (1, True) == (answer.exit_code, told in answer.output)

    def test_no_such_version(self, say):
        """A version that never was is said so."""
        answer = say("export", "--version", "9")
        assert (1, True) == (answer.exit_code, "there is no version 9" in answer.output)
