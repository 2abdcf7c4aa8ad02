"""The thin client over a real socket: what it sends, and what it makes of any answer."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from klaviyo_oauth.answers import ApiError, NoReply, Reply, read_errors, without_personal_data
from klaviyo_oauth.client import Client, retry_after
from klaviyo_oauth.config import KlaviyoConfig
from klaviyo_oauth.pointers import blamed


def _send(server: HTTPServer, **given: Any) -> Reply | NoReply:
    config = KlaviyoConfig(app_url="https://app.fernandfig.shop", api_url=server.url_for("").rstrip("/"))
    with requests.Session() as http:
        return Client(config, http).send("Bearer secret-token", "POST", "/api/events", **given)


class TestRequest:
    """What is sent."""

    def test_headers(self, httpserver: HTTPServer) -> None:
        """Revision pinned, no falling forward, JSON:API both ways, our token and nobody else's."""
        seen: list[Request] = []
        httpserver.expect_request("/api/events").respond_with_handler(_keeping(seen, Response(status=202)))
        assert _send(httpserver, json_body={"data": 1}) == Reply(202)
        headers = seen[0].headers
        assert headers["revision"] == "2026-10-15"
        assert headers["X-Klaviyo-Revision-Fall-Forward-Opt-Out"] == "1"
        assert headers["Accept"] == headers["Content-Type"] == "application/vnd.api+json"
        assert headers["Authorization"] == "Bearer secret-token"
        assert "Content-Encoding" not in headers

    def test_compresses(self, httpserver: HTTPServer) -> None:
        """A large body is sent compressed and reads the same."""
        seen: list[Request] = []
        httpserver.expect_request("/api/events").respond_with_handler(_keeping(seen, Response(status=202)))
        body = {"data": ["x" * 100] * 1_000}
        _send(httpserver, json_body=body)
        assert seen[0].headers["Content-Encoding"] == "gzip"
        raw = seen[0].get_data()
        assert len(raw) < 5_000
        assert json.loads(gzip.decompress(raw)) == body

    def test_netrc(self, httpserver: HTTPServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A .netrc on the machine cannot replace the token."""
        netrc = tmp_path / "netrc"
        netrc.write_text("machine localhost login x password y\nmachine 127.0.0.1 login x password y\n")
        monkeypatch.setenv("NETRC", str(netrc))
        seen: list[Request] = []
        httpserver.expect_request("/api/events").respond_with_handler(_keeping(seen, Response(status=202)))
        _send(httpserver)
        assert seen[0].headers["Authorization"] == "Bearer secret-token"


class TestAnswer:
    """What is made of answers."""

    def test_errors(self, httpserver: HTTPServer) -> None:
        """An error document becomes values without personal data."""
        document = {
            "errors": [
                {
                    "id": "e-1",
                    "status": 400,
                    "code": "invalid",
                    "detail": "ada@fernandfig.shop is not valid.",
                    "source": {"pointer": "/data/attributes/email"},
                }
            ]
        }
        httpserver.expect_request("/api/events").respond_with_json(document, status=400)
        reply = _send(httpserver)
        assert isinstance(reply, Reply)
        assert reply.reason == "invalid at /data/attributes/email: … is not valid."
        assert "ada@" not in repr(reply)

    @pytest.mark.parametrize(
        ("status", "body", "expected"),
        [
            (502, "<html>Bad gateway</html>", Reply(502)),
            (400, "[]", Reply(400)),
            (400, '{"errors": "no list"}', Reply(400, {"errors": "no list"})),
            (200, "<html>Log in to the wifi</html>", NoReply("unreadable answer")),
            (204, "", Reply(204)),
        ],
    )
    def test_odd_bodies(self, httpserver: HTTPServer, status: int, body: str, expected: object) -> None:
        """Whatever stands in the body, the answer is a value; only a success that cannot be read is no reply."""
        httpserver.expect_request("/api/events").respond_with_data(body, status=status)
        assert _send(httpserver) == expected

    def test_redirect(self, httpserver: HTTPServer) -> None:
        """A token follows no redirect."""
        httpserver.expect_request("/api/events").respond_with_data(
            "", status=302, headers={"Location": httpserver.url_for("/elsewhere")}
        )
        assert _send(httpserver) == Reply(302)
        assert [request.path for request, _ in httpserver.log] == ["/api/events"]

    def test_nobody(self, free_port: int) -> None:
        """A refused connection is no reply, named by its kind."""
        config = KlaviyoConfig(app_url="https://x", api_url=f"http://127.0.0.1:{free_port}")
        with requests.Session() as http:
            assert Client(config, http).send("Bearer x", "GET", "/api/accounts") == NoReply("ConnectionError")

    def test_slow(self, httpserver: HTTPServer) -> None:
        """An answer that takes too long is no reply."""
        httpserver.expect_request("/api/events").respond_with_handler(_hanging)
        assert _send(httpserver, timeout=(30, 0.1)) == NoReply("timeout")


class TestList:
    """Answers to reading."""

    @pytest.mark.parametrize("body", ["", "{}", "null", "[]", '"ok"', '{"links":{}}', "{", "[" * 5_000])
    def test_no_list(self, httpserver: HTTPServer, body: str) -> None:
        """A success without data is no answer: taken for an empty list, it would hide everything that is there."""
        httpserver.expect_request("/api/reviews").respond_with_data(body, content_type="application/json")
        config = KlaviyoConfig(
            app_url="https://app.fernandfig.shop", api_url=httpserver.url_for("").rstrip("/")
        )
        with requests.Session() as http:
            answer = Client(config, http).send("Bearer secret-token", "GET", "/api/reviews")
        assert answer == NoReply("unreadable answer")

    @pytest.mark.parametrize("body", ["null", "[]", '"ok"'])
    def test_no_object(self, httpserver: HTTPServer, body: str) -> None:
        """Nor is one to a request that changed something, unless it is empty."""
        httpserver.expect_request("/api/events").respond_with_data(body, content_type="application/json")
        assert _send(httpserver) == NoReply("unreadable answer")


class TestRetryAfter:
    """``retry_after``."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (None, None),
            ("", None),
            ("soon", None),
            ("7", 7.0),
            ("1.5", 1.5),
            ("-3", 0.0),
            ("nan", None),
            ("inf", None),
            ("9" * 400, None),
            ("Sun, 99 Nov 99999 99:99:99 GMT", None),
            ("1e12", 86_400.0),
            ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
            ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ],
    )
    def test_forms(self, value: str | None, expected: float | None) -> None:
        """Seconds, dates, and nothing at all are read; what cannot be read is none."""
        assert retry_after(value, now=datetime(2026, 11, 22, 12, tzinfo=UTC)) == expected


