"""Names that are only strings lead somewhere: jobs that are rung for, topics that are subscribed, messages that are queued."""

import ast
import inspect
import re
import tomllib

import pytest

import tasks
from klaviyo_oauth.dialects import LAUREL
from klaviyo_oauth.sampling import KIND as SAMPLES
from loyalty import runs
from loyalty.core.news import NEWS_KINDS
from settings import ROOT
from shopify_app import translate
from shopify_app.lifecycle import shop_handlers

TOML = ROOT / "shopify.app.toml"
_BELLS = {"nudge", "bell", "_nudge", "_bell"}


def called(function: ast.expr) -> str:
    """The last name of what is called."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def text_of(node: ast.expr) -> str | None:
    """The value of a literal text."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


class TestJobs:
    def test_rung_for(self, trees):
        """Every job that anything rings for by name is a job of tasks.py, and is given what it takes."""
        rings = []
        for path, tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and called(node.func) in _BELLS and node.args:
                    name = text_of(node.args[0])
                    if name is not None:
                        rings.append((str(path), name, len(node.args) - 1))
        assert len(rings) > 20
        wrong = [ring for ring in rings if not _takes(ring[1], ring[2])]
        assert wrong == []

    @pytest.mark.parametrize("name", sorted(tasks.PERIODIC))
    def test_periodic(self, name):
        """Every job that the cron rings for exists and takes nothing."""
        assert _takes(name, 0)

    def test_every_job_is_rung_for(self, trees):
        """No job of tasks.py is left without anybody who rings for it."""
        jobs = {
            name
            for name, value in vars(tasks).items()
            if hasattr(value, "__wrapped__") and value.__module__ == "tasks"
        }
        named = {
            text
            for path, tree in trees
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(text := node.value, str)
        }
        assert jobs
        assert jobs - named == set()


def _takes(name: str, count: int) -> bool:
    function = getattr(tasks, name, None)
    if function is None or not hasattr(function, "__wrapped__"):
        return False
    return len(inspect.signature(function).parameters) == count


class TestTopics:
    def test_handled(self):
        """Every topic that the app subscribes to is translated, and nothing is translated that nobody sends."""
        subscriptions = tomllib.loads(TOML.read_text())["webhooks"]["subscriptions"]
        topics = {
            topic
            for entry in subscriptions
            for key in ("topics", "compliance_topics")
            for topic in entry.get(key, ())
        }
        assert set(translate.TOPICS) == topics

    def test_comments(self):
        """The function that a comment of the file names is the one that handles the topics below it."""
        text = TOML.read_text()
        blocks = re.findall(
            r"^# Handled by (\S+): (\w+).*\n\[\[webhooks\.subscriptions\]\]\n(?:compliance_)?topics = \[(.*)\]",
            text,
            re.MULTILINE,
        )
        assert len(blocks) == text.count("[[webhooks.subscriptions]]")
        for file, function, topics in blocks:
            assert (ROOT / file).is_file()
            handlers = {translate.TOPICS[topic].__name__ for topic in re.findall(r'"([^"]+)"', topics)}
            assert handlers == {function}

    def test_shop_messages(self, application):
        """Every topic about the shop itself has its handler, and every handler its topic."""
        house = application.extensions["laurel"]
        told = {
            topic
            for topic, function in translate.TOPICS.items()
            if function.__name__ in ("shop", "consent", "bulk_operation", "privacy")
        }
        assert set(shop_handlers(house.runtime.cipher)) == told
        assert set(house.reception.shop_handlers) == told


class TestMessages:
    def test_news(self):
        """Every kind of news has a metric at Klaviyo."""
        assert set(NEWS_KINDS) == {metric.kind for metric in LAUREL.metrics}

    def test_to_shopify(self, trees):
        """Every kind of message to Shopify that anything queues is one that the sender knows."""
        known = _texts_of("shopify_app/sender.py", trees) | _constants("shopify_app/sender.py", trees)
        assert {"issue_reward", "balance_metafield"} <= known
        queued = {
            kind for path, tree in trees for kind in _queued(tree) if not str(path).startswith("sandbox")
        }
        assert queued
        assert queued - known - set(NEWS_KINDS) - {SAMPLES} == set()

    def test_runs(self, application, trees):
        """Every kind of long job that anything begins has its step."""
        house = application.extensions["laurel"]
        begun = set()
        for _path, tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "runs.start":
                    begun.add(ast.unparse(node.args[2]))
        assert {"KIND", "CUSTOMER_IMPORT", "SHOP_ERASURE"} <= begun
        assert {"customer_import", "order_import", "klaviyo_sync", "shop_erasure"} <= set(house.steps)
        assert set(runs.OPEN) == {"queued", "running", "cancelling"}


def _queued(tree: ast.Module) -> set[str]:
    """Kinds that are queued with a literal name."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        place = {"tell_shopify": 0, "put": 3}.get(called(node.func))
        if place is not None and len(node.args) > place:
            kind = text_of(node.args[place])
            found |= {kind} if kind else set()
    return found


def _texts_of(file: str, trees) -> set[str]:
    tree = next(tree for path, tree in trees if str(path) == file)
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _constants(file: str, trees) -> set[str]:
    """Texts behind the names that a file compares with, wherever they are defined."""
    tree = next(tree for path, tree in trees if str(path) == file)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id.isupper()}
    return {
        node.value.value
        for _path, other in trees
        for node in other.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and any(isinstance(target, ast.Name) and target.id in names for target in node.targets)
    }
