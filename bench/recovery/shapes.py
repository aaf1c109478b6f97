"""The stacks that faults are done to, and how to tell that one is in full health."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import docker
from docker.errors import NotFound

from bench.recovery.watch import Witness, answer
from cli import up
from cli.engine import LABEL
from cli.session import Session
from infra.naming import Names
from infra.settings import Settings, check
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.stacks import ROOT, Stack, throw_away_stack

# The shortest ttl that Patroni takes. A longer loop has a lost node replaced sooner, a shorter one a crash seen sooner:
# with this one both aims are met, and the patience with etcd is the longest that is left.
LOWEST = {"ttl": 20, "loop_wait": 7, "retry_timeout": 6}
LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Member:
    """One member in the words of Patroni's /cluster."""

    name: str
    role: str
    state: str

    @property
    def leads(self) -> bool:
        """Whether it holds the lease."""
        return self.role == "leader"


@dataclass(frozen=True)
class Subject:
    """A running stack, looked at through its members' REST interfaces."""

    stack: Stack
    settings: Settings
    shape: Shape

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Member -> where its REST interface is."""
        ports = Names.of(self.settings).ports
        return {f"member-{index}": (LOCAL, ports.rest(index)) for index in range(self.settings.database.replicas + 1)}

    @property
    def authority(self) -> str:
        """The certificate of the stack's authority, as PEM."""
        return str(self.stack.outputs["ca_certificate"])

    def witness(self) -> Witness:
        """Return who asks all members whether they are the primary."""
        return Witness(self.addresses, self.authority)

    def members(self) -> list[Member]:
        """Return the members as the first one that answers knows them."""
        context = ssl.create_default_context(cadata=self.authority)
        for address in self.addresses.values():
            with contextlib.suppress(OSError, ValueError, HTTPException):
                _, document = answer(address, "/cluster", context)
                return [Member(m["name"], m["role"], m["state"]) for m in document.get("members", [])]
        return []

    def leader(self) -> str:
        """Return the member that leads; fails when there is none for long."""
        found = eventually(self.members, lambda seen: any(m.leads for m in seen), timeouts.FAILOVER, "a leader")
        return next(member.name for member in found if member.leads)

    def synchronous(self) -> str:
        """Return the replica that commits wait for; fails when there is none for long."""
        found = eventually(
            self.members,
            lambda seen: any(m.role == "sync_standby" for m in seen),
            timeouts.HEALTH,
            "a replica that commits wait for",
        )
        return next(member.name for member in found if member.role == "sync_standby")

    def status(self, member: str) -> dict[str, Any]:
        """Return what a member says of itself; raises OSError when it does not answer."""
        return answer(self.addresses[member], "/patroni", ssl.create_default_context(cadata=self.authority))[1]

    def switch_over(self, leader: str, *candidate: str) -> None:
        """Let the leader hand over, as an operator does: again where a member was too slow to agree."""
        options = [word for name in candidate for word in ("--candidate", name)]

        def asked() -> str:
            done = self.stack.run("bin/patronictl", "switchover", "--leader", leader, *options, "--force")
            return done.stdout + done.stderr

        eventually(asked, lambda _: self.leader() != leader, timeouts.HEALTH, f"{leader} hands over")

    def wait_for_health(self) -> None:
        """Wait until one member leads, all others stream, and commits wait for one of them where they should."""
        eventually(self.members, self._is_whole, timeouts.HEALTH, "every member back in its place")

    def _is_whole(self, members: list[Member]) -> bool:
        replicas = self.settings.database.replicas
        synchronous = self.settings.failover.synchronous != "off"
        return (
            sum(member.leads and member.state == "running" for member in members) == 1
            and sum(member.state == "streaming" for member in members) == replicas
            and (not synchronous or any(member.role == "sync_standby" for member in members))
        )


@dataclass(frozen=True)
class Shape:
    """A kind of stack. `configure` changes its file, and makes what must be there, before the first `up`."""

    key: str
    title: str
    configure: Callable[[Stack, contextlib.ExitStack], None]

    @contextlib.contextmanager
    def running(self) -> Iterator[Subject]:
        """Give a stack of this shape in full health, and remove it afterwards."""
        with contextlib.ExitStack() as undo, throw_away_stack(self.key) as stack:
            stack.prepare()
            self.configure(stack, undo)
            stack.up()
            subject = Subject(stack, check.check(stack.name, ROOT / "stacks"), self)
            subject.wait_for_health()
            yield subject


def _production(stack: Stack, _: contextlib.ExitStack) -> None:
    stack.configure("consensus", members=3)
    stack.configure("database", replicas=2)
    stack.configure("failover", synchronous="on", **LOWEST)
    stack.configure("proxy", instances=2)


def _small(stack: Stack, undo: contextlib.ExitStack) -> None:
    stack.configure("failover", synchronous="on", **LOWEST)
    # What lies on the limited volume of a member counts as its memory.
    stack.configure("database", memory_mb=LIMITED_MB * 2)
    name = Names(stack.name).volume("member", int(LIMITED.rpartition("-")[2]))
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={LIMITED_MB}m,uid=999,gid=999,mode=0700"}
    # `up` takes a volume that is there by that name, as the engine does, when it is the stack's own by its label. What
    # carries the label of a stack that this backend does not know would be taken for another checkout's.
    up.create(Session.current(stack.name))
    stack.engine.volumes.create(name, driver="local", driver_opts=options, labels={LABEL: stack.name})
    undo.callback(_remove_volume, name)


def _remove_volume(name: str) -> None:
    """Remove what a failed `up` never took."""
    engine = docker.from_env()
    with contextlib.suppress(NotFound):
        engine.volumes.get(name).remove()
    engine.close()


# The member whose disk can be filled without filling the machine's.
LIMITED, LIMITED_MB = "member-1", 640

PRODUCTION = Shape("production", "three members, three etcd members, two proxies; synchronous", _production)
SMALL = Shape("small", "two members, one etcd member, one proxy; synchronous", _small)
