"""Looking at the engine, this machine's ports and the members' data, and saying what stands in the way."""

from __future__ import annotations

import errno
import io
import os
import re
import socket
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cli import engine, state
from cli.containers import COMPONENT
from cli.engine import KINDS, LABEL
from cli.errors import UserError
from cli.obstacles import rules
from cli.obstacles.sight import Database, Named, Sight
from cli.session import Session
from cli.state import State
from infra.naming import Names
from infra.paths import CA_FILE, CERT_FILE, ETCD_CLIENT_PORT, KEY_FILE, POSTGRES_HOME
from infra.settings import Settings, SettingsError, check
from provider.restore.room import ALLOW

VOLUME = "docker:index/volume:Volume"
# What every PostgreSQL data directory begins its life with; its first eight bytes are the system identifier.
CONTROL_FILE = "data/global/pg_control"
ASK_SECONDS = 30
ETCDCTL = (
    *("etcdctl", f"--endpoints=https://localhost:{ETCD_CLIENT_PORT}"),
    *(f"--cacert={CA_FILE}", f"--cert={CERT_FILE}", f"--key={KEY_FILE}"),
)


def refuse(session: Session) -> None:
    """Raise Obstacles when an `up` would meet one, and UserError when a stack that is not there yet has wrong settings.

    Those of one that is there are the program's to name, all at once: it reads what is encrypted, too.
    """
    known = state.read(session)
    try:
        settings = check.check(session.stack, session.paths.root / "stacks")
    except SettingsError as error:
        if known is None:
            raise UserError(str(error)) from None
        return
    sight = look(engine.client(), settings, known or State(()))
    found = rules.obstacles(sight, ignore_free_space=session.environ.get(ALLOW) == "1")
    if found:
        raise rules.Obstacles(found)


def look(api: Any, settings: Settings, known: State) -> Sight:
    """Everything that the rules decide by."""
    containers = api.containers(all=True)
    own = [container for container in containers if _stack_of(container) == settings.stack]
    info = api.info()
    # What another machine's ports and disks have is not to be seen from here.
    here = info["Name"] == socket.gethostname()
    named = list(_named(api, settings.stack, containers))
    return Sight(
        stack=settings.stack,
        members=settings.database.replicas + 1,
        named=named,
        ports={port: _listener(settings.network.bind_address, port, containers) for port in _ports(settings)}
        if here
        else {},
        own_ports=frozenset(_published(own)),
        data_root=info["DockerRootDir"],
        free_mb=_free_mb(info["DockerRootDir"]) if here else None,
        databases=_databases(api, settings.stack, named, known.ids(VOLUME)),
        identifier=_identifier(settings.stack, own),
    )


def _stack_of(thing: Mapping[str, Any]) -> str | None:
    return (thing.get("Labels") or {}).get(LABEL)


def _named(api: Any, stack: str, containers: Sequence[Mapping[str, Any]]) -> Iterator[Named]:
    """What is called like the stack's things."""
    alike = {"name": f"pipe-{stack}"}
    listed = {
        "container": ((container["Names"][0].lstrip("/"), container) for container in containers),
        "network": ((network["Name"], network) for network in api.networks(filters=alike)),
        "volume": ((volume["Name"], volume) for volume in api.volumes(filters=alike)["Volumes"] or []),
    }
    for kind in KINDS:
        for name, thing in listed[kind]:
            if name.startswith(f"pipe-{stack}"):
                yield Named(kind, name, _stack_of(thing))


def _ports(settings: Settings) -> Iterator[int]:
    """The ports that the stack publishes."""
    ports = Names.of(settings).ports
    for proxy in range(settings.proxy.instances):
        yield from (ports.read_write(proxy), ports.read_only(proxy))
    yield from (ports.rest(member) for member in range(settings.database.replicas + 1))


def _published(containers: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    for container in containers:
        yield from (port["PublicPort"] for port in container.get("Ports") or [] if "PublicPort" in port)


def _listener(address: str, port: int, containers: Sequence[Mapping[str, Any]]) -> str | None:
    """Who listens on the port; None when nobody does."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return None
        else:
            return None
    holder = next((container for container in containers if port in _published([container])), None)
    return f'container "{holder["Names"][0].lstrip("/")}"' if holder else "another program of this machine"


def _free_mb(data_root: str) -> int | None:
    try:
        found = os.statvfs(data_root)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize // 1024**2


def _databases(api: Any, stack: str, named: Sequence[Named], known: set[str]) -> dict[str, Database]:
    """The members' data volumes that hold a database."""
    pattern = re.compile(rf"pipe-{re.escape(stack)}-member-\d+-data")
    found = {}
    for volume in (thing.name for thing in named if thing.kind == "volume" and pattern.fullmatch(thing.name)):
        with _container_with(api, volume) as (container, place):
            identifier = _system_identifier(api, container, f"{place}/{CONTROL_FILE}") if container else None
        if identifier is not None:
            found[volume] = Database(identifier, known=volume in known)
    return found


@contextmanager
def _container_with(api: Any, volume: str) -> Iterator[tuple[str | None, str]]:
    """A container that has the volume, and where: the engine reads files through containers only."""
    for container in api.containers(all=True, filters={"volume": volume}):
        for mount in container["Mounts"]:
            if mount.get("Name") == volume:
                yield container["Id"], mount["Destination"]
                return
    from docker.errors import ImageNotFound

    # Pulumi's library is behind it, which takes as long as the rest together.
    from infra.images import image_name, read_context

    try:
        made = api.create_container(
            image_name("member", read_context()),
            volumes=[POSTGRES_HOME],
            host_config=api.create_host_config(binds=[f"{volume}:{POSTGRES_HOME}:ro"], network_mode="none"),
        )
    except ImageNotFound:
        # Then no member has run here, and the volume is looked at by the `up` that finds the image.
        yield None, ""
        return
    try:
        yield made["Id"], POSTGRES_HOME
    finally:
        api.remove_container(made["Id"], force=True)


def _system_identifier(api: Any, container: str, path: str) -> int | None:
    """The first number of PostgreSQL's control file; None when there is no such file."""
    from docker.errors import NotFound

    try:
        chunks, _ = api.get_archive(container, path)
    except NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        content = archive.extractfile(archive.getmembers()[0])
        return int.from_bytes(content.read(8), "little") if content else None


def _identifier(stack: str, own: Sequence[Mapping[str, Any]]) -> int | None:
    """Which database the running consensus store says the cluster is."""
    store = next((c["Id"] for c in own if c["State"] == "running" and c["Labels"][COMPONENT] == "etcd"), None)
    if store is None:
        return None
    command = ["docker", "exec", store, *ETCDCTL, "get", "--print-value-only"]
    try:
        done = subprocess.run(
            [*command, f"/service/{stack}/initialize"],
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
            check=False,
        )
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return None
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else None
