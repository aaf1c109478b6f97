"""The throw-away copy: a container like the stack's scheduler, on a volume of its own, serving a restored backup.

Of a stack that has none it serves nothing at first (`cli.rehearse.invented` fills it).

It is no part of the stack: an `up` leaves one alone that runs. It ends by itself when whoever asked for it is gone, and
what a killed rehearsal left goes with the next `up` or rehearsal.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cli import containers, engine
from cli.engine import Thing
from cli.errors import UserError
from infra.naming import COMPONENT_LABEL, STACK_LABEL
from infra.paths import POSTGRES_HOME, POSTGRES_PORT

COMPONENT = "rehearsal"
# Nobody rehearses for longer: one whose end was not noticed, as where the machine that asked for it is lost.
LIMIT = timedelta(days=1)
# Whoever asked for it looks at what has ended, and removes it by itself.
GRACE = timedelta(minutes=1)
_PAUSE_SECONDS = 0.5
_RESTORING, _SERVING = "restoring ", "serving"
# Tells the copy that its standard input ends with whoever asked for it (`images/drill/rehearsal.py`).
ATTENDED = "PIPE_ATTENDED"


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
    clear(api, stack)
    scheduler = api.inspect_container(containers.name_of(containers.running(api, stack, "scheduler")[0]))
    member = api.inspect_container(containers.name_of(containers.running(api, stack, "member")[0]))
    name = f"pipe-{stack}-{COMPONENT}-{secrets.token_hex(3)}"
    labels = {STACK_LABEL: stack, COMPONENT_LABEL: COMPONENT}
    held = None
    try:
        api.create_volume(name, labels=labels)
        api.create_container(
            scheduler["Config"]["Image"],
            ["-m", "drill.rehearsal", stack, *(["--empty"] if empty else []), *settings],
            entrypoint=["python3"],
            name=name,
            labels=labels,
            ports=[POSTGRES_PORT],
            stdin_open=True,
            environment={ATTENDED: "1"},
            host_config=_host_config(api, scheduler, member, name),
        )
        # The engine closes its standard input when this end of it is gone, however that came about.
        held = api.attach_socket(name, params={"stdin": 1, "stream": 1})
        api.start(name)
        yield _wait(api, name)
    finally:
        if held is not None:
            held.close()
        _remove(api, name)


def is_one(stack: str, name: str) -> bool:
    """Whether a container or volume of the stack is a rehearsal's."""
    return name.startswith(f"pipe-{stack}-{COMPONENT}-")


def clear(api: Any, stack: str) -> list[str]:
    """Remove what rehearsals left that were killed; returns its names. One that runs stays."""
    mine = {"label": [f"{STACK_LABEL}={stack}", f"{COMPONENT_LABEL}={COMPONENT}"]}
    found = [_inspected(api, thing["Id"]) for thing in api.containers(all=True, filters=mine)]
    volumes = api.volumes(filters=mine)["Volumes"] or []
    lost = left_over([one for one in found if one], volumes, datetime.now(UTC))
    failures = engine.remove(api, lost)
    if failures:
        raise UserError("; ".join(failures), "remove it by hand, then try again.")
    return sorted({thing.name for thing in lost})


def left_over(found: Iterable[Mapping[str, Any]], volumes: Iterable[Mapping[str, Any]], now: datetime) -> list[Thing]:
    """Choose what nobody needs any more of the rehearsals' containers and volumes, as the engine describes them."""
    needed, lost = set[str](), list[Thing]()
    for container in found:
        name, state = str(container["Name"]).lstrip("/"), container["State"]
        if state["Running"]:
            over = now - _moment(container["Created"]) > LIMIT
        else:
            ended = max(_moment(container["Created"]), _moment(state["FinishedAt"]))
            over = now - ended > GRACE
        if over:
            lost.append(Thing("container", container["Id"], name))
        else:
            needed.add(name)
    # A volume is made just before its container.
    lost += [
        Thing("volume", volume["Name"], volume["Name"])
        for volume in volumes
        if volume["Name"] not in needed and now - _moment(volume["CreatedAt"]) > GRACE
    ]
    return lost


def _inspected(api: Any, container: str) -> Mapping[str, Any] | None:
    from docker.errors import NotFound

    with suppress(NotFound):
        return dict(api.inspect_container(container))
    return None


def _moment(text: str) -> datetime:
    """Read the engine's time; of a container that has not ended it is that of the year 1."""
    return datetime.fromisoformat(text)


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
