"""What can befall a stack: each a context manager that does it on entry and takes it back on exit, whatever happened.

Only the stack's own containers, volumes and network are touched, and only through the Docker engine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from docker.models.containers import Container

from tests.fixtures.stacks import Stack

Signal = Literal["KILL", "STOP", "CONT"]
POSTMASTER = "kill -{signal} $(head -n 1 /var/lib/postgresql/data/postmaster.pid)"
# The container's own program: what its init process started. Whatever else lost its parent is a child of it as well.
PROGRAM = 'for pid in $(cat /proc/1/task/1/children); do kill -{signal} "$pid" && break; done'
# Enough rules for one namespace; `-w` waits for whoever else changes rules just now.
IPTABLES = "/usr/sbin/chroot /host /usr/sbin/iptables -w 5 {action} {chain} -j DROP"


def signal_postmaster(stack: Stack, member: str, signal: Signal) -> None:
    """Send a signal to PostgreSQL's first process alone."""
    _in_container(stack, member, POSTMASTER.format(signal=signal))


def signal_program(stack: Stack, component: str, signal: Signal) -> None:
    """Send a signal to the program that a container runs: Patroni, etcd, HAProxy."""
    _in_container(stack, component, PROGRAM.format(signal=signal))


@contextlib.contextmanager
def program_frozen(stack: Stack, component: str) -> Iterator[None]:
    """The program stands still; what it started goes on."""
    signal_program(stack, component, "STOP")
    try:
        yield
    finally:
        signal_program(stack, component, "CONT")


@contextlib.contextmanager
def killed(stack: Stack, *components: str) -> Iterator[None]:
    """The containers are killed at once and stay down: the engine restarts nothing that a user killed."""
    containers = [stack.container(component) for component in components]
    _at_once(containers, "kill")
    try:
        yield
    finally:
        _at_once(containers, "start")


@contextlib.contextmanager
def unplugged(stack: Stack, component: str) -> Iterator[None]:
    """A container is taken off the stack's network: no name, no address, no way in or out."""
    network = stack.engine.networks.get(f"pipe-{stack.name}")
    container = stack.container(component)
    network.disconnect(container, force=True)
    try:
        yield
    finally:
        network.connect(container, aliases=[component])


@contextlib.contextmanager
def deaf_or_mute(stack: Stack, component: str, chain: Literal["INPUT", "OUTPUT"]) -> Iterator[None]:
    """The network loses everything in one direction: INPUT, it hears nothing; OUTPUT, nobody hears it.

    The rule lives in the container's own network namespace, so it goes with the container at the latest.
    """
    _rule(stack, component, "-I", chain)
    try:
        yield
    finally:
        _rule(stack, component, "-D", chain)


def stopped_and_started(stack: Stack, order: Sequence[str]) -> None:
    """Kill all containers of the stack at once, as a power cut does, and start them one by one in the given order."""
    _at_once([stack.container(component) for component in order], "kill")
    for component in order:
        stack.container(component).start()


def lost_with_volume(stack: Stack, member: str) -> None:
    """A node's containers and its data are gone."""
    for component in (member, member.replace("member", "agent")):
        stack.container(component).remove(force=True)
    stack.engine.volumes.get(f"pipe-{stack.name}-{member}-data").remove()


def emptied(stack: Stack, component: str) -> None:
    """Everything on a component's volume is deleted; its container must not run."""
    _beside(stack, component, "find /volume -mindepth 1 -delete")


@contextlib.contextmanager
def volume_filled(stack: Stack, member: str) -> Iterator[Callable[[], None]]:
    """Files take all the room on a member's volume, which must be one with a limit of its own.

    Gives what fills it again, for the room that came free since.
    """

    def fill() -> None:
        # dd ends with an error when there is no room left: that is the point.
        script = "dd if=/dev/zero of=$(mktemp /volume/filler.XXXXXX) bs=1M 2>&1 | grep -q 'No space left on device'"
        _beside(stack, member, script)

    try:
        fill()
        yield fill
    finally:
        _beside(stack, member, "rm -f /volume/filler.*")


def _in_container(stack: Stack, component: str, script: str) -> None:
    status, text = stack.execute(component, "sh", "-ec", script)
    if status:
        raise RuntimeError(f"in {component}: {script}: {text}")


def _image(container: Container) -> str:
    return str(container.attrs["Image"])


def _at_once(containers: Sequence[Container], action: Literal["kill", "start"]) -> None:
    with ThreadPoolExecutor(len(containers)) as pool:
        list(pool.map(lambda container: getattr(container, action)(), containers))


def _rule(stack: Stack, component: str, action: str, chain: str) -> None:
    """Change a rule with the engine's host's own iptables, in the network namespace of a container."""
    container = stack.container(component)
    stack.engine.containers.run(
        _image(container),
        ["-ec", IPTABLES.format(action=action, chain=chain)],
        entrypoint="sh",
        user="root",
        network_mode=f"container:{container.id}",
        cap_add=["NET_ADMIN", "NET_RAW"],
        volumes={"/": {"bind": "/host", "mode": "ro"}},
        tmpfs={"/host/run": ""},
        remove=True,
    )


def _beside(stack: Stack, component: str, script: str) -> None:
    """Run a script in a container of its own that has a component's volume."""
    image = _image(stack.container(component))
    volume = f"pipe-{stack.name}-{component}-data"
    mounts = {volume: {"bind": "/volume", "mode": "rw"}}
    stack.engine.containers.run(
        image, ["-c", script], entrypoint="sh", user="root", network_mode="none", volumes=mounts, remove=True
    )