class TestPersonalData:
    """``without_personal_data``."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Invalid email: ada.l+x@fernandfig.shop.", "Invalid email: …"),
            ("Phone +1 (555) 010-9999 taken", "Phone … taken"),
            ("A request may hold 1000 events at most.", "A request may hold 1000 events at most."),
        ],
    )
    def test_scrubs(self, text: str, expected: str) -> None:
        """Addresses and phone numbers go, the rest stays readable."""
        assert without_personal_data(text) == expected

    def test_length(self) -> None:
        """A detail is never longer than a line."""
        assert len(without_personal_data("x " * 1_000)) == 200


class TestReadErrors:
    """``read_errors`` and ``pointers.blamed``."""

    @pytest.mark.parametrize("entry", [{}, {"source": None}, {"source": {"pointer": 7}}, {"code": 3}])
    def test_tolerant(self, entry: dict[str, Any]) -> None:
        """An incomplete entry still has a code."""
        (error,) = read_errors(400, {"errors": [entry, "odd"]})
        assert error == ApiError(400, "http_400")

    def test_blamed(self) -> None:
        """Pointers into either kind of batch name their entries; others, and entries that are not there, name nobody."""
        places = [
            "/data/attributes/events-bulk-create/data/3/attributes/profile",
            "/data/attributes/profiles/data/0",
            "/data/attributes/profiles/data/0/attributes/email",
            "/data/attributes/profiles/data/99",
            "/data/attributes",
            None,
        ]
        errors = tuple(ApiError(400, f"c{i}", pointer=place) for i, place in enumerate(places))
        found = blamed(Reply(400, errors=errors), 10)
        assert set(found) == {0, 3}
        assert found[0].startswith("c1 ")


def _keeping(seen: list[Request], response: Response) -> Any:
    def handler(request: Request) -> Response:
        request.get_data()
        seen.append(request)
        return response

    return handler


def _hanging(_request: Request) -> Response:
    import threading

    threading.Event().wait(0.5)
    return Response(status=202)
