"""Containers of the tests: made from the project's own images, named at random, removed when their block ends."""

from __future__ import annotations

import contextlib
import functools
import io
import secrets
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

import docker

from infra.images import CONTEXT, Target, image_name, read_context


@functools.cache
def image(target: Target) -> str:
    """The project's image of a target, built where it is missing."""
    name = image_name(target, read_context())
    if not docker.from_env().images.list(name):
        command = ["docker", "build", "--quiet", "--target", target, "--tag", name, str(CONTEXT)]
        subprocess.run(command, check=True, capture_output=True)
    return name


@contextlib.contextmanager
def network() -> Iterator[str]:
    """A network of its own."""
    made = docker.from_env().networks.create(f"pipetest-{secrets.token_hex(4)}", labels={"pipe.test": "provider"})
    try:
        yield str(made.name)
    finally:
        made.remove()


@contextlib.contextmanager
def volume() -> Iterator[str]:
    """A volume of its own; a container that mounts it must end first."""
    made = docker.from_env().volumes.create(f"pipetest-{secrets.token_hex(4)}", labels={"pipe.test": "provider"})
    try:
        yield str(made.name)
    finally:
        made.remove(force=True)


@contextlib.contextmanager
def running(target: Target, script: str, files: Mapping[str, str], **options: Any) -> Iterator[Any]:
    """A container that runs a shell script as its image's user, who may read ``files`` (path -> text), as in a stack.

    On a ``network`` it answers to ``hostname``.
    """
    client = docker.from_env()
    if "network" in options:
        endpoint = client.api.create_endpoint_config(aliases=[options["hostname"]])
        options["networking_config"] = {options["network"]: endpoint}
    container = client.containers.create(
        image(target),
        ["-ec", script],
        entrypoint="bash",
        name=f"pipetest-{secrets.token_hex(4)}",
        labels={"pipe.test": "provider"},
        group_add=["0"],
        init=True,
        **options,
    )
    try:
        container.put_archive("/", _archive(files))
        container.start()
        container.reload()
        yield container
    finally:
        container.remove(force=True, v=True)


def port(container: Any, inner: int) -> int:
    """The port on 127.0.0.1 under which a container's port is reached."""
    container.reload()
    return int(container.ports[f"{inner}/tcp"][0]["HostPort"])


def _archive(files: Mapping[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(text.encode()), 0o640
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()
