"""The questions that set-up asks Docker's engine, over its own API, without the docker package or command.

Only an engine that is reached over TLS or SSH is asked through the command: what that takes is its business.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

# Seconds that a connection to the engine may take.
TIMEOUT = 5.0
# The same for the docker command, which may have to log in first.
COMMAND_TIMEOUT = 20.0
DEFAULT_HOST = "unix:///var/run/docker.sock"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


def host(environ: Mapping[str, str] = os.environ) -> str:
    """Where the engine is expected: DOCKER_HOST, or the socket that every installation uses."""
    return environ.get("DOCKER_HOST") or DEFAULT_HOST


def _get(path: str) -> tuple[int, bytes]:
    url = urlsplit(host())
    connection: http.client.HTTPConnection
    if url.scheme == "unix":
        connection = _UnixConnection(url.path)
    else:
        connection = http.client.HTTPConnection(url.hostname or "localhost", url.port or 2375, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def is_plain(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the engine is reached through a socket or over TCP without TLS."""
    scheme = urlsplit(host(environ)).scheme
    secured = environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_TLS")
    return scheme == "unix" or (scheme in ("tcp", "http") and not secured)


def _command(*arguments: str) -> str | None:
    """Ask through the docker command; None when the engine answered, otherwise the first line of what it says."""
    if shutil.which("docker") is None:
        return "only the docker command can reach it, and that is missing"
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=COMMAND_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {COMMAND_TIMEOUT:.0f} s"
    except OSError as error:
        return f"the docker command does not run: {error.strerror}"
    if done.returncode == 0:
        return None
    return next(iter(done.stderr.strip().splitlines()), f"docker ended with status {done.returncode}")


def failure() -> str | None:
    """Why the engine does not answer, in a few words; None when it does."""
    if not is_plain():
        reason = _command("version", "--format", "{{.Server.Version}}")
        return f"{host()}: {reason}" if reason else None
    try:
        status, _ = _get("/_ping")
    except PermissionError:
        return f"{host()}: permission denied"
    except (OSError, http.client.HTTPException) as error:
        return f"{host()}: {error.strerror if isinstance(error, OSError) and error.strerror else error}"
    return None if status == 200 else f"{host()}: HTTP status {status}"


def has_image(reference: str) -> bool:
    """Whether the engine has the image; False also when the engine does not answer."""
    if not is_plain():
        return _command("image", "inspect", "--format", "{{.Id}}", reference) is None
    try:
        status, _ = _get(f"/images/{quote(reference, safe=':')}/json")
    except (OSError, http.client.HTTPException):
        return False
    return status == 200
