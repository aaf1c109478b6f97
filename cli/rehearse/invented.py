"""A rehearsal without a backup: the schema as the stack has it now, and rows that are made up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path

import psycopg

from cli import containers, engine
from cli.database import TABLES
from cli.errors import UserError
from cli.rehearse.copy import Copy
from cli.seed.load import load
from cli.seed.shape import SIZES, Shape
from cli.status import collect
from infra.access.matrix import DATABASE
from infra.paths import POSTGRES_HOME

# With its roles and their passwords, and what migrations and jobs have noted; without a row of anybody's.
GLOBALS = ("pg_dumpall", "--globals-only")
SCHEMA = ("pg_dump", "--create", "--exclude-table-data=pipe.*", "--exclude-table-data=archive.*", DATABASE)
# The superuser is there already.
OWN_ROLE = b"CREATE ROLE postgres;\n"
# What a restored backup gets from its own container.
WITHIN = Path("images", "drill", "within.sql")


def has_no_backup(stack: str) -> bool:
    """Return whether the stack's repositories answer, and hold no backup without an error.

    Raises UserError where none is found and a repository does not answer: what it holds is not known.
    """
    info = collect.backups(containers.name_of(containers.running(engine.client(), stack, "scheduler")[0]))
    if info is None or any(not backup.get("error") for stanza in info for backup in stanza.get("backup") or []):
        return False
    if silent := collect.silent(info):
        number, reason = next(iter(silent.items()))
        raise UserError(
            f'repository {number} of stack "{stack}" does not answer: {reason}',
            f"see `STACK={stack} bin/pgbackrest info`; made-up rows are for a stack that has no backup.",
        )
    return True


def size(asked: str | None) -> int:
    """Return how many runs are made up. Raises UserError that lists the sizes."""
    if asked and asked not in SIZES:
        raise UserError(f'there is no size "{asked}"', f"SIZE is one of {', '.join(SIZES)}.")
    return SIZES[asked or "small"]


def fill(stack: str, root: Path, target: Copy, migrator: str, runs: int) -> int:
    """Give the empty copy the stack's schema and the rows of `make seed`; returns how large it is, in bytes.

    :param root: the checkout.
    :param migrator: how the migrator reaches the copy.
    """
    member = containers.name_of(containers.running(engine.client(), stack, "member")[0])
    script = [
        _ran(member, GLOBALS).replace(OWN_ROLE, b""),
        _ran(member, SCHEMA),
        (root / WITHIN).read_bytes(),
    ]
    words = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", f"--host={POSTGRES_HOME}/run", "--dbname=postgres"]
    _ran(target.container, words, b"\n".join(script))
    until = datetime.combine(datetime.now(UTC), time(), UTC)
    try:
        with psycopg.connect(migrator) as connection:
            load(connection, Shape(runs, 1, until), lambda line: print(line, file=sys.stderr, flush=True))
            connection.execute(f"ANALYZE {', '.join(TABLES)}".encode())
            row = connection.execute("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())").fetchone()
    except psycopg.Error as error:
        # The rows are those that this checkout makes, the schema is the stack's.
        raise UserError(
            f"the made-up rows do not fit the schema of {stack}: {error}".strip(),
            f"take a backup, to rehearse on that: STACK={stack} bin/pgbackrest --type=full backup.",
        ) from error
    return int(row[0]) if row else 0


def _ran(container: str, command: Sequence[str], stdin: bytes = b"") -> bytes:
    """Run a program in a container; passwords are in what goes in and comes out, so that stays in this process."""
    words = ["docker", "exec", "--interactive", container, *command]
    done = subprocess.run(words, input=stdin, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UserError(f"{command[0]} failed in {container}: {said[-1] if said else 'it said nothing'}")
    return done.stdout
