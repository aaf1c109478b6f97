"""What the Docker engine answers, as one sentence with a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from airgap.base import ProviderError

# What the engine says -> what to do about it. The first that fits wins.
_HINTS = (
    (r"No such image", "build the image first, or load it with `docker pull` or `docker load`"),
    (r"name .* is already in use by container", "remove that container with `docker rm -f`, or import it"),
    (r"port is already allocated|address already in use", "stop what listens on that port, or choose another one"),
    (r"network .* already exists", "remove that network with `docker network rm`, or import it"),
    (r"pool overlaps|non-overlapping .* address pool", "remove unused networks with `docker network prune`"),
    (r"has active endpoints", "remove the containers that still use the network"),
    (r"volume is in use", "remove the containers that still use the volume"),
    (r"network .* not found", "create the network first"),
    (r"no space left on device", "make room with `docker system prune`"),
    (r"[Mm]emory limit should be smaller than already set memoryswap", "set memorySwap together with memory"),
    (r"permission denied", "run as root or as a member of the group docker"),
)
_UNREACHABLE = (
    "start the engine (`systemctl start docker` or `dockerd`), or set DOCKER_HOST to one that runs; "
    "as a normal user, be a member of the group docker"
)

_REASONS = ("Permission denied", "Connection refused", "No such file or directory", "timed out", "Name or service")


@contextmanager
def explained(doing: str, host: str = "") -> Iterator[None]:
    """Turns errors of docker-py into ProviderError: "while <doing>: <what the engine said>"."""
    import docker.errors
    import requests

    try:
        yield
    except docker.errors.APIError as error:
        raise api_error(doing, str(error.explanation or error)) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        where = f" at {host}" if host else ""
        raise ProviderError(
            f"the Docker engine{where} cannot be reached while {doing}: {_reason(error)}", _UNREACHABLE
        ) from error


def api_error(doing: str, said: str) -> ProviderError:
    """The error for what the engine said while we were doing something."""
    text = " ".join(said.split()).removeprefix("Error response from daemon: ")
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, text)), None)
    return ProviderError(f"{doing} failed: {text}", hint)


def _reason(error: BaseException) -> str:
    """The innermost cause in plain words: docker-py wraps it four times."""
    text = str(error)
    for known in _REASONS:
        if known in text:
            return known.lower()
    return text.removeprefix("Error while fetching server API version: ")
