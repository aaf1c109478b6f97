"""``pipe:etcd:Member``: waits until a member of the store is healthy, so that the next one may be changed."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from provider import engine
from provider.errors import PipeError
from provider.resource import Context, Field, Resource
from provider.values import Properties

WAIT_SECONDS = 120
POLL_SECONDS = 0.3


class Member(Resource):
    """A wait. Its id is the container's name.

    While the store is being made, the first members can't be healthy: too few of them run to have a quorum. They are
    let through, and the one that completes the quorum is the first that is waited for.
    """

    token = "pipe:etcd:Member"
    description = "Waits until an etcd member is healthy; again when its container changes."
    inputs: ClassVar[dict[str, Field]] = {
        "container": Field(str, "Name of the member's container.", replaces=True),
        "containerId": Field(str, "The container; a new one waits again."),
        "peers": Field(list, "Names of all members' containers."),
        "health": Field(list, "Command that ends with 0 in the container when the member is healthy."),
    }

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Wait; raises PipeError with what the health command said last when the time is up."""
        import docker
        import requests

        host = context.config.docker_host
        try:
            client = docker.DockerClient(base_url=host) if host else docker.from_env()
            wait(context, client.api, new)
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise PipeError(
                f"Docker's engine does not answer: {error}", "start it, or set DOCKER_HOST to where it runs"
            ) from error
        return new["container"], new


def wait(context: Context, api: Any, member: Properties) -> None:
    """Poll the member's health unless too few containers run for a quorum."""
    started, name = time.monotonic(), member["container"]
    while len(_running(api, member["peers"])) > len(member["peers"]) // 2:
        status, words = _health(api, name, member["health"])
        if status == 0:
            return
        if time.monotonic() - started > WAIT_SECONDS:
            raise PipeError(
                f'etcd in "{name}" is not healthy after {WAIT_SECONDS} s: {words}',
                f"its log says why: docker logs {name}",
            )
        context.progress(f'etcd in "{name}" is not healthy yet')
        context.cancellation.pause(POLL_SECONDS, f'waiting for etcd in "{name}"')


def _running(api: Any, names: list[str]) -> set[str]:
    found = {name.lstrip("/") for container in api.containers() for name in container["Names"]}
    return found & set(names)


def _health(api: Any, container: str, words: list[str]) -> tuple[int, str]:
    """Return the command's status and its last line; a container that restarts just now is not healthy."""
    import docker

    try:
        done = engine.execute(api, container, words)
    except docker.errors.APIError as error:
        return 1, str(error.explanation or error)
    except PipeError as error:
        return 1, str(error)
    said = (done.stdout + done.stderr).strip()
    return done.code, said.splitlines()[-1] if said else "no answer"
