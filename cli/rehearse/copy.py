"""The throw-away copy: a container like the stack's scheduler, on a volume of its own, serving a restored backup.

Of a stack that has none it serves nothing at first (`cli.rehearse.invented` fills it).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from cli import containers, engine
from cli.errors import UserError
from infra.naming import COMPONENT_LABEL, STACK_LABEL
from infra.paths import POSTGRES_HOME, POSTGRES_PORT

COMPONENT = "rehearsal"
_PAUSE_SECONDS = 0.5
_RESTORING, _SERVING = "restoring ", "serving"


@dataclass(frozen=True)
class Copy:
    """Where it answers, and what it is a copy of; of no backup where there is none."""

    container: str
    port: int
    backup: str | None = None
    bytes: int = 0


@contextmanager
def serving(stack: str, settings: Sequence[str], *, empty: bool) -> Iterator[Copy]:
    """Restore the stack's newest backup and serve it on a port of the loopback address; nothing is left afterwards.

    :param settings: parameters of PostgreSQL, as name=value.
    :param empty: restore nothing: the server has only what PostgreSQL itself makes.
    """
    api = engine.client()
    scheduler = api.inspect_container(containers.name_of(containers.running(api, stack, "scheduler")[0]))
    member = api.inspect_container(containers.name_of(containers.running(api, stack, "member")[0]))
    name = f"pipe-{stack}-{COMPONENT}-{secrets.token_hex(3)}"
    labels = {STACK_LABEL: stack, COMPONENT_LABEL: COMPONENT}
    try:
        api.create_volume(name, labels=labels)
        api.create_container(
            scheduler["Config"]["Image"],
            ["-m", "drill.rehearsal", stack, *(["--empty"] if empty else []), *settings],
            entrypoint=["python3"],
            name=name,
            labels=labels,
            ports=[POSTGRES_PORT],
            host_config=_host_config(api, scheduler, member, name),
        )
        api.start(name)
        yield _wait(api, name)
    finally:
        _remove(api, name)


def _host_config(api: Any, scheduler: dict[str, Any], member: dict[str, Any], volume: str) -> Any:
    """Return what the scheduler has, read-only, with the memory and processors of a member."""
    like, of = scheduler["HostConfig"], member["HostConfig"]
    binds = [f"{volume}:{POSTGRES_HOME}"]
    binds += [
        f"{mount['Name']}:{mount['Destination']}:ro"
        for mount in scheduler["Mounts"]
        if mount["Destination"] != POSTGRES_HOME
    ]
    return api.create_host_config(
        binds=binds,
        network_mode=next(iter(scheduler["NetworkSettings"]["Networks"])),
        port_bindings={POSTGRES_PORT: ("127.0.0.1", None)},
        read_only=True,
        init=True,
        cap_drop=like["CapDrop"],
        security_opt=like["SecurityOpt"],
        group_add=like["GroupAdd"],
        tmpfs=like["Tmpfs"],
        mem_limit=of["Memory"],
        memswap_limit=of["MemorySwap"],
        nano_cpus=of["NanoCpus"] or None,
        shm_size=of["ShmSize"],
    )


def _wait(api: Any, name: str) -> Copy:
    """Return once it serves. However large the backup is, as long as the container runs it is on its way."""
    while True:
        lines = api.logs(name, stdout=True, stderr=True).decode(errors="replace").splitlines()
        if _SERVING in lines:
            (binding,) = api.inspect_container(name)["NetworkSettings"]["Ports"][f"{POSTGRES_PORT}/tcp"]
            served = Copy(name, int(binding["HostPort"]))
            restored = next((line.split()[1:] for line in lines if line.startswith(_RESTORING)), None)
            return replace(served, backup=restored[0], bytes=int(restored[1])) if restored else served
        if not api.inspect_container(name)["State"]["Running"]:
            raise UserError(
                f"the copy did not come to life: {lines[-1] if lines else 'it wrote nothing'}",
                "`make restore-drill` says more.",
            )
        time.sleep(_PAUSE_SECONDS)


def _remove(api: Any, name: str) -> None:
    from docker.errors import NotFound

    with suppress(NotFound):
        api.remove_container(name, force=True, v=True)
    with suppress(NotFound):
        api.remove_volume(name)
