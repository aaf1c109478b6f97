"""A stack on an engine of the imagination: what is in each volume, who answers, and what is done to it, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from cli import engine, source
from cli.inplace import backups, members, reached, run
from cli.inplace.cluster import Cluster
from cli.session import Session
from cli.source import Source
from cli.status import collect
from provider.errors import PipeError
from provider.pgbackrest.run import Result
from provider.restore import look, replay
from provider.restore.kept import Backup
from provider.restore.moments import Target
from provider.restore.place import Site

BACKUP = Backup("20260501-000000F", 1, datetime(2026, 5, 1, tzinfo=UTC), 5, 2000)
EXACT = Target(lsn=7)
MB = 1 << 20
NO = Result(1, "", "no")


@dataclass
class Stack:
    """Stands for the engine with one stack: it knows what is in each volume, and notes what is done to it."""

    members: list[int] = field(default_factory=lambda: [0, 1])
    known: int = 2
    data: dict[int, set[str]] = field(default_factory=lambda: {0: {"data"}, 1: {"data"}})
    listed: tuple[str, ...] = ("volume",)
    etcd_down: tuple[int, ...] = ()
    away: tuple[str, ...] = ()
    """Containers that do not run, beside members of etcd."""
    free_mb: int = 100_000
    fails: dict[str, Exception] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)
    noted: str = ""
    """What the first member's volume says of a restore that has taken effect."""
    waiting: str = ""
    """WAL files of every member that are in no archive."""
    moving: list[dict[str, int]] = field(default_factory=list)
    """How many MB of a copy a replica has each time it is measured; after the last it follows."""

    # Docker's API.
    def containers(self, filters: dict[str, list[str]], **_: bool) -> list[dict[str, Any]]:
        component = filters["label"][1].rpartition("=")[2]
        numbers = {"member": self.members, "etcd": [0, 1, 2]}[component]
        names = [f"pipe-dev-{component}-{n}{end}" for n in numbers for end in ("", "-config")]
        return [{"Names": [f"/{name}"], "State": "running"} for name in names]

    def inspect_container(self, name: str) -> dict[str, Any]:
        return {"Config": {"Image": f"image of {name}"}, "HostConfig": {"Memory": 512 * MB}}

    def stop(self, name: str, timeout: int) -> None:
        assert timeout
        self.do(f"stop {name}")

    def start(self, name: str) -> None:
        self.do(f"start {name}")

    def do(self, what: str) -> None:
        self.done.append(what)
        if what in self.fails:
            raise self.fails.pop(what)

    # Commands in containers.
    def run(self, _: Cluster, container: str, *words: str) -> Result:
        number = int(container[-1]) if container[-1].isdigit() else 0
        match words:
            case ["etcdctl", *more]:
                if number in self.etcd_down:
                    raise PipeError(f'container "{container}" is not running')
                if "del" in more:
                    self.forgotten.add(more[-1])
                return Result(0, "/service/dev/config\n\n/service/dev/leader\n\n/service/dev/initialize\n", "")
            case ["patronictl", *_]:
                return Result(0, json.dumps(self.rows()), "")
            case ["sh", "-c", script] if "data-before-" in script:
                return Result(0, "", "")
            case ["rm", "-f", reached.NOTE]:
                self.noted = ""
                return Result(0, "", "")
            case ["true"]:
                if container in self.away:
                    raise PipeError(f'container "{container}" is not running')
                return Result(0, "", "")
            case ["du", *_]:
                size = self.moving[0].get(container, 0) if self.moving else 0
                self.moving = self.moving[1:]
                return Result(0, f"{size}\t/data\n", "")
            case ["pgbackrest", *more]:
                (repository,) = (word for word in more if word.startswith("--repo="))
                try:
                    self.do(f"back up {repository}")
                except PipeError as error:
                    return Result(1, "", f"ERROR: [103]: {error.message}")
                return Result(0, "", "")
        raise AssertionError(words)

    def rows(self) -> list[dict[str, Any]]:
        others = "creating replica" if self.moving else "streaming"
        leader = {"Member": "member-0", "Role": "Leader", "State": "running"}
        return [leader, *({"Member": f"member-{n}", "Role": "Replica", "State": others} for n in self.members[1:])]

    # The throw-away container.
    @contextmanager
    def place(self, _: object, site: Site) -> Iterator[Place]:
        assert site.data
        number = int(site.data.split("-")[-2])
        assert site.image == f"image of pipe-dev-member-{number}"
        yield Place(self, number)

    def find(self, *_: object) -> tuple[Backup, Target]:
        self.do("find")
        return BACKUP, EXACT

    def replayed(self, _: object, there: Place, __: object, target: Target, *, pause: bool) -> str:
        assert target == EXACT
        there.content.add("restoring")
        self.do("restore")
        return "0/7"


@dataclass
class Place:
    stack: Stack
    number: int

    @property
    def content(self) -> set[str]:
        return self.stack.data[self.number]

    def must(self, doing: str, *words: str) -> str:
        result = self.run(*words)
        if result.code:
            raise PipeError(f"{doing} failed: {result.error}")
        return result.stdout

    def run(self, *words: str) -> Result:
        names = {word.rpartition("/")[2] for word in words}
        match words:
            case ["cat", reached.NOTE]:
                return Result(0, self.stack.noted, "") if self.stack.noted else NO
            case ["sh", _, script, reached.NOTE, text] if "printf" in script:
                self.stack.noted = text
            case ["sh", _, script, *_] if "archive_status" in script:
                return Result(0, self.stack.waiting, "")
            case ["df", *_]:
                return Result(0, f"Avail\n{self.stack.free_mb}\n", "")
            case ["test", *_]:
                return Result(0, "", "") if "data" in self.content else NO
            case ["rm", *_]:
                self.stack.done.append(f"remove {' '.join(sorted(names & self.content))}".strip())
                self.stack.data[self.number] -= names
            case ["sh", _, script, *_] if "mv -T" in script and "data" in self.content:
                self.stack.do(f"set aside {self.number}")
                self.stack.data[self.number] = self.content - {"data"} | {"aside"}
        return Result(0, "", "")


def stand(monkeypatch: pytest.MonkeyPatch, **about: Any) -> Stack:
    """Put it in the engine's place."""
    stack = Stack(**about)
    names = [f"pipe-dev-member-{n}" for n in range(stack.known)]
    read = Source("dev", "volume", "pass", listed=stack.listed)

    def finished(there: Place, *, aside: bool) -> None:
        assert not aside
        stack.data[there.number] = there.content - {"restoring"} | {"restored"}

    monkeypatch.setattr(engine, "client", lambda: stack)
    monkeypatch.setattr(Cluster, "run", lambda cluster, *words: stack.run(cluster, *words))
    monkeypatch.setattr(Session, "outputs", lambda _: {"cluster": {"members": names}})
    monkeypatch.setattr(source, "find", lambda *_: read)
    monkeypatch.setattr(collect, "backups", lambda _: None)
    monkeypatch.setattr(run, "place", stack.place)
    monkeypatch.setattr(reached, "place", stack.place)
    monkeypatch.setattr(look, "configure", lambda *_: None)
    monkeypatch.setattr(look, "find", stack.find)
    monkeypatch.setattr(replay, "fetch", lambda *_: None)
    monkeypatch.setattr(replay, "replay", stack.replayed)
    monkeypatch.setattr(replay, "finish", finished)
    monkeypatch.setattr(members, "POLL_SECONDS", 0)
    monkeypatch.setattr(members, "MEASURE_SECONDS", 0)
    monkeypatch.setattr(backups, "READY_SECONDS", 0)
    return stack
