"""How fast backups and restores are, beside the plainest way to copy the same data: make bench-recovery OF=throughput.

One stack with one replica, whose database grows from size to size. At each, many times: a full backup; the replica
built anew from it and from the primary; and, as the floor on the same machine and the same files, ``tar | zstd`` and
``cp``. Prints a line for each size, writes bench/results/<time>-throughput.json and the table in
docs/backup-and-restore.md, unless the table there is of more rounds or more sizes.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

from bench import results
from bench.report import between, spread
from bench.scratch import ROOT, BenchError
from infra.naming import Names
from infra.paths import DATA_DIR, POSTGRES_HOME
from tests.asserts.eventually import eventually
from tests.fixtures.stacks import Stack, throw_away_stack

DOCUMENT = ROOT / "docs" / "backup-and-restore.md"
BEGIN, END = "<!-- throughput: made by `make bench-recovery OF=throughput` -->", "<!-- end of throughput -->"
HEAD = (
    "| database | `tar` to `zstd` | `cp` | full backup | restore | replica from the backup | from the primary |\n"
    "|---|---|---|---|---|---|---|"
)
MEGABYTES = (100, 500, 2000)
ROUNDS = 10
MB = 1_000_000
WAIT_SECONDS = 900
# A row of about 250 bytes, half of which compresses: an identifier that does not, and a text that does.
ROWS_OF_A_MEGABYTE = 4_000
FILL = (
    "CREATE TABLE IF NOT EXISTS public.ballast (id uuid NOT NULL, filler text NOT NULL);"
    " INSERT INTO public.ballast"
    " SELECT gen_random_uuid(), md5(n::text) || md5((n + 1)::text) || repeat(md5(n::text), 4)"
    " FROM generate_series(1, {rows}) AS n"
)
SIZE = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database"
REPLICA = "member-1"
STREAMING = f"SELECT count(*) FROM pg_stat_replication WHERE application_name = '{REPLICA}' AND state = 'streaming'"
RESTORED = re.compile(r"INFO: restore command end: completed successfully \((\d+)ms\)")
# As Patroni does it where there is no backup; the password is in the file that Patroni keeps.
FROM_PRIMARY = (
    f"PGPASSFILE=/tmp/patroni.pgpass pg_basebackup -h member-0 -U pipe_replicator -D {POSTGRES_HOME}/copy"
    f" --checkpoint=fast --wal-method=stream --no-password; status=$?; rm -rf {POSTGRES_HOME}/copy; exit $status"
)


@dataclass(frozen=True)
class Measured:
    """One round at one size: bytes, and the seconds that each way took."""

    size: int
    tar: float
    cp: float
    backup: float
    restore: float
    from_backup: float
    """From the start of an empty node until it streams: Patroni, the restore, the WAL since."""
    from_primary: float


def line(rounds: Sequence[Measured]) -> str:
    """Return the line of the table for one size: minimum, median and maximum of its rounds."""
    rates = ([one.size / MB / getattr(one, way) for one in rounds] for way in ("tar", "cp", "backup", "restore"))
    times = ([getattr(one, way) for one in rounds] for way in ("from_backup", "from_primary"))
    cells = [
        f"{median(one.size for one in rounds) / MB:.0f} MB",
        *(f"{spread(values, digits=0)} MB/s" for values in rates),
        *(f"{spread(values)} s" for values in times),
    ]
    return f"| {' | '.join(cells)} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Measures every size; returns 0."""
    parser = argparse.ArgumentParser(prog="bench.recovery.throughput", description="Measures backup and restore.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--megabytes", type=int, nargs="+", default=list(MEGABYTES))
    args = parser.parse_args(argv)
    os.chdir(ROOT)
    found: list[list[Measured]] = []
    with throw_away_stack("throughput") as stack:
        stack.prepare()
        stack.configure("database", replicas=1)
        stack.up()
        for megabytes in sorted(args.megabytes):
            _grow(stack, megabytes * MB)
            found.append([_measure(stack) for _ in range(args.rounds)])
            print(line(found[-1]), flush=True)
    file = results.keep("throughput", rounds=[asdict(one) for size in found for one in size])
    print(f"written to {file.relative_to(ROOT)}")
    document = DOCUMENT.read_text()
    if more_than(document, args.rounds, len(found)):
        print(f"{DOCUMENT.relative_to(ROOT)} stays as it is: its table is of more rounds or sizes")
        return 0
    table = "\n".join([HEAD, *map(line, found)])
    DOCUMENT.write_text(between(document, BEGIN, END, f"{table}\n\n{_made(args.rounds)}"))
    return 0


