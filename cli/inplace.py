"""`make restore-in-place`: a stack goes back to an earlier moment; what it had stays beside until it is told to go.

The cluster stops first, so that its archive is complete: whoever went back too far can go forward again, along the
timeline that was left (TIMELINE=). Nothing is thrown away before OLD=remove.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli import containers, engine, restore, source, up
from cli.errors import UserError
from cli.session import Session
from cli.source import Source
from cli.status import collect
from infra import repositories
from infra.naming import Names
from infra.paths import CA_FILE, CERT_FILE, ETCD_CLIENT_PORT, KEY_FILE, POSTGRES_HOME
from provider.config import Config
from provider.errors import PipeError
from provider.pgbackrest.run import Container, Result
from provider.resource import Context
from provider.restore import look, replay
from provider.restore.moments import Target, parse_lsn, parse_time
from provider.restore.place import Site, place, shell
from provider.restore.restore import PROCESSES
from provider.runtime import Cancellation, Reporter
from provider.sql.connection import Database

WORDS = ("AT", "NAME", "LSN", "TIMELINE", "REPOSITORY", "OLD")
STOP_SECONDS = 130
READY_SECONDS = 600
_POLL_SECONDS = 0.5
_OLD = f"{POSTGRES_HOME}/data-before-"
# pgBackRest's: archiving just began again; another command holds the lock for a moment.
_NOT_YET = frozenset({50, 55, 56, 82, 87})


class Teller(Reporter):
    """Says on the terminal what a provider would tell the engine."""

    def __init__(self) -> None:
        super().__init__(None)

    def progress(self, urn: str, message: str) -> None:
        """Say it, and go on."""
        print(f"  {message}", flush=True)


@dataclass(frozen=True)
class Cluster:
    """A stack's containers, by name, and how commands run in them."""

    session: Session
    context: Context
    api: Any
    members: tuple[str, ...]

    @classmethod
    def of(cls, session: Session) -> Cluster:
        api = engine.client()
        labels = [f"{engine.LABEL}={session.stack}", f"{containers.COMPONENT}=member"]
        # The carriers of configuration have the label too, and never ran.
        found = api.containers(all=True, filters={"label": labels})
        names = sorted(containers.name_of(one) for one in found if one["State"] != "created")
        if not names:
            raise UserError(f'stack "{session.stack}" has no members', f"`make up STACK={session.stack}` makes them.")
        config, cancellation = Config({}), Cancellation()
        context = Context("", config, Database(config, cancellation), Teller(), cancellation)
        return cls(session, context, api, tuple(names))

    @property
    def names(self) -> Names:
        return Names(self.session.stack)

    def run(self, component: str, *command: str) -> Result:
        return Container(self.context, self.names.container(component), None, command[0]).run(list(command[1:]))

    def site(self, index: int, repository: str | None = None) -> Site:
        """The throw-away container on a member's volume; `repository` is what it is to read."""
        names, known = self.names, self.api.inspect_container(self.members[0])
        volumes = (names.volume("repository", None, "archive"), names.volume("repository", None, "backup"))
        return Site(
            container=names.container("restore"),
            image=str(known["Config"]["Image"]),
            labels=names.labels("restore"),
            repository=volumes if repository == source.VOLUME else None,
            data=names.volume("member", index),
            memory_mb=int(known["HostConfig"]["Memory"]) // (1024 * 1024),
            network=names.network if repository in source.PLACES else "none",
        )

    def rows(self) -> list[dict[str, Any]]:
        """The members as Patroni lists them; none when none answers."""
        for member in self.members:
            try:
                result = Container(self.context, member, None, "patronictl").run(
                    ["-c", "/etc/pipe/patroni.yml", "list", "-f", "json"]
                )
            except PipeError:
                continue
            if result.code == 0:
                return list(json.loads(result.stdout))
        return []


def run(session: Session, words: Sequence[str]) -> int:
    """Take the stack back, or remove what it had before."""
    wanted = parse(words)
    cluster = Cluster.of(session)
    with up.alone(session):
        try:
            if "old" in wanted:
                return _remove_old(cluster)
            return _restore(cluster, _target(wanted), wanted.get("repository"))
        except PipeError as error:
            raise UserError(error.message, " ".join(error.hints)) from None


