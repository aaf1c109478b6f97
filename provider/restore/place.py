"""A throw-away container in which a restore happens: it reads the source's repository, and is gone afterwards."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provider import engine
from provider.errors import PipeError
from provider.pgbackrest.run import Container, Result
from provider.resource import Context

ROOT = "/var/lib/pgbackrest"
HOME = "/var/lib/postgresql"
CONFIG_DIR = "/etc/pipe"
CONF = f"{CONFIG_DIR}/pgbackrest.conf"
# The user of the images.
UID = 999
STOP_SECONDS = 60


@dataclass(frozen=True)
class Site:
    """What the container is made from, volumes by name.

    A repository in volumes is mounted read-only, in a container without network; any other is reached by a network.
    """

    container: str
    image: str
    labels: Mapping[str, str]
    repository: tuple[str, str] | None
    """The volumes of the archive and of the backups."""
    data: str | None
    """The volume that the restore is for; without one nothing but the repository is read."""
    memory_mb: int
    network: str = "none"


class Place:
    """The running container."""

    def __init__(self, context: Context, name: str) -> None:
        """Prepare."""
        self._context, self.name = context, name

    def run(self, *command: str) -> Result:
        """Run a command to its end."""
        return Container(self._context, self.name, None, command[0]).run(list(command[1:]))

    def must(self, doing: str, *command: str) -> str:
        """Run a command that must succeed and return what it printed; raises PipeError with its own words."""
        result = self.run(*command)
        if result.code:
            raise PipeError(f"{doing} failed: {result.error}")
        return result.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file, its content never an argument: the process list would show it."""
        with _docker(self._context) as api:
            command = ["sh", "-c", 'umask 077; cat > "$0"', path]
            id_ = api.exec_create(self.name, command, stdin=True)["Id"]
            stream = api.exec_start(id_, socket=True)
            plug = getattr(stream, "_sock", stream)
            plug.sendall(text.encode())
            plug.shutdown(socket.SHUT_WR)
            while plug.recv(4096):
                pass
            stream.close()
            if engine.ended(api, id_):
                raise PipeError(f'"{path}" could not be written in container "{self.name}"')


@contextlib.contextmanager
def place(context: Context, site: Site, *, keep: bool = False) -> Iterator[Place]:
    """Lend the container; it goes at the end, with `keep` only when something failed in it."""
    with _docker(context) as api:
        _require_volumes(api, site)
        remove(context, site.container)
        made = api.create_container(**_described(api, site))["Id"]
    try:
        with _docker(context) as api:
            api.start(made)
        yield Place(context, site.container)
    except BaseException:
        remove(context, site.container)
        raise
    if not keep:
        remove(context, site.container)


def has_image(context: Context, image: str) -> bool:
    """Say whether the engine has the image: before the first update it may be still to be built."""
    import docker

    with _docker(context) as api:
        try:
            api.inspect_image(image)
        except docker.errors.NotFound:
            return False
    return True


def remove(context: Context, container: str) -> None:
    """Remove the container, where there is one; a server in it is stopped first."""
    import docker

    with _docker(context) as api:
        try:
            if api.inspect_container(container)["State"]["Running"]:
                Container(context, container, None, "sh").run(
                    ["-c", f"for data in {HOME}/restor*; do pg_ctl -D $data -t {STOP_SECONDS} -m fast stop; done"]
                )
            api.remove_container(container, force=True, v=False)
        except docker.errors.NotFound:
            return


def _require_volumes(api: Any, site: Site) -> None:
    """Refuse a volume that is not there: the engine would make an empty one."""
    import docker

    for name in (*(site.repository or ()), *([site.data] if site.data else [])):
        try:
            api.inspect_volume(name)
        except docker.errors.NotFound:
            found = api.volumes(filters={"label": "pipe.component=repository"})["Volumes"] or []
            stacks = sorted({str((volume["Labels"] or {}).get("pipe.stack")) for volume in found})
            raise PipeError(
                f'there is no volume "{name}" on this Docker engine',
                f"stacks that have a repository here: {', '.join(stacks) or 'none'}",
            ) from None


def _described(api: Any, site: Site) -> dict[str, Any]:
    import docker

    def mount(source: str, target: str, *, read_only: bool) -> Any:
        return docker.types.Mount(target, source, type="volume", read_only=read_only)

    folders = (f"{ROOT}/archive", f"{ROOT}/backup")
    pairs = zip(site.repository, folders, strict=True) if site.repository else ()
    mounts = [mount(source, target, read_only=True) for source, target in pairs]
    if site.data:
        mounts.append(mount(site.data, HOME, read_only=False))
    limit = site.memory_mb * 1024 * 1024
    return {
        "image": site.image,
        "name": site.container,
        "hostname": "restore",
        "entrypoint": ["sleep", "infinity"],
        "environment": {"TZ": "UTC", "PGBACKREST_CONFIG": CONF},
        "labels": dict(site.labels),
        "host_config": api.create_host_config(
            mounts=mounts,
            network_mode=site.network,
            read_only=True,
            tmpfs={
                "/tmp": "rw,noexec,nosuid,nodev,size=128m,mode=1777",
                # Keys lie in memory only. The image has the folder, whose mode stays.
                CONFIG_DIR: f"rw,noexec,nosuid,nodev,size=1m,uid={UID},gid={UID}",
            },
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            init=True,
            mem_limit=limit,
            memswap_limit=limit,
            shm_size=64 * 1024 * 1024,
            log_config=docker.types.LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
        ),
    }


@contextlib.contextmanager
def _docker(context: Context) -> Iterator[Any]:
    """Lend Docker's client; its errors become PipeError."""
    import docker
    import requests

    try:
        host = context.config.docker_host
        client = docker.DockerClient(base_url=host) if host else docker.from_env()
        try:
            yield client.api
        finally:
            client.close()
    except docker.errors.APIError as error:
        raise PipeError(f"Docker refused: {error.explanation or error}", "see what runs there: docker ps -a") from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise PipeError(
            f"Docker's engine does not answer: {error}", "start it, or set DOCKER_HOST to where it runs"
        ) from error


def shell(words: Sequence[str]) -> tuple[str, ...]:
    """Return the command that runs a script, its arguments behind it."""
    return ("sh", "-euc", *words)
