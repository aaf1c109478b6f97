"""Taking a stack back, step by step; everything that can be refused is refused before anything stops.

The cluster stops first, so that its archive is complete: whoever went back too far can go forward again, along the
timeline that was left (TIMELINE=). Nothing is thrown away before OLD=remove.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cli import source, up
from cli.errors import UserError
from cli.inplace import backups, members, obstacles, reached, store, words
from cli.inplace.cluster import Cluster
from cli.session import Session
from cli.source import Source
from infra import repositories
from infra.paths import DATA_DIR, POSTGRES_HOME, SPOOL_DIR
from provider.errors import PipeError
from provider.restore import look, replay, room
from provider.restore.kept import Backup
from provider.restore.moments import Target
from provider.restore.place import place, shell
from provider.restore.restore import PROCESSES

STOP_SECONDS = 130
_OLD = f"{POSTGRES_HOME}/data-before-"
# Whole segments that wait to be archived; history files and the like are in the way of nobody.
_UNARCHIVED = """
cd "$0/pg_wal/archive_status" 2>/dev/null || exit 0
ls | grep -E '^[0-9A-F]{24}[.]ready$' | cut -c 1-24
"""


@dataclass(frozen=True)
class Plan:
    """What was found before the stop, and is done afterwards without looking again."""

    read: Source
    target: Target
    backup: Backup
    exact: Target
    """The target as PostgreSQL is to be told it."""
    whole: bool
    """Whether the first member has data; it has none where an interrupted run set it aside."""


def run(session: Session, asked: Sequence[str]) -> int:
    """Take the stack back, or remove what it had before."""
    import docker
    import requests

    wanted = words.parse(asked)
    target = words.target(wanted)
    with up.alone(session):
        cluster = Cluster.of(session)
        try:
            if "old" in wanted:
                return _remove_old(cluster)
            return _restore(cluster, target, wanted.get("repository"))
        except PipeError as error:
            raise UserError(error.message, " ".join(error.hints)) from None
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise UserError(f"Docker's engine does not do it: {error}", "run the same command again.") from None


def _restore(cluster: Cluster, target: Target, repository: str | None) -> int:
    stack = cluster.session.stack
    if before := reached.read(cluster, target):
        # Going back once more would set aside what was written since.
        print(f'stack "{stack}" went back to {target.words} at {before.stamp}: what was interrupted then goes on')
        return _finish(cluster, target, _source(cluster, repository), before)
    plan = _look(cluster, target, repository)
    print(f'stack "{stack}" stops and goes back to {target.words}')
    try:
        _stop(cluster)
        _make(cluster, plan)
        # Hours may have passed; while the data is where it was, all can go on as it was.
        store.require(cluster)
    except BaseException:
        _go_on(cluster, plan)
        raise
    now = reached.Reached(datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), plan.backup.size_mb)
    _exchange(cluster, now.stamp)
    reached.note(cluster, target, now)
    return _finish(cluster, target, plan.read, now)


def _finish(cluster: Cluster, target: Target, read: Source, at: reached.Reached) -> int:
    """Have the restored member lead, and make backups and the other members from it. Repeated, it goes on."""
    stack = cluster.session.stack
    first, *others = cluster.members.values()
    _start(cluster, [first])
    members.wait_for_leader(cluster)
    taken = backups.of_replicas(cluster, read)
    _start(cluster, others)
    late = _wait(cluster, at.size_mb)
    lacking = backups.of_others(cluster, read, taken)
    reached.forget(cluster)
    print(
        f'\nstack "{stack}" is at {target.words}, on a timeline of its own\n'
        f"finish      make up STACK={stack} ARGS=--refresh   (passwords and migrations of today)\n"
        f"go back     make restore-in-place STACK={stack} TIMELINE=<the one before>\n"
        f"remove old  make restore-in-place STACK={stack} OLD=remove   ({_OLD}{at.stamp} of each member)"
    )
    print("\n".join(lacking), end="\n" if lacking else "")
    if late:
        raise late
    return 0


def _look(cluster: Cluster, target: Target, repository: str | None) -> Plan:
    """Refuse what cannot be done, and find once what is to be done: a restore point may be far back in the WAL."""
    stack = cluster.session.stack
    read = _source(cluster, repository)
    known = cluster.session.outputs().get("cluster") or {}
    obstacles.refuse_missing(stack, cluster.members, known.get("members") or ())
    store.require(cluster)
    backups.require(cluster)
    with place(cluster.context, cluster.site(0, read.repository)) as there:
        look.configure(there, _whose(read))
        backup, exact = look.find(cluster.context, there, _whose(read), target)
        if cluster.session.environ.get(room.ALLOW) != "1":
            obstacles.refuse_full(stack, room.free_mb(there), backup.size_mb, len(cluster.members))
        whole = there.run("test", "-e", f"{DATA_DIR}/PG_VERSION").code == 0
    return Plan(read, target, backup, exact, whole)


def _source(cluster: Cluster, repository: str | None) -> Source:
    """Return the stack's own repository, or the one that was named."""
    read = source.find(cluster.session, cluster.session.stack, repository)
    source.refuse_unreached(
        read, "REPOSITORY=volume reads the volume." if source.VOLUME in read.listed else "then try again."
    )
    return read