def parse(words: Sequence[str]) -> dict[str, str]:
    """Return what was asked for by its lower-case name. Raises UserError when something else was."""
    wanted = dict(word.split("=", 1) for word in words if "=" in word)
    for key, value in wanted.items():
        if key in WORDS and not value:
            # An unset variable of a shell must not mean: to the end of the archive.
            raise UserError(f'"{key}=" says nothing to a restore in place', "give it a value, or leave it out.")
    fits = wanted.keys() <= set(WORDS) and len(wanted) == len(words)
    targets = [key for key in ("AT", "NAME", "LSN") if key in wanted]
    if not fits or not wanted or len(targets) > 1 or ("OLD" in wanted and wanted != {"OLD": "remove"}):
        raise UserError(
            "a restore in place takes one of AT=, NAME= and LSN=, with or without TIMELINE= and REPOSITORY=; or "
            "OLD=remove alone",
            "for example: make restore-in-place STACK=dev AT='2026-05-01 12:00:00+09'.",
        )
    found = {key.lower(): value for key, value in wanted.items()}
    restore.check_repository(found)
    return found


def leads(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether one of the members as `patronictl list` has them leads."""
    return any((row["Role"], row["State"]) == ("Leader", "running") for row in rows)


def all_follow(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether one member leads and each of the others follows.

    One that lies behind on purpose first applies what it has, and that takes as long as its delay.
    """
    followers = [row for row in rows if row["Role"] != "Leader"]
    return leads(rows) and all(
        row["State"] == "streaming"
        or (row["State"] == "in archive recovery" and (row.get("Tags") or {}).get("nofailover"))
        for row in followers
    )


def _target(wanted: Mapping[str, str]) -> Target:
    at, lsn = wanted.get("at"), wanted.get("lsn")
    moment, position = (parse_time(at) if at else None), (parse_lsn(lsn) if lsn else None)
    if at and moment is None:
        raise UserError(f'AT "{at}" is no time with its offset from UTC', "for example AT='2026-05-01 12:00:00+09'.")
    if lsn and position is None:
        raise UserError(f'LSN "{lsn}" is no position in the WAL', "for example LSN=0/5000028.")
    timeline = wanted.get("timeline")
    if timeline and not timeline.isdecimal():
        raise UserError(f'TIMELINE "{timeline}" is no number', "for example TIMELINE=1.")
    return Target(moment, wanted.get("name"), position, int(timeline) if timeline else None)


def _restore(cluster: Cluster, target: Target, repository: str | None) -> int:
    stack = cluster.session.stack
    read = source.find(cluster.session, stack, repository)
    source.refuse_unreached(
        read, "REPOSITORY=volume reads the volume." if source.VOLUME in read.listed else "then try again."
    )
    with place(cluster.context, cluster.site(0, read.repository)) as there:
        look.configure(there, _whose(read))
        look.find(cluster.context, there, _whose(read), target)
    print(f'stack "{stack}" stops and goes back to {target.words}')
    _stop(cluster)
    try:
        _make(cluster, read, target)
    except BaseException:
        # Nothing was put in the data's place yet: the cluster goes on as it was.
        _start(cluster, cluster.members)
        raise
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for index in range(len(cluster.members)):
        with place(cluster.context, cluster.site(index)) as there:
            script = 'if [ -e "$0/data" ]; then mv -T "$0/data" "$1"; fi'
            there.must("setting the present data aside", *shell([script, POSTGRES_HOME, f"{_OLD}{stamp}"]))
    _forget(cluster)
    first, *others = cluster.members
    _start(cluster, [first])
    _wait(cluster, leads, "the restored member to lead")
    _back_up(cluster, source.first_to_answer(read, collect.backups(cluster.names.container("scheduler"))))
    _start(cluster, others)
    _wait(cluster, lambda rows: len(rows) == len(cluster.members) and all_follow(rows), "every member")
    print(
        f'\nstack "{stack}" is at {target.words}, on a timeline of its own\n'
        f"finish      make up STACK={stack} ARGS=--refresh   (passwords and migrations of today)\n"
        f"go back     make restore-in-place STACK={stack} TIMELINE=<the one before>\n"
        f"remove old  make restore-in-place STACK={stack} OLD=remove   ({_OLD}{stamp} of each member)"
    )
    return 0


def _whose(read: Source) -> look.Source:
    return look.Source(read.stack, read.passphrase, PROCESSES, *repositories.to_read(read.settings))


def _make(cluster: Cluster, read: Source, target: Target) -> None:
    """Restore beside the present data. What an interrupted run left is not trusted."""
    context, whose = cluster.context, _whose(read)
    with place(context, cluster.site(0, read.repository)) as there:
        replay.clear(there)
        replay.discard(there)
        look.configure(there, whose)
        backup, exact = look.find(context, there, whose, target)
        replay.fetch(context, there, whose, backup)
        replay.replay(context, there, whose, exact, pause=False)
        replay.finish(there, aside=False)


def _stop(cluster: Cluster) -> None:
    """Stop the replicas, then the leader: nobody takes over, and all WAL is archived."""
    leaders = {row["Member"] for row in cluster.rows() if row["Role"] == "Leader"}
    for member in sorted(cluster.members, key=lambda name: name.removeprefix(f"{cluster.names.network}-") in leaders):
        print(f"  stops {member}", flush=True)
        cluster.api.stop(member, timeout=STOP_SECONDS)


def _start(cluster: Cluster, members: Sequence[str]) -> None:
    for member in members:
        cluster.api.start(member)


def _forget(cluster: Cluster) -> None:
    """Have etcd forget the cluster's state, but not its settings: a member may lead only what it knows to be newest."""
    scope = f"/service/{cluster.session.stack}/"
    command = (
        "etcdctl",
        f"--endpoints=https://etcd-0:{ETCD_CLIENT_PORT}",
        f"--cacert={CA_FILE}",
        f"--cert={CERT_FILE}",
        f"--key={KEY_FILE}",
    )
    listed = cluster.run("etcd-0", *command, "get", "--prefix", "--keys-only", scope)
    for key in filter(None, listed.stdout.split()):
        if key != f"{scope}config":
            listed = cluster.run("etcd-0", *command, "del", key)
    if listed.code:
        raise PipeError(f"etcd does not forget the cluster: {listed.error}", "run the same command again")


def _wait(cluster: Cluster, reached: Callable[[Sequence[Mapping[str, Any]]], bool], what: str) -> None:
    print(f"  waits for {what}", flush=True)
    deadline = time.monotonic() + READY_SECONDS
    while not reached(rows := cluster.rows()):
        if time.monotonic() > deadline:
            states = {row["Member"]: (row["Role"], row["State"]) for row in rows}
            raise PipeError(f"waited {READY_SECONDS} s for {what}; the members are: {states}", "see the members' logs")
        time.sleep(_POLL_SECONDS)


def _back_up(cluster: Cluster, number: int) -> None:
    """Take a full backup into a repository: replicas are made from its newest, which must be of this timeline."""
    print(f"  takes a full backup into repository {number}", flush=True)
    words = (f"--repo={number}", "--type=full")
    command = ("pgbackrest", f"--stanza={cluster.session.stack}", *words, "--log-level-console=off", "backup")
    deadline = time.monotonic() + READY_SECONDS
    while (result := cluster.run("scheduler", *command)).code:
        if result.error_code not in _NOT_YET or time.monotonic() > deadline:
            raise PipeError(
                f"the restored member leads, but its full backup failed: {result.error}",
                f"take it with bin/pgbackrest {' '.join(words)} backup, then start the other members: docker start …",
            )
        time.sleep(_POLL_SECONDS)


def _remove_old(cluster: Cluster) -> int:
    for member in cluster.members:
        listed = Container(cluster.context, member, None, "sh").run(["-c", f"du -shc {_OLD}* 2>/dev/null"])
        for line in listed.stdout.splitlines()[:-1]:
            size, _, folder = line.partition("\t")
            print(f"  removes {size} of {member}: {folder}")
        done = Container(cluster.context, member, None, "sh").run(["-c", f"rm -rf {_OLD}*"])
        if done.code:
            raise PipeError(f'the old data of "{member}" cannot be removed: {done.error}')
    print(f'the old data of stack "{cluster.session.stack}" is removed')
    return 0
