"""Fixtures for the docker stand-in: the plugin, the engine itself, and objects that go with the test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import docker
import docker.errors
import pytest

from tests.provider.airgap.harness import Live, Plugin

IMAGE = "debian:trixie-slim"
TOKENS = {
    "container": "docker:index/container:Container",
    "image": "docker:index/image:Image",
    "network": "docker:index/network:Network",
    "volume": "docker:index/volume:Volume",
}
Make = Callable[..., Live]


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Any]:
    """docker-py beside the stand-in, to see and to change what is really there."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def docker_plugin() -> Iterator[Plugin]:
    """One process of the stand-in for all tests."""
    plugin = Plugin("docker")
    yield plugin
    plugin.stop()


@pytest.fixture
def prefix() -> str:
    """A name that no other test has."""
    return f"conformance-{secrets.token_hex(4)}"


@pytest.fixture
def live(docker_plugin: Plugin, docker_engine: Any, prefix: str) -> Iterator[Make]:
    """Makes `Live` resources by kind; what is left of them goes when the test ends."""
    made: list[Live] = []

    def make(kind: str, name: str = "") -> Live:
        resource = Live(docker_plugin, TOKENS[kind], f"{prefix}{name}")
        made.append(resource)
        return resource

    yield make
    for found in docker_engine.containers.list(all=True, filters={"name": prefix}):
        found.remove(force=True, v=True)
    for found in docker_engine.networks.list(names=[prefix]):
        found.remove()
    for found in docker_engine.volumes.list(filters={"name": prefix}):
        found.remove()
    for found in docker_engine.images.list(filters={"reference": f"{prefix}*"}):
        for tag in found.tags:
            if tag.startswith(prefix):
                docker_engine.images.remove(tag)


@pytest.fixture
def container(prefix: str) -> dict[str, Any]:
    """The inputs of a container that only sleeps, and ends at once when it is told to."""
    return {"name": prefix, "image": IMAGE, "command": ["sleep", "infinity"], "stopSignal": "SIGKILL"}
