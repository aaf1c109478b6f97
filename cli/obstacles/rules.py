"""From what the engine has to what stands in an `up`'s way, each as one sentence with its remedy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cli.engine import KINDS, Kind
from cli.errors import UserError
from cli.obstacles.sight import Database, Named, Sight
from provider.restore.room import ALLOW

# What one member may fill with WAL alone before a checkpoint frees it (max_wal_size).
FREE_MB_OF_A_MEMBER = 1024

_COMPONENT = r"(?:etcd-\d+|member-\d+|agent-\d+|proxy-\d+|proxy|repository|scheduler)"
_PATTERNS: dict[Kind, str] = {
    "container": f"-{_COMPONENT}(?:-config)?",
    "volume": f"-{_COMPONENT}-(?:config|data|archive|backup|drill)",
    "network": "",
}


class Obstacles(UserError):
    """All that stands in the way, at once."""

    def __init__(self, found: Sequence[UserError]) -> None:
        super().__init__("; ".join(error.fact for error in found))
        self.found = found

    def text(self) -> str:
        return "\n".join([*(error.text() for error in self.found), "nothing was changed"])


def obstacles(sight: Sight, *, ignore_free_space: bool = False) -> list[UserError]:
    """Everything that stands in the way of an `up` of the stack."""
    found = [*_foreign(sight), *_ports(sight), *_databases(sight)]
    return found if ignore_free_space else [*found, *_space(sight)]


def is_name_of(stack: str, thing: Named) -> bool:
    """Whether the stack would give something of this kind this name."""
    return re.fullmatch(f"pipe-{re.escape(stack)}{_PATTERNS[thing.kind]}", thing.name) is not None


def _foreign(sight: Sight) -> Iterator[UserError]:
    for thing in sorted(sight.named, key=lambda thing: (KINDS.index(thing.kind), thing.name)):
        if thing.stack != sight.stack and is_name_of(sight.stack, thing):
            whose = f'belongs to stack "{thing.stack}"' if thing.stack else "was not made by this bundle"
            yield UserError(
                f'{thing.kind} "{thing.name}" {whose}, and stack "{sight.stack}" needs the name',
                f"rename or remove it (`docker {thing.kind} inspect {thing.name}` shows what it is), "
                "or give the stack another name.",
            )


def _ports(sight: Sight) -> Iterator[UserError]:
    taken = sorted(port for port in sight.ports if port not in sight.own_ports and sight.ports[port] is not None)
    if taken:
        holders = sorted({sight.ports[port] or "" for port in taken})
        listed = ", ".join(str(port) for port in taken)
        yield UserError(
            f"port {listed} of the stack is taken by {' and '.join(holders)}",
            "free it, or set another pipe:network.port_base in the stack's file.",
        )


def _space(sight: Sight) -> Iterator[UserError]:
    needed = FREE_MB_OF_A_MEMBER * sight.members
    if sight.free_mb is not None and sight.free_mb < needed:
        yield UserError(
            f'the disk of Docker\'s engine ("{sight.data_root}") has {sight.free_mb} MB free, and {sight.members} '
            f"member{'s' * (sight.members > 1)} may need {needed} MB for WAL alone",
            f"free some space; for an `up` that itself frees space, run again with {ALLOW}=1.",
        )


def _databases(sight: Sight) -> Iterator[UserError]:
    """A volume with data that cannot be this stack's: Patroni would refuse it, or take it for its own."""
    found = sorted(sight.databases.items())
    if sight.identifier is not None:
        yield from (_another(sight, *one) for one in found if one[1].identifier != sight.identifier)
    elif not any(database.known for _, database in found):
        yield from (_unknown(sight, *one) for one in found)
    elif len({database.identifier for _, database in found}) > 1:
        # Which of them is right nobody can tell: the state knows volumes, not what is in them.
        listed = ", ".join(f'"{volume}" (system identifier {database.identifier})' for volume, database in found)
        yield UserError(
            f'volumes of stack "{sight.stack}" hold different databases, and etcd does not say which one is right: '
            + listed,
            "remove none of them; bring etcd back first (docs/disaster-runbook.md), then run again: it knows which.",
        )


def _unknown(sight: Sight, volume: str, database: Database) -> UserError:
    return UserError(
        f'volume "{volume}" holds a database that stack "{sight.stack}" did not make '
        f"(system identifier {database.identifier})",
        f"if nobody needs it: `docker volume rm {volume}`; if it is this stack's, bring back the state that "
        "has it: `bin/pulumi stack import`.",
    )


def _another(sight: Sight, volume: str, database: Database) -> UserError:
    member = volume.removesuffix("-data")
    return UserError(
        f'volume "{volume}" holds another database (system identifier {database.identifier}) than that of '
        f'stack "{sight.stack}" ({sight.identifier})',
        f"if nobody needs that data: `docker rm -f {member} {_agent_of(member)}`, then "
        f"`docker volume rm {volume}`, then `make up STACK={sight.stack}` makes the member "
        "anew; otherwise put the right volume back first.",
    )


def _agent_of(member: str) -> str:
    head, _, index = member.rpartition("-member-")
    return f"{head}-agent-{index}"
