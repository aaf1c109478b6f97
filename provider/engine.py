"""Docker's engine: how a container ended that does not do its work, the line that says why, and commands in one."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from provider.config import Config
from provider.errors import PipeError

_LINES = 200
_ENDED_SECONDS, _POLL_SECONDS = 10, 0.05
# What goes before each piece of a command's output: 1 for stdout or 2 for stderr, and how long it is.
_HEAD = struct.Struct(">BxxxL")
_LONGEST = 300
# What programs write in the line that tells why they end; the last such line is the cause of what follows it.
_TELLING = ("PANIC:", "FATAL:", "CRITICAL", "ERROR", "Error:", "error:", "exec ")
# What PostgreSQL says to Patroni, which asks it all the time while it starts or stops.
_NOISE = "the database system is "
# What Patroni says once PostgreSQL has told why it ends: it counts where nothing else was said.
_AFTERWARDS = "postmaster is not running"


@dataclass(frozen=True)
class Done:
    """A command that has ended: its exit code, and what it wrote."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Sight:
    """A container as the engine sees it."""

    restarts: int
    """How often the engine has started it again since it was made."""
    exit_code: int
    """How it ended the last time."""
    line: str
    """The line of its log that says most; empty when there is none."""


def telling(lines: Sequence[str]) -> str:
    """Return the last line that names an error, or else the last one; blank lines say nothing."""
    said = [line.strip() for line in lines if line.strip() and _NOISE not in line]
    errors = [line for line in said if any(word in line for word in _TELLING)]
    causes = [line for line in errors if _AFTERWARDS not in line]
    found = causes or errors or said
    return found[-1][:_LONGEST] if found else ""


def look(config: Config, container: str, about: str = "") -> Sight | None:
    """Return what the engine knows; None when it cannot be asked, for nobody fails for want of a better message.

    :param about: where lines of the log have this text, the last of them is the one that says most.
    """
    try:
        with api(config) as client:
            found = client.inspect_container(container)
            lines = client.logs(container, tail=_LINES).decode(errors="replace").splitlines()
    except PipeError:
        return None
    named = [line for line in lines if about and about in line]
    return Sight(int(found["RestartCount"]), int(found["State"]["ExitCode"]), telling(named or lines))


def execute(
    client: Any,
    container: str,
    words: Sequence[str],
    user: str = "",
    on_part: Callable[[int, str], None] | None = None,
) -> Done:
    """Run a command in a container to its end.

    Docker's library reads the answer past the buffer into which its head was read, and so loses what came together
    with that: on a busy machine a quick command seems to have written nothing. Here it is read as any other answer.

    :param on_part: is given each piece as it comes: 0 for what is written to stdout, 1 for stderr, and the text.
    :raises docker.errors.APIError: the engine does not do it.
    """
    import docker
    import requests

    command = client.exec_create(container, list(words), user=user)["Id"]
    start = f"{client.base_url}/v{client.api_version}/exec/{command}/start"
    written = [b"", b""]
    with client.post(start, json={"Detach": False, "Tty": False}, stream=True) as answer:
        try:
            answer.raise_for_status()
        except requests.HTTPError as error:
            # With the engine's own words, as of any other call.
            docker.errors.create_api_error_from_http_exception(error)
        while len(head := answer.raw.read(_HEAD.size)) == _HEAD.size:
            channel, size = _HEAD.unpack(head)
            part = answer.raw.read(size)
            written[channel - 1] += part
            if on_part:
                on_part(channel - 1, part.decode(errors="replace"))
    stdout, stderr = (text.decode(errors="replace") for text in written)
    return Done(ended(client, command), stdout, stderr)


def ended(client: Any, command: str) -> int:
    """Return the exit code of a command in a container, given its id there, once its output has ended.

    The engine learns of the end a moment later than whoever reads. Raises PipeError when it never does.
    """
    deadline = time.monotonic() + _ENDED_SECONDS
    while (code := client.exec_inspect(command)["ExitCode"]) is None:
        if time.monotonic() > deadline:
            raise PipeError("Docker's engine does not know how a command in a container ended", "run up again")
        time.sleep(_POLL_SECONDS)
    return int(code)


@contextlib.contextmanager
def api(config: Config) -> Iterator[Any]:
    """Lend Docker's client; its errors become PipeError."""
    import docker
    import requests

    try:
        client = docker.DockerClient(base_url=config.docker_host) if config.docker_host else docker.from_env()
        try:
            yield client.api
        finally:
            client.close()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise PipeError(
            f"Docker's engine does not do it: {error}", "is it running, and is DOCKER_HOST where it runs?"
        ) from error
