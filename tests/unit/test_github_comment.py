"""The one comment on a pull request: made once, found again, updated in place. Against a server like GitHub."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from delivery import preview_comment, render
from delivery.github import GitHubError, PullRequest


class GitHub(BaseHTTPRequestHandler):
    comments: ClassVar[list[dict[str, Any]]] = []
    refuse: ClassVar[int] = 0

    def do_GET(self) -> None:
        if "/pulls/" in self.path:
            self._answer({"state": "open" if self.path.endswith("/12") else "closed"})
            return
        page = int(self.path.rsplit("page=", 1)[1])
        self._answer(self.comments[(page - 1) * 100 : page * 100])

    def do_POST(self) -> None:
        self._answer(add(self._body()["body"]), 201)

    def do_PATCH(self) -> None:
        comment = next(item for item in self.comments if item["id"] == int(self.path.rsplit("/", 1)[1]))
        comment["body"] = self._body()["body"]
        self._answer(comment)

    def _body(self) -> dict[str, Any]:
        return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Any, status: int = 200) -> None:
        if self.headers["Authorization"] != "Bearer t0ken":
            status, body = 401, {"message": "Bad credentials"}
        if self.refuse:
            status, body = self.refuse, {"message": "Resource not accessible by integration"}
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def add(body: str, type_: str = "Bot") -> dict[str, Any]:
    number = len(GitHub.comments) + 1
    comment = {"id": number, "body": body, "user": {"type": type_}, "html_url": f"https://example.com/{number}"}
    GitHub.comments.append(comment)
    return comment


@pytest.fixture
def api() -> Iterator[str]:
    GitHub.comments.clear()
    GitHub.refuse = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def bodies() -> list[str]:
    return [str(comment["body"]) for comment in GitHub.comments]


def test_the_second_time_updates_the_first_comment(api: str) -> None:
    target = PullRequest(api, "o/r", 12, "t0ken")
    add("hello", "User")
    assert target.upsert("<!-- m -->", "<!-- m -->\none") == "https://example.com/2"
    assert target.upsert("<!-- m -->", "<!-- m -->\ntwo") == "https://example.com/2"
    assert bodies() == ["hello", "<!-- m -->\ntwo"]


def test_it_is_found_behind_hundreds_of_others_and_a_persons_quote_is_left_alone(api: str) -> None:
    add("<!-- m --> quoted", "User")
    for number in range(150):
        add(f"comment {number}", "User")
    add("<!-- m -->\none")
    PullRequest(api, "o/r", 12, "t0ken").upsert("<!-- m -->", "<!-- m -->\ntwo")
    assert bodies()[0] == "<!-- m --> quoted"
    assert bodies()[-1] == "<!-- m -->\ntwo"
    assert len(bodies()) == 152


def test_a_refusal_says_which_right_is_missing(api: str) -> None:
    GitHub.refuse = 403
    with pytest.raises(GitHubError) as caught:
        PullRequest(api, "o/r", 12, "t0ken").upsert("m", "m")
    assert str(caught.value) == (
        "GitHub refused GET /repos/o/r/issues/12/comments: 403 Resource not accessible by integration\n"
        "HINT: the job needs `permissions: pull-requests: write`"
    )


def test_a_pull_request_is_open_or_not(api: str) -> None:
    assert PullRequest(api, "o/r", 12, "t0ken").is_open()
    assert not PullRequest(api, "o/r", 13, "t0ken").is_open()
    GitHub.refuse = 403
    with pytest.raises(GitHubError, match="needs `permissions: pull-requests: read`"):
        PullRequest(api, "o/r", 12, "t0ken").is_open()


def test_no_answer_is_a_sentence(api: str) -> None:
    with pytest.raises(GitHubError, match=r"does not answer at http://127\.0\.0\.1:1: "):
        PullRequest("http://127.0.0.1:1", "o/r", 12, "t0ken").upsert("m", "m")


def test_the_number_comes_from_the_event(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"number": 7}}')
    environ = {"GITHUB_TOKEN": "t", "GITHUB_REPOSITORY": "o/r", "GITHUB_EVENT_PATH": str(event)}
    assert PullRequest.from_environment(environ) == PullRequest("https://api.github.com", "o/r", 7, "t")
    assert PullRequest.from_environment(environ | {"GITHUB_EVENT_PATH": "", "PR_NUMBER": ""}) is None
    assert PullRequest.from_environment({"PR_NUMBER": "7"}) is None
    with pytest.raises(GitHubError, match="PR_NUMBER 'x' is not a pull request's number"):
        PullRequest.from_environment(environ | {"PR_NUMBER": "x"})


def test_sections_of_several_stacks_become_one_comment(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for stack in ("staging", "prod"):
        (tmp_path / f"{stack}.md").write_text(f"## `{stack}`: no changes\n")
    summary = tmp_path / "summary.md"
    environ = {
        "GITHUB_TOKEN": "t0ken",
        "GITHUB_REPOSITORY": "o/r",
        "PR_NUMBER": "7",
        "GITHUB_API_URL": api,
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    arguments = ["--post", str(tmp_path / "staging.md"), str(tmp_path / "prod.md")]
    assert preview_comment.main(arguments) == 0
    (posted,) = bodies()
    assert posted == f"{render.MARKER}\n\n# Preview\n\n## `staging`: no changes\n\n## `prod`: no changes\n"
    assert summary.read_text() == posted

    monkeypatch.delenv("GITHUB_TOKEN")
    capsys.readouterr()
    assert preview_comment.main(arguments) == 0
    assert capsys.readouterr().out == posted
