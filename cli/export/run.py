"""`make export-months` and `make attach-month`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg

from cli.database import as_migrator
from cli.errors import UserError
from cli.export import manifest
from cli.export.come_back import attach
from cli.export.leave import due, leave
from cli.session import Session


def export(session: Session, arguments: Sequence[str]) -> int:
    """Have every month that is due leave, the oldest first; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make export-months", description="Export, verify and drop months.")
    parser.add_argument("directory", metavar="TO", help="where the files go")
    directory = named_directory(parser.parse_args(arguments).directory)
    with as_migrator(session) as connection:
        months = due(connection)
        for month in months:
            try:
                leave(connection, month, directory, lambda line: print(line, flush=True))
            except psycopg.Error as error:
                raise UserError(
                    f"month {month.name} stays in the database: {error}".strip(), "run it again; it goes on from there."
                ) from error
    if not months:
        print(
            f"no month of stack {session.stack} is due (data.runs_export_after_months, data.audit_export_after_months)"
        )
    return 0


def named_directory(name: str) -> Path:
    """The directory that TO names. Raises UserError where there is none."""
    if not name:
        raise UserError("no directory is named to export to", "TO=<directory>, where backups of it are made as well.")
    directory = Path(name).absolute()
    if not directory.is_dir():
        raise UserError(f'there is no directory "{directory}"', "make it, where backups of it are made as well.")
    return directory


def come_back(session: Session, arguments: Sequence[str]) -> int:
    """Attach an exported month again; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make attach-month", description="Load an exported month into the archive.")
    parser.add_argument("file", metavar="FILE", type=Path, help="the export's .json file; the data lies beside it")
    options = parser.parse_args(arguments)
    manifest.read(options.file)
    with as_migrator(session) as connection:
        print(f"loading {options.file}", file=sys.stderr, flush=True)
        attached = attach(connection, options.file)
    print(f"attached archive.{attached.of.name}: {attached.rows:,} rows, count and checksum as they left")
    return 0
