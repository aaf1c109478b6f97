"""Making the cluster: a backup restored, WAL replayed up to the target, and what becomes of it then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from provider import engine
from provider.errors import PipeError
from provider.resource import Context
from provider.restore.kept import Backup
from provider.restore.look import RESTORING, Source
from provider.restore.moments import Target, lsn_text, shown
from provider.restore.place import HOME, Place, shell

RESTORED = f"{HOME}/restored"
"""Complete, and not in its place yet: the member moves it there when it starts."""
# What RESTORING was begun from, so that a restore that paused goes on where it is.
_BEGUN = f"{HOME}/restoring.from"
_SIGNAL = f"{RESTORING}/recovery.signal"
_SETTINGS, _LOG = "/tmp/postgresql.conf", "/tmp/postgresql.log"
# What is in memory goes to the disk, however slow that is.
_STOP = ("pg_ctl", "-D", RESTORING, "-m", "fast", "-w", "-t", "3600", "stop")
_POLL_SECONDS = 0.2
_ASIDE = Path(__file__).with_name("aside.sql")
# A standby must have room for what the primary may do; each as pg_controldata calls it.
_AT_LEAST = {
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}
_STATE = """
SELECT
    CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() ELSE 'promoted' END,
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
"""
# That a segment is not there (1) ends a recovery, at the archive's end. Any other failure must not: 255 stops the
# server.
# What was fetched ahead may be what failed, so the segment itself is asked for once more.
_GET = (
    'get="pgbackrest --stanza={stanza}"; $get archive-get %f "%p"; s=$?;'
    ' [ $s -le 1 ] || {{ $get --no-archive-async archive-get %f "%p"; s=$?; }}; [ $s -le 1 ] || s=255; exit $s'
)
_OVERSHOT = "before consistent recovery point"


class Overshot(PipeError):
    """What was replayed already lies behind the target."""


Sizes = Mapping[str, int]
"""The parameters that a standby must have at least as large as its primary."""


def sizes(controldata: str, before: Sizes) -> Sizes:
    """Return what WAL asked for until now: the sizes that ``pg_controldata`` shows, none smaller than before."""
    found = dict(re.findall(r"^([a-z_ ]+):\s+(\d+)$", controldata, re.MULTILINE))
    shown_now = {name: int(found[label]) for name, label in _AT_LEAST.items() if label in found}
    return {name: max(value, before.get(name, 0)) for name, value in shown_now.items()}


def settings(least: Sizes, source: Source, target: Target, *, pause: bool) -> str:
    """Render the configuration under which WAL is replayed: reached by nobody, nothing preloaded, archiving nothing.

    Archiving is on without a command, as on a cluster's first boot: what is written after the recovery waits for the
    archive that the cluster is going to have.
    """
    lines = {
        "data_directory": RESTORING,
        "hba_file": "/tmp/pg_hba.conf",
        "listen_addresses": "",
        "unix_socket_directories": f"{HOME}/run",
        "archive_mode": "on",
        "archive_command": "",
        "hot_standby": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_error_statement": "panic",
        "restore_command": _GET.format(stanza=source.stack),
        "recovery_target_timeline": str(target.timeline or "latest"),
        "recovery_target_action": "pause" if pause else "promote",
        **{name: str(value) for name, value in least.items()},
    }
    if target.at is not None:
        lines["recovery_target_time"] = shown(target.at)
    elif target.lsn is not None:
        lines["recovery_target_lsn"] = lsn_text(target.lsn)
    return "".join(f"{name} = '{value}'\n" for name, value in lines.items())


def fetch(context: Context, place: Place, source: Source, backup: Backup, target: Target) -> None:
    """Restore the backup, unless a restore of the same one paused here: then it goes on from there."""
    # No server runs here yet: what says so is left of one that was killed, and pgBackRest would refuse to go on.
    place.must("clearing the way", "rm", "-f", f"{RESTORING}/postmaster.pid")
    # What was promoted already has reached its end, and cannot go on to another target.
    paused = 'test "$(cat "$0")" = "$1" && test -e "$2"'
    if place.run(*shell([paused, _BEGUN, _origin(source, backup, target), _SIGNAL])).code == 0:
        context.progress(f"goes on with backup {backup.label}")
        return
    context.progress(f"restores backup {backup.label}")
    script = 'rm -f "$0"; mkdir -p -m 0700 "$1" "$2/run" "$2/spool"'
    place.must("making room for the restore", *shell([script, _BEGUN, RESTORING, HOME]))
    place.must(
        f"restoring backup {backup.label}",
        *("pgbackrest", f"--stanza={source.stack}", f"--set={backup.label}", "--type=none", "--delta", "restore"),
    )
    # Patroni's memory of the other cluster's settings, which name that cluster's archive.
    place.must("clearing the restored folder", "rm", "-f", f"{RESTORING}/patroni.dynamic.json")
    place.must("asking for a recovery", "touch", _SIGNAL)
    place.write(_BEGUN, _origin(source, backup, target))


def replay(context: Context, place: Place, source: Source, target: Target, *, pause: bool) -> str:
    """Replay WAL up to the target and return the position reached; afterwards the server has promoted or pauses.

    Where the source got larger sizes, a server with the smaller ones stops or pauses, and goes on with those.

    :raises Overshot: a restore that went on has replayed more than that already.
    """
    least = _sizes(place, {})
    while True:
        place.write(_SETTINGS, settings(least, source, target, pause=pause))
        place.write("/tmp/pg_hba.conf", "local all postgres peer\n")
        # It starts within a moment, but answers only when the backup is consistent, which may take long.
        place.run(*shell([f"pg_ctl -D $0 -o '-c config_file={_SETTINGS}' -l {_LOG} -t 1 start >/dev/null", RESTORING]))
        position = _reached(context, place, target, least, pause=pause)
        if position is not None:
            return position
        context.progress("goes on with the larger sizes that the source was given then")
        if place.run("pg_ctl", "-D", RESTORING, "status").code == 0:
            place.must("stopping the restored server", *_STOP)
        place.must("forgetting what was said", "rm", "-f", _LOG)
        least = _sizes(place, least)


def _reached(context: Context, place: Place, target: Target, least: Sizes, *, pause: bool) -> str | None:
    """Wait for the target and return the position; None once WAL asks for larger sizes than the server has."""
    seen = ""
    while True:
        result = place.run("psql", "-XAtq", "-d", "postgres", "-c", _STATE)
        stopped = bool(result.code and place.run("pg_ctl", "-D", RESTORING, "status").code)
        state, position = result.stdout.strip().split("|") if result.code == 0 else ("starting", "")
        # What is asked for is in the control file before the server stops or pauses for it.
        if (stopped or state == "paused") and _sizes(place, least) != least:
            return None
        if stopped:
            raise _stopped(place, target)
        if state == "promoted" or (state == "paused" and pause):
            return position
        if position != seen:
            seen = position
            context.progress(f"replays WAL up to {target.words}: at {position}")
        context.cancellation.pause(_POLL_SECONDS, "replaying WAL")


def _sizes(place: Place, before: Sizes) -> Sizes:
    return sizes(place.must("reading the restored control file", "pg_controldata", RESTORING), before)


def _stopped(place: Place, target: Target) -> PipeError:
    """Return why the server is not there: its own last words."""
    words = engine.telling(place.run("cat", _LOG).stdout.splitlines())
    kind = Overshot if _OVERSHOT in words else PipeError
    return kind(
        f"replaying WAL up to {target.words} failed: {words.rpartition('FATAL:')[2].strip() or 'the server stopped'}",
        "see what the repository keeps: bin/pgbackrest info",
    )


def clear(place: Place) -> None:
    """Remove what an earlier run completed and nobody took: it may have had another target."""
    place.must("clearing the way", "rm", "-rf", RESTORED)


def discard(place: Place) -> None:
    """Have the next restore begin anew, with what is there as far as it fits."""
    place.must("discarding what was replayed", "rm", "-f", _BEGUN)


def finish(place: Place, *, aside: bool) -> None:
    """Stop the server in order and leave the folder complete; `aside`: for a stack with roles of its own."""
    if aside:
        place.write("/tmp/aside.sql", _ASIDE.read_text(encoding="utf-8"))
        place.must(
            "setting the source's roles and database aside",
            *("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", "/tmp/aside.sql"),
        )
    place.must("stopping the restored server", *_STOP)
    script = 'rm -f "$0"; rm -rf "$1"/spool/*; mv -T "$2" "$3"; sync "$3"'
    place.must("completing the restored folder", *shell([script, _BEGUN, HOME, RESTORING, RESTORED]))


def _origin(source: Source, backup: Backup, target: Target) -> str:
    # What was replayed along one timeline cannot go on along another.
    return f"{source.stack} {backup.label} {target.timeline}"
