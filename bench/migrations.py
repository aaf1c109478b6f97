"""What migrations cost: a real `pulumi up` and `preview` of 50, 200 and 1,000 generated files.

    make bench OF=migrations [ARGS='--rounds 3 --files 50,200,1000']

A program of nothing but the provider and its migrations, on a PostgreSQL of its own from the member image, so that what
is measured is Pulumi's start, the files and nothing else. The floor is psql in that container: one session, each file
in a transaction. Prints a table and writes bench/results/<time>-migrations.json.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import measure, only_migrations, report, results
from bench.materials import Authority
from bench.only_migrations import Program
from bench.scratch import ROOT, BenchError
from cli.errors import UserError
from tests.fixtures.commands import executed
from tests.provider.pipe.containers import port, running

NUMBERS = "50,200,1000"
# The aims of 200 files; those of another number follow from them where the cost is linear.
AIMS = {("up", 200): 8.0, ("preview", 200): 3.0}
TITLES = {
    "floor": "floor: psql, one session",
    "up": "up, all pending",
    "preview": "preview, none pending",
    "up_again": "up, none pending",
    "one_more": "up, one more file",
}
START_SECONDS = 60
POLL_SECONDS = 0.1
USER = "pipe_migrator"
PASSWORD = "only-for-the-benchmark"
SERVER = """
export PGDATA=/tmp/data
initdb -A trust >/dev/null
echo 'hostssl all all all scram-sha-256' >> $PGDATA/pg_hba.conf
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp -c ssl=on \
  -c ssl_cert_file=/tmp/cert.pem -c ssl_key_file=/tmp/key.pem
"""
ROLES = f"""
CREATE ROLE pipe_owner NOLOGIN;
CREATE ROLE {USER} LOGIN NOINHERIT PASSWORD '{PASSWORD}';
GRANT pipe_owner TO {USER} WITH INHERIT FALSE, SET TRUE;
"""
SCHEMAS = f"""
CREATE SCHEMA migrations AUTHORIZATION pipe_owner;
CREATE SCHEMA pipe AUTHORIZATION pipe_owner;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_create_restore_point(text) TO {USER};
"""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL in a container; its superuser comes in through the socket."""

    container: Any
    port: int
    authority: str

    def psql(self, *arguments: str) -> None:
        """Run psql in the container. Raises BenchError with what it said."""
        command = ["psql", "-h", "/tmp", "-U", "postgres", "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments]
        status, text = executed(self.container, *command)
        if status:
            raise BenchError(f"{shlex.join(command)[:200]} failed:\n{text[-2000:]}")

    def fresh(self, database: str) -> None:
        """Make a database with what infrastructure makes before the first migration."""
        self.psql("-c", f"CREATE DATABASE {database}")
        self.psql("-d", database, "-c", SCHEMAS)

    def drop(self, database: str) -> None:
        self.psql("-c", f"DROP DATABASE {database} WITH (FORCE)")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return the exit status: 1 when something failed, never for a figure that misses its aim."""
    parser = argparse.ArgumentParser(prog="bench.migrations", description="Measures what migrations cost.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", default=NUMBERS, help="numbers of files, such as 50,200")
    args = parser.parse_args(argv)
    numbers = [int(number) for number in args.files.split(",")]
    rounds: list[dict[str, float]] = []
    os.chdir(ROOT)
    try:
        with server() as found, tempfile.TemporaryDirectory(prefix="pipe-bench-") as folder:
            for number in range(1, args.rounds + 1):
                print(f"round {number} of {args.rounds}", flush=True)
                figures: dict[str, float] = {}
                for files in numbers:
                    figures |= measured(found, Path(folder) / f"{number}-{files}", files)
                rounds.append(figures)
    except UserError as error:
        print(error.text(), file=sys.stderr)
        return 1
    except (BenchError, subprocess.TimeoutExpired) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    medians = report.medians(rounds)
    print("\n" + table(medians, numbers))
    print(f"\nwritten to {results.write(rounds, 'migrations').relative_to(ROOT)}")
    return 0


@contextmanager
def server() -> Iterator[Server]:
    """Run a PostgreSQL until the end of the block."""
    authority = Authority()
    files = {f"/tmp/{name}": text for name, text in authority.issue("localhost").items()}
    with running("member", SERVER, files, ports={"5432/tcp": ("127.0.0.1", None)}) as container:
        made = Server(container, port(container, 5432), authority.pem)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                made.psql("-c", ROLES)
                break
            except BenchError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
        yield made


def measured(found: Server, directory: Path, files: int) -> dict[str, float]:
    """The figures of so many files, each under its name and number."""
    texts = only_migrations.texts(files)
    figures = {key("floor", files): floor(found, texts)}
    found.fresh("bench")
    login = {"port": str(found.port), "username": USER, "password": PASSWORD, "ca": found.authority}
    program = Program(directory, texts, login)
    try:
        program.make()
        steps = {
            "up": ("up", "--yes", "--skip-preview"),
            "preview": ("preview", "--expect-no-changes"),
            "up_again": ("up", "--yes", "--skip-preview", "--expect-no-changes"),
        }
        for name, command in steps.items():
            figures[key(name, files)] = seconds(program, *command)
        program.add(only_migrations.text(files + 1))
        figures[key("one_more", files)] = seconds(program, "up", "--yes", "--skip-preview")
    finally:
        found.drop("bench")
    for name, title in TITLES.items():
        print(f"  {figures[key(name, files)]:8.2f} s    {files:>5} files, {title}", flush=True)
    return figures


def floor(found: Server, texts: Sequence[only_migrations.Text]) -> float:
    """Seconds of psql for the files in turn, in one session, each in a transaction."""
    found.fresh("floor")
    found.container.put_archive("/tmp", only_migrations.archive(texts))
    each = [part for text in texts for part in ("-c", "BEGIN", "-f", f"/tmp/{text.file}", "-c", "COMMIT")]
    started = time.monotonic()
    found.psql("-d", "floor", *each)
    ended = time.monotonic() - started
    found.drop("floor")
    return ended


def seconds(program: Program, *command: str) -> float:
    done = measure.run([program.pulumi, *command, "--non-interactive"], program.directory, program.environment)
    if done.status:
        raise BenchError(f"pulumi {' '.join(command)} failed after {done.seconds:.1f} s:\n{done.output[-4000:]}")
    return done.seconds


def key(name: str, files: int) -> str:
    return f"{name}_{files}"


def table(medians: dict[str, float], numbers: Sequence[int]) -> str:
    """Medians, their ratio to the floor, milliseconds a file, and the aims. Pure."""
    lines = [f"{'files':>6}  {'':<26} {'median':>9} {'× floor':>8} {'ms a file':>10}  aim"]
    for files in numbers:
        lowest = medians[key("floor", files)]
        for name, title in TITLES.items():
            value, aim = medians[key(name, files)], AIMS.get((name, files))
            met = "" if aim is None else f"< {aim:.1f} s  {'met' if value < aim else 'NOT MET'}"
            ratio = f"{value / lowest:.2f}"
            lines.append(f"{files:>6}  {title:<26} {value:>7.2f} s {ratio:>8} {1000 * value / files:>10.1f}  {met}")
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
