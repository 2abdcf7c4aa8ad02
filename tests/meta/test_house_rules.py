"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
import tokenize

from settings import ROOT
from tests.meta.conftest import PACKAGES, ROOTS

FIRST_PARTY = {*PACKAGES, *ROOTS}
# Words of unfinished work. A comment that needs one belongs to work that is not done.
UNFINISHED = re.compile(
    r"\b(TODO|FIXME|XXX|HACK|stub(bed|s)?|lorem ipsum|not implemented|placeholder code)\b", re.IGNORECASE
)
NAMES = {"utils.py", "helpers.py", "base.py", "common_utils.py", "misc.py"}


def tracked(*suffixes: str) -> list[str]:
    """The files that git knows, with these endings."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [name for name in listed.split("\0") if name.endswith(suffixes) and (ROOT / name).is_file()]


class TestImports:
    def test_none_hidden(self, trees):
        """No function imports a module of ours: an import that has to hide is a cycle that has to go."""
        hidden = []
        for path, tree in trees:
            for function in ast.walk(tree):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                    hidden += [f"{path}:{node.lineno}" for node in ast.walk(function) if _first_party(node)]
        assert hidden == []

    def test_settings_only_at_the_roots(self, trees):
        """Only the roots read the settings, and nothing else reads the environment for them."""
        may = {"app.py", "health.py", "tasks.py", "wiring.py", "settings.py"}
        readers = {str(path) for path, tree in trees for node in ast.walk(tree) if _imports(node, "settings")}
        assert readers <= may
        environment = {
            str(path)
            for path, tree in trees
            for node in ast.walk(tree)
            if ast.unparse(node) in ("os.environ", "os.getenv")
        }
        # The demo hands its children an environment of its own.
        assert environment <= {"demo/stage.py"}

    def test_commits(self, trees):
        """Below views, jobs and commands nothing ends a transaction."""
        inner = [(path, tree) for path, tree in trees if str(path).startswith("loyalty/")]
        ended = {
            str(path)
            for path, tree in inner
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("commit", "rollback")
        }
        # The door's intake is a unit of work of its own: one insert, one commit.
        assert ended <= {"loyalty/database.py", "loyalty/intake.py"}


class TestWords:
    def test_nothing_unfinished(self):
        """Nothing in the code says that it is not finished."""
        found = []
        for name in tracked(".py", ".js", ".html", ".liquid", ".css"):
            if name == "tests/meta/test_house_rules.py":
                continue
            for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
                if UNFINISHED.search(line):
                    found.append(f"{name}:{number}: {line.strip()[:80]}")
        assert found == []

    def test_no_drawers(self):
        """No file is a drawer for whatever has no place."""
        assert [name for name in tracked(".py") if name.rpartition("/")[2] in NAMES] == []

    def test_docstrings(self, trees):
        """Every module says what it is for."""
        assert [str(path) for path, tree in trees if tree.body and not ast.get_docstring(tree)] == []

    def test_tests_promise(self):
        """Every test states its promise in a sentence."""
        silent = []
        for name in tracked(".py"):
            if not name.startswith("tests/") or not name.rpartition("/")[2].startswith("test_"):
                continue
            with tokenize.open(ROOT / name) as file:
                tree = ast.parse(file.read())
            silent += [
                f"{name}:{node.lineno} {node.name}"
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef)
                and node.name.startswith("test_")
                and not ast.get_docstring(node)
            ]
        assert silent == []

    def test_swallowed(self, trees):
        """No handler catches everything and says nothing."""
        quiet = []
        for path, tree in trees:
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.ExceptHandler)
                    and _catches_all(node)
                    and all(isinstance(x, ast.Pass) for x in node.body)
                ):
                    quiet.append(f"{path}:{node.lineno}")
        assert quiet == []


def _catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException")


def _first_party(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in FIRST_PARTY for alias in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in FIRST_PARTY


def _imports(node: ast.AST, module: str) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name == module for alias in node.names)
    return isinstance(node, ast.ImportFrom) and node.module == module
