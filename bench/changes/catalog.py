"""Every kind of change that `pulumi up` makes to a running stack, and what it does to whom."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bench.scratch import copy
from tests import timeouts
from tests.fixtures.stacks import Stack

EVERYTHING = frozenset({"agent", "etcd", "member", "proxy", "repository", "scheduler"})
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """A kind of change. `make` writes that of the round with this number, from 1, into the stack's file."""

    key: str
    title: str
    make: Callable[[Stack, int], None]
    then: str
    """What happens, for docs/changes.md."""
    replaced: frozenset[str] = NOTHING
    """The components whose containers are replaced."""
    moves: bool = False
    """Whether another member leads afterwards."""
    up: Callable[[Stack], object] = Stack.up
    preview: str = ""
    """What the preview says beside the resources that change."""


def _set(section: str, key: str, first: int, step: int = 1) -> Callable[[Stack, int], None]:
    """Return what counts a setting up from round to round."""
    return lambda stack, number: stack.configure(section, **{key: first + step * number})


def _parameter(name: str, value: Callable[[int], Any]) -> Callable[[Stack, int], None]:
    """Return what sets one parameter of PostgreSQL and leaves the others."""

    def make(stack: Stack, number: int) -> None:
        config = yaml.safe_load(stack.file.read_text())["config"]
        others = config.get("pipe:database", {}).get("parameters", {})
        stack.configure("database", parameters={**others, name: value(number)})

    return make


def _from_a_copy(stack: Stack) -> None:
    """Run `up` from a copy of the checkout whose images all differ from this one's by a comment."""
    with tempfile.TemporaryDirectory(prefix="pipe-changes-") as folder:
        checkout = Path(folder) / "checkout"
        copy(checkout)
        (checkout / "stacks" / stack.file.name).write_bytes(stack.file.read_bytes())
        dockerfile = checkout / "images" / "Dockerfile"
        dockerfile.write_text(dockerfile.read_text().replace("\nENTRYPOINT", "\n# another image\nENTRYPOINT"))
        replace(stack, root=checkout).pulumi("up", "--yes", "--skip-preview", timeout=timeouts.UP)


CHANGES = (
    Change(
        "reload",
        "a parameter that PostgreSQL reloads",
        _parameter("work_mem", lambda number: f"{4096 + number}kB"),
        "Patroni writes it on every member, PostgreSQL reloads",
        preview="the parameters' names",
    ),
    Change(
        "restart",
        "a parameter that takes a restart, with `database.restart: rolling`",
        _parameter("max_locks_per_transaction", lambda number: 128 + number),
        "replicas restart one by one; the leader hands over, which starts it anew as a replica",
        moves=True,
        preview="that each member restarts, for which parameters",
    ),
    Change(
        "lowered",
        "one of the limits that replicas share with the leader, lowered",
        _parameter("max_locks_per_transaction", lambda _: 128),
        "the leader restarts where it is, since no replica may have less before it has; then the replicas",
        preview="a warning that nobody writes until the leader is back",
    ),
    Change(
        "memory",
        "`database.memory_mb` raised",
        _set("database", "memory_mb", 320, 16),
        "every container gets its limit in place; then as for a parameter that takes a restart",
        moves=True,
        preview="as above",
    ),
    Change(
        "processors",
        "what is fixed in a member's container, as `database.cpus`",
        lambda stack, number: stack.configure("database", cpus=1 - number / 100),
        "replicas are replaced one by one; the leader hands over and is replaced last; each finds its data",
        replaced=frozenset({"member"}),
        moves=True,
        preview="who leads, and that it comes last",
    ),
    Change(
        "image",
        "another image of every program, as after a minor release",
        lambda _stack, _number: None,
        "etcd one by one, then members as above; at the same time proxies one by one, and what backups are made with",
        replaced=EVERYTHING,
        moves=True,
        up=_from_a_copy,
        preview="who leads, and that it comes last",
    ),
    Change(
        "image-back",
        "the image from before",
        lambda _stack, _number: None,
        "the same",
        replaced=EVERYTHING,
        moves=True,
        preview="the same",
    ),
    Change(
        "proxy",
        "HAProxy's settings",
        _set("proxy", "max_connections", 100),
        "proxies are replaced one by one; clients find the other one in their connection string",
        replaced=frozenset({"proxy"}),
    ),
    Change(
        "etcd",
        "etcd's settings",
        _set("consensus", "memory_mb", 128),
        "every container gets its limit in place",
    ),
    Change(
        "certificates",
        "certificates renewed",
        _set("certificates", "validity_days", 90),
        "the new ones are put in place, and each program reads them",
        preview="the certificates",
    ),
    Change(
        "password",
        "the application's password, with `credentials.app_overlap`",
        lambda stack, number: stack.configure("credentials", app=number, app_overlap=True),
        "the other login gets a password; sessions go on",
    ),
    Change(
        "replica-added",
        "one replica more",
        lambda stack, _: stack.configure("database", replicas=2),
        "it is copied from a backup and streams; proxies and the repository learn of it by being replaced, one by one",
        replaced=frozenset({"proxy", "repository", "scheduler"}),
    ),
    Change(
        "replica-removed",
        "one replica less",
        lambda stack, _: stack.configure("database", replicas=1),
        "if it leads it hands over first; the cluster forgets it, its volume goes",
        replaced=frozenset({"proxy", "repository", "scheduler"}),
    ),
)