def more_than(document: str, rounds: int, sizes: int) -> bool:
    """Return whether the table of a document says more than so many rounds at so many sizes would."""
    _, _, rest = document.partition(BEGIN)
    table, _, _ = rest.partition(END)
    of = re.search(r"of (\d+) rounds?", table)
    told = int(of[1]) if of else 0
    return rounds < told or sizes < sum(row.startswith("| ") for row in table.splitlines()) - 1


def _made(rounds: int) -> str:
    return (
        f"Minimum / median / maximum of {rounds} round{'s' if rounds > 1 else ''} on {os.cpu_count()} processors,"
        f" {datetime.now(UTC):%Y-%m-%d}, caches warm: for how the ways compare, not for what a disk does."
    )


def _grow(stack: Stack, size: int) -> None:
    """Add rows until all databases together have this size, and let replica and archive catch up."""
    while (missing := size - int(stack.sql(SIZE)[0])) > MB:
        stack.sql(FILL.format(rows=min(missing, 100 * MB) // MB * ROWS_OF_A_MEGABYTE))
    stack.sql("CHECKPOINT")
    stack.sql("CHECKPOINT", REPLICA)
    (segment,) = stack.sql("SELECT pg_walfile_name(pg_switch_wal())")
    eventually(
        lambda: stack.sql("SELECT last_archived_wal FROM pg_stat_archiver")[0],
        lambda archived: archived >= segment,
        WAIT_SECONDS,
        "everything archived",
    )


def _measure(stack: Stack) -> Measured:
    size = int(stack.sql(SIZE)[0])
    stack.container(REPLICA).stop()
    tar, cp = (_seconds(partial(_copy, stack, way)) for way in ("tar", "cp"))
    stack.container(REPLICA).start()
    _wait_until_it_streams(stack)
    backup = _seconds(lambda: _run(stack, "scheduler", "pgbackrest", f"--stanza={stack.name}", "--type=full", "backup"))
    from_backup, restore = _rebuild(stack)
    from_primary = _seconds(lambda: _run(stack, REPLICA, "bash", "-c", FROM_PRIMARY))
    return Measured(size, tar, cp, backup, restore, from_backup, from_primary)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _copy(stack: Stack, way: str) -> None:
    """Copy the data directory of the replica, which stands still, into a volume that goes again."""
    image = stack.container(REPLICA).attrs["Config"]["Image"]
    target = stack.engine.volumes.create(labels=stack.container(REPLICA).labels)
    commands = {
        "tar": f"tar -C {DATA_DIR} -cf - . | zstd -q -3 -T{os.cpu_count()} -o /copy/data.tar.zst",
        "cp": f"cp -a {DATA_DIR} /copy/data",
    }
    try:
        stack.engine.containers.run(
            image,
            ["-o", "pipefail", "-c", commands[way]],
            entrypoint="/bin/bash",
            user="root",
            network_mode="none",
            remove=True,
            volumes={
                Names(stack.name).volume("member", 1): {"bind": POSTGRES_HOME, "mode": "ro"},
                target.name: {"bind": "/copy", "mode": "rw"},
            },
        )
    finally:
        target.remove()


def _rebuild(stack: Stack) -> tuple[float, float]:
    """Empty the replica's node, which takes the backup; return how long until it streams, and the restore alone."""
    node, before = stack.container(REPLICA), len(stack.logs(REPLICA))
    node.stop()
    volume = {Names(stack.name).volume("member", 1): {"bind": POSTGRES_HOME, "mode": "rw"}}
    stack.engine.containers.run(
        node.attrs["Config"]["Image"],
        ["-rf", DATA_DIR],
        entrypoint="rm",
        network_mode="none",
        remove=True,
        volumes=volume,
    )
    started = time.monotonic()
    node.start()
    _wait_until_it_streams(stack)
    seconds = time.monotonic() - started
    (milliseconds,) = RESTORED.findall(stack.logs(REPLICA)[before:])
    return seconds, int(milliseconds) / 1000


def _wait_until_it_streams(stack: Stack) -> None:
    eventually(lambda: stack.sql(STREAMING), lambda rows: rows == ["1"], WAIT_SECONDS, "the replica streams")


def _run(stack: Stack, component: str, *words: str) -> None:
    status, text = stack.execute(component, *words)
    if status:
        raise BenchError(f"{words[0]} in {component} ended with {status}:\n{text}")


if __name__ == "__main__":
    sys.exit(main())
