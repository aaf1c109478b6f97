"""Which line of a container's log tells why its program ended, and commands in containers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import docker
import pytest

from provider import engine
from provider.engine import Done, Sight, ended, execute, telling
from provider.errors import PipeError
from provider.patroni.member import evidence


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([], ""),
        (["", "starting", "  "], "starting"),
        (["FATAL:  could not map memory", "HINT:  less", "LOG:  shut down"], "FATAL:  could not map memory"),
        (["ERROR: first", "FATAL:  last", "end"], "FATAL:  last"),
        (["FATAL:  no memory", "FATAL:  the database system is starting up"], "FATAL:  no memory"),
        (["FATAL:  no memory", "ERROR: postmaster is not running"], "FATAL:  no memory"),
        (["LOG:  ready", "ERROR: postmaster is not running", "INFO: again"], "ERROR: postmaster is not running"),
    ],
)
def test_the_last_line_that_names_an_error_tells(lines: list[str], line: str) -> None:
    assert telling(lines) == line


def test_what_the_log_says_is_shown_and_where_the_rest_is() -> None:
    assert evidence(Sight(0, 1, "FATAL:  no"), "member-1") == [
        "its log says: FATAL:  no",
        "all of it: docker logs member-1",
    ]
    assert evidence(Sight(0, 1, ""), "member-1") == ["its log says why: docker logs member-1"]
    assert evidence(None, "member-1") == ["its log says why: docker logs member-1"]


class Answers(BaseHTTPRequestHandler):
    """An engine that is quick: what a command writes comes together with the head of the answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say({"ExitCode": 3})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self.path.endswith("/start"):
            return self._say({"Id": "down" if "/down/" in self.path else "id"})
        if "/down/" in self.path:
            return self._say({"message": "the container is not running"}, 409)
        output = b"\1\0\0\0\0\0\0\6hello\n\2\0\0\0\0\0\0\3bad\1\0\0\0\0\0\0\4you\n"
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n" + output)
        self.close_connection = True
        return None

    def _say(self, document: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def client() -> Iterator[docker.APIClient]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = docker.APIClient(f"tcp://127.0.0.1:{server.server_port}", version="1.44")
        yield client
        client.close()
        server.shutdown()


def test_a_refusal_has_the_engines_own_words(client: docker.APIClient) -> None:
    with pytest.raises(docker.errors.APIError) as refused:
        execute(client, "down", ["echo"])
    assert refused.value.explanation == "the container is not running"


def test_nothing_is_lost_of_what_comes_together_with_the_head_of_an_answer(client: docker.APIClient) -> None:
    parts: list[tuple[int, str]] = []
    done = execute(client, "box", ["echo"], on_part=lambda *part: parts.append(part))
    assert done == Done(3, "hello\nyou\n", "bad")
    assert parts == [(0, "hello\n"), (1, "bad"), (0, "you\n")]


class Engine:
    """Knows how a command ended when it is asked for the last of these times."""

    def __init__(self, *codes: int | None) -> None:
        self.codes = list(codes)

    def exec_inspect(self, command: str) -> dict[str, int | None]:
        assert command == "id"
        return {"ExitCode": self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]}


def test_a_command_whose_end_is_not_known_yet_has_not_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(Engine(None, None, 3), "id") == 3
    assert ended(Engine(0), "id") == 0
    monkeypatch.setattr(engine, "_ENDED_SECONDS", 0)
    with pytest.raises(PipeError, match="does not know how a command in a container ended"):
        ended(Engine(None), "id")
