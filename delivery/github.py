"""A pull request on GitHub: one comment, made once and then updated in place, and whether it is open.

GitHub's REST API, standard library only.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 20
PAGE_SIZE = 100
# A thread longer than this is not searched further: 2,000 comments.
MAX_PAGES = 20


class GitHubError(Exception):
    """GitHub could not be asked or told; the text says why and what to do."""


@dataclass(frozen=True)
class PullRequest:
    """Whom to ask, about what, and as whom."""

    api: str
    repository: str
    number: int
    token: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> PullRequest | None:
        """The pull request of the running workflow, or None outside one (then the comment is printed).

        Needs GITHUB_TOKEN, GITHUB_REPOSITORY and the number: PR_NUMBER, or the event's payload in GITHUB_EVENT_PATH.
        """
        token, repository = environ.get("GITHUB_TOKEN"), environ.get("GITHUB_REPOSITORY")
        number = environ.get("PR_NUMBER") or _number_of_event(environ.get("GITHUB_EVENT_PATH"))
        if not token or not repository or not number:
            return None
        if not number.isdigit():
            raise GitHubError(f"PR_NUMBER {number!r} is not a pull request's number\nHINT: digits only, such as 12")
        return cls(environ.get("GITHUB_API_URL", "https://api.github.com"), repository, int(number), token)

    def upsert(self, marker: str, body: str) -> str:
        """Writes the comment that contains `marker`, or makes it; returns its address. Raises GitHubError."""
        comments = f"/repos/{self.repository}/issues/{self.number}/comments"
        for page in range(1, MAX_PAGES + 1):
            found = self._call("GET", f"{comments}?per_page={PAGE_SIZE}&page={page}")
            for item in found:
                # Only a bot's: a person who quotes the comment quotes the marker with it.
                if item["body"].startswith(marker) and item["user"]["type"] == "Bot":
                    path = f"/repos/{self.repository}/issues/comments/{item['id']}"
                    return str(self._call("PATCH", path, {"body": body})["html_url"])
            if len(found) < PAGE_SIZE:
                break
        return str(self._call("POST", comments, {"body": body})["html_url"])

    def is_open(self) -> bool:
        """Whether it may still be worked on. Raises GitHubError."""
        return bool(self._call("GET", f"/repos/{self.repository}/pulls/{self.number}")["state"] == "open")

    def _call(self, method: str, path: str, payload: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            self.api + path,
            method=method,
            data=None if payload is None else json.dumps(payload).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Accept": "application/vnd.github+json",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "pipe-database",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise GitHubError(_explain(error, method, path)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise GitHubError(f"GitHub does not answer at {self.api}: {reason}\nHINT: run the job again") from error


def _number_of_event(path: str | None) -> str | None:
    if not path or not Path(path).is_file():
        return None
    number = json.loads(Path(path).read_text()).get("pull_request", {}).get("number")
    return None if number is None else str(number)


def _explain(error: urllib.error.HTTPError, method: str, path: str) -> str:
    try:
        message = json.load(error).get("message", error.reason)
    except (json.JSONDecodeError, AttributeError):
        message = error.reason
    hint = {
        401: "the token in GITHUB_TOKEN is not valid any more",
        403: f"the job needs `permissions: pull-requests: {'read' if '/pulls/' in path else 'write'}`",
        404: "check GITHUB_REPOSITORY and the pull request's number",
    }.get(error.code, "run the job again")
    return f"GitHub refused {method} {path.split('?')[0]}: {error.code} {message}\nHINT: {hint}"
