"""A stack's containers on the engine, and how commands run in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cli import containers, engine, source
from cli.errors import UserError
from cli.session import Session
from infra.naming import Names
from provider.config import Config
from provider.errors import PipeError
from provider.pgbackrest.run import Container, Result
from provider.resource import Context
from provider.restore.place import Site
from provider.runtime import Cancellation, Reporter
from provider.sql.connection import Database


class Teller(Reporter):
    """Says on the terminal what a provider would tell the engine."""

    def __init__(self) -> None:
        super().__init__(None)

    def progress(self, urn: str, message: str) -> None:
        """Say it, and go on."""
        print(f"  {message}", flush=True)


@dataclass(frozen=True)
class Cluster:
    """A stack's members and members of etcd, each by its number, and how commands run in them."""

    session: Session
    context: Context
    api: Any
    members: Mapping[int, str]
    etcd: Mapping[int, str]

    @classmethod
    def of(cls, session: Session) -> Cluster:
        """Find what the engine has of the stack, running or not. Raises UserError when it has no member."""
        api = engine.client()
        found = {component: _found(api, session.stack, component) for component in ("member", "etcd")}
        if not found["member"]:
            raise UserError(f'stack "{session.stack}" has no members', f"`make up STACK={session.stack}` makes them.")
        config, cancellation = Config({}), Cancellation()
        context = Context("", config, Database(config, cancellation), Teller(), cancellation)
        return cls(session, context, api, found["member"], found["etcd"])

    @property
    def names(self) -> Names:
        return Names(self.session.stack)

    def run(self, container: str, *command: str) -> Result:
        """Run a command in a container, by its name; raises PipeError where the engine cannot."""
        return Container(self.context, container, None, command[0]).run(list(command[1:]))

    def site(self, number: int, repository: str | None = None) -> Site:
        """The throw-away container on a member's volume; `repository` is what it is to read."""
        names, known = self.names, self.api.inspect_container(self.members[number])
        volumes = (names.volume("repository", None, "archive"), names.volume("repository", None, "backup"))
        return Site(
            container=names.container("restore"),
            image=str(known["Config"]["Image"]),
            labels=names.labels("restore"),
            repository=volumes if repository == source.VOLUME else None,
            data=names.volume("member", number),
            memory_mb=int(known["HostConfig"]["Memory"]) // (1024 * 1024),
            network=names.network if repository in source.PLACES else "none",
        )

    def rows(self) -> list[dict[str, Any]]:
        """The members as Patroni lists them; none when none answers."""
        for member in self.members.values():
            try:
                result = self.run(member, "patronictl", "-c", "/etc/pipe/patroni.yml", "list", "-f", "json")
            except PipeError:
                continue
            if result.code == 0:
                return list(json.loads(result.stdout))
        return []


def numbered(stack: str, component: str, names: Iterable[str]) -> dict[int, str]:
    """Return those of the names that the component's containers have, by the number in each, in order.

    The containers that carry configuration have the label too, and another name.
    """
    pattern = re.compile(rf"{re.escape(Names(stack).container(component))}-(\d+)")
    found = {int(match[1]): name for name in names if (match := pattern.fullmatch(name))}
    return dict(sorted(found.items()))


def _found(api: Any, stack: str, component: str) -> dict[int, str]:
    labels = [f"{engine.LABEL}={stack}", f"{containers.COMPONENT}={component}"]
    listed = api.containers(all=True, filters={"label": labels})
    return numbered(stack, component, (containers.name_of(one) for one in listed))
