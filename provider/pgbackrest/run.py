"""Runs pgBackRest, or another program, inside a container through Docker's API, as the container's own user."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from provider import engine
from provider.errors import PipeError
from provider.resource import Context

# 2025-01-01 00:00:00.000 P00  ERROR: [082]: WAL segment ... was not archived
_ERROR = re.compile(r"ERROR: \[(\d+)\]: (.*)")
_LEVEL = re.compile(r"^\S+ \S+ P\d+ +(?:INFO|WARN|ERROR|DETAIL): ")
# Nothing secret is ever an argument: the process list of the container shows it.
_PROGRAM = "pgbackrest"


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """pgBackRest's own ERROR lines with what follows them, or the end of what was written."""
        lines = [line for text in (self.stderr, self.stdout) for line in text.splitlines()]
        for number, line in enumerate(lines):
            if match := _ERROR.search(line):
                # Continuation lines are indented, up to the next line with a level.
                more = []
                for following in lines[number + 1 :]:
                    if _LEVEL.match(following):
                        break
                    more.append(following.strip())
                return " ".join([f"[{match[1]}] {match[2]}", *filter(None, more)])
        tail = [line.strip() for line in lines if line.strip()]
        return tail[-1] if tail else f"it ended with code {self.code} and wrote nothing"

    @property
    def error_code(self) -> int | None:
        """pgBackRest's error number."""
        match = _ERROR.search(self.stderr) or _ERROR.search(self.stdout)
        return int(match[1]) if match else None


class Container:
    """One container and the user in it; the connection to Docker opens with the first command."""

    def __init__(self, context: Context, name: str, user: str | None, program: str = _PROGRAM) -> None:
        """Prepare."""
        self._context, self._name, self._user, self._program = context, name, user or "", program
        self._api: Any = None

    def run(self, arguments: list[str], on_line: Callable[[str], None] | None = None) -> Result:
        """Run the program to its end; raises PipeError where Docker cannot."""

        def lines(_: int, text: str) -> None:
            for line in text.splitlines():
                on_line(line)  # type: ignore[misc]

        with self._docker() as api:
            words = [self._program, *arguments]
            done = engine.execute(api, self._name, words, self._user, lines if on_line else None)
        return Result(done.code, done.stdout, done.stderr)

    def is_running(self) -> bool:
        """Say whether the container runs; raises PipeError where Docker cannot tell."""
        with self._docker() as api:
            return bool(api.inspect_container(self._name)["State"]["Running"])

    @contextlib.contextmanager
    def _docker(self) -> Iterator[Any]:
        """Lend Docker's client; its errors become PipeError."""
        import docker
        import requests

        try:
            yield self._client()
        except docker.errors.NotFound as error:
            raise PipeError(
                f'there is no container "{self._name}"', "it is made by an earlier resource; run up again"
            ) from error
        except docker.errors.APIError as error:
            raise PipeError(
                f'Docker refused to run {self._program} in "{self._name}": {error.explanation or error}',
                f"see what the container does: docker logs {self._name}",
            ) from error
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise PipeError(
                f"Docker's engine does not answer: {error}", "start it, or set DOCKER_HOST to where it runs"
            ) from error

    def _client(self) -> Any:
        import docker

        if self._api is None:
            host = self._context.config.docker_host
            client = docker.DockerClient(base_url=host) if host else docker.from_env()
            self._api = client.api
        return self._api


def retrying(
    context: Context, doing: str, limit: float, pause: float, codes: frozenset[int], attempt: Callable[[], Result]
) -> Result:
    """Repeat a command while it fails with one of these numbers, for ``limit`` seconds; return the last result."""
    started = time.monotonic()
    while True:
        result = attempt()
        passed = time.monotonic() - started
        if result.code == 0 or result.error_code not in codes or passed > limit:
            return result
        context.progress(f"{doing}: tries again ({passed:.0f} of {limit:.0f} s): {result.error}")
        context.cancellation.pause(pause, doing)