def _whose(read: Source) -> look.Source:
    return look.Source(read.stack, read.passphrase, PROCESSES, *repositories.to_read(read.settings))


def _make(cluster: Cluster, plan: Plan) -> None:
    """Restore beside the present data. What an interrupted run left is not trusted."""
    context, whose = cluster.context, _whose(plan.read)
    with place(context, cluster.site(0, plan.read.repository)) as there:
        replay.clear(there)
        replay.discard(there)
        look.configure(there, whose)
        replay.fetch(context, there, whose, plan.backup, plan.exact)
        replay.replay(context, there, whose, plan.exact, pause=False)
        replay.finish(there, aside=False)


def _stop(cluster: Cluster) -> None:
    """Stop the replicas, then the leader: nobody takes over, and all WAL is archived."""
    prefix = f"{cluster.names.network}-"
    leaders = {row["Member"] for row in cluster.rows() if row["Role"] == "Leader"}
    for member in sorted(cluster.members.values(), key=lambda name: name.removeprefix(prefix) in leaders):
        print(f"  stops {member}", flush=True)
        cluster.api.stop(member, timeout=STOP_SECONDS)


def _start(cluster: Cluster, names: Sequence[str]) -> None:
    for name in names:
        cluster.api.start(name)


def _go_on(cluster: Cluster, plan: Plan) -> None:
    """Have the cluster go on as it was: nothing was put in the data's place yet."""
    try:
        with place(cluster.context, cluster.site(0)) as there:
            # It may be what filled the disk, and then nothing would start beside it.
            replay.clear(there)
            replay.discard(there)
            fetched = f"{SPOOL_DIR}/archive/{cluster.session.stack}/in"
            there.must("removing the half copy", "rm", "-rf", look.RESTORING, fetched)
    except PipeError as error:
        volume = cluster.names.volume("member", 0)
        print(f'  the half copy stays in volume "{volume}" ({look.RESTORING}): {error.message}', flush=True)
    if plan.whole:
        print("  starts every member as it was", flush=True)
        for name in cluster.members.values():
            _start_again(cluster, name)
    else:
        # Started without data, the first member would begin with an empty database.
        print(f"  the members stay stopped: an interrupted run has set their data aside ({_OLD}…)", flush=True)


def _start_again(cluster: Cluster, name: str) -> None:
    """Start a member that may still be about to stop, which it goes on to do whoever waits for it."""
    import docker
    import requests

    try:
        cluster.api.stop(name, timeout=STOP_SECONDS)
        cluster.api.start(name)
    except (docker.errors.DockerException, requests.RequestException) as error:
        print(f"  {name} does not start: {error}", flush=True)


def _exchange(cluster: Cluster, stamp: str) -> None:
    """Set the present data of every member aside, and have etcd forget whom it belonged to."""
    script = 'if [ -e "$0" ]; then mv -T "$0" "$1"; fi'
    where = f"the members stay stopped, what they had is in {_OLD}{stamp}"
    try:
        for number in cluster.members:
            with place(cluster.context, cluster.site(number)) as there:
                if waiting := there.run(*shell([_UNARCHIVED, DATA_DIR])).stdout.split():
                    print(
                        f"  {len(waiting)} WAL files of member-{number} are not in every repository, the first is "
                        f"{waiting[0]}: without them nobody goes forward to the end; they stay in {_OLD}{stamp}",
                        flush=True,
                    )
                there.must("setting the present data aside", *shell([script, DATA_DIR, f"{_OLD}{stamp}"]))
        store.forget(cluster)
    except KeyboardInterrupt:
        print(f"  {where}; run the same command again: it begins anew and goes on to the end", flush=True)
        raise
    except PipeError as error:
        raise PipeError(
            f"{error.message}; {where}",
            *(f"{hint};" for hint in error.hints),
            "when the cause is gone, run the same command again: it begins anew and goes on to the end",
        ) from None


def _wait(cluster: Cluster, size_mb: int) -> PipeError | None:
    """Return what became of members that do not follow: the other repositories are to have their backups all the same.

    That waits until all follow, or a backup would wait for a replica that is not there yet.
    """
    try:
        members.wait_for_followers(cluster, size_mb)
    except PipeError as error:
        return error
    return None


def _remove_old(cluster: Cluster) -> int:
    rows = cluster.rows()
    if len(rows) != len(cluster.members) or not members.all_follow(rows):
        stack = cluster.session.stack
        raise PipeError(
            f'the old data of stack "{stack}" stays: it may be all that there is while not every member serves',
            f"see what is wrong with `make status STACK={stack}`, and run this again when all is well",
        )
    for member in cluster.members.values():
        listed = cluster.run(member, "sh", "-c", f"du -shc {_OLD}* 2>/dev/null")
        for line in listed.stdout.splitlines()[:-1]:
            size, _, folder = line.partition("\t")
            print(f"  removes {size} of {member}: {folder}")
        done = cluster.run(member, "sh", "-c", f"rm -rf {_OLD}*")
        if done.code:
            raise PipeError(f'the old data of "{member}" cannot be removed: {done.error}')
    # Whoever finished an interrupted restore by hand has said now that it is over.
    reached.forget(cluster)
    print(f'the old data of stack "{cluster.session.stack}" is removed')
    return 0
