"""Runs the pending migrations on a copy of the stack's newest backup, one after another, with clients at work.

Of a stack that has no backup, the copy has its schema and made-up rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pulumi import RunError

from cli import connect, stackfile
from cli.errors import UserError
from cli.rehearse import copy, invented, report
from cli.rehearse.copy import Copy
from cli.rehearse.load import Load
from cli.rehearse.measured import Rehearsal, Rehearsed
from cli.rehearse.watch import Watch
from cli.session import Session
from infra.cluster.parameters import memory_parameters
from infra.schema import MIGRATIONS, OWNER, VERIFY, SqlFile, read_files
from infra.settings import SettingsError, check
from provider.errors import PipeError
from provider.sql.migrations import Migrations

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Target:
    """The copy as the roles of the stack reach it."""

    migrator: str
    application: str
    authority: str

    @classmethod
    def of(cls, session: Session, outputs: dict[str, Any], port: int) -> Target:
        """Return the stack's own connections, turned to the copy: roles and passwords were restored with it."""
        authority = session.runtime / "ca.pem"
        connect.provide_authority(authority, outputs)

        def turned(role: str) -> str:
            uri = connect.choose(outputs, role, "read_write")
            one = next(iter(connect.each(uri).values()))
            return make_conninfo(
                one, host=LOOPBACK, port=port, sslrootcert=str(authority), target_session_attrs="read-write"
            )

        return cls(turned("migrator"), turned("app"), outputs["ca_certificate"])


def run(session: Session, draft: str | None, out: str | None, size: str | None) -> int:
    """Rehearse and print the table; returns 1 when a migration failed.

    :param draft: path of a file that is not among the migrations yet: it comes after them.
    :param out: path of a file for the markdown.
    :param size: how many rows are made up, as of `make seed`, where there is no backup.
    """
    if out:
        _refuse_unwritable(Path(out))
    outputs = session.outputs()
    files, scripts = _files(session, MIGRATIONS), _files(session, VERIFY)
    if draft:
        files.append(_draft(Path(draft), files))
    empty, rows = invented.has_no_backup(session.stack), invented.size(size)
    if empty:
        print(f"{session.stack} has no backup: making a copy of its schema with made-up data", flush=True)
    else:
        print("restoring the newest backup of the stack into a copy", flush=True)
    with copy.serving(session.stack, _memory(session), empty=empty) as restored:
        target = Target.of(session, outputs, restored.port)
        if empty:
            filled = invented.fill(session.stack, session.paths.root, restored, target.migrator, rows)
            restored = replace(restored, bytes=filled)
        pending = [file for file in files if file.version not in _applied(target)]
        if not pending:
            print(f"nothing is pending for {session.stack}")
            return 0
        rehearsal = _rehearse(session.stack, restored, target, files, scripts, pending)
    print(report.terminal(rehearsal))
    if out:
        Path(out).write_text(report.markdown(rehearsal) + "\n")
    return 1 if rehearsal.failed else 0


def _rehearse(
    stack: str,
    restored: Copy,
    target: Target,
    files: Sequence[SqlFile],
    scripts: Sequence[SqlFile],
    pending: Sequence[SqlFile],
) -> Rehearsal:
    done: list[Rehearsed] = []
    with Load(target.application) as load:
        for file in pending:
            print(f"{file.path} …", flush=True)
            until = [one for one in files if one.version <= file.version]
            done.append(_one(target, load, file, until, scripts))
            if done[-1].failure:
                break
    return Rehearsal(stack, restored.backup, restored.bytes / 1e9, tuple(done))


def _one(target: Target, load: Load, file: SqlFile, until: Sequence[SqlFile], scripts: Sequence[SqlFile]) -> Rehearsed:
    """Apply one file as `up` does, and look at it meanwhile."""
    watch, failure, began = Watch(target.migrator), None, time.monotonic()
    versions = {one.version for one in until}
    inputs = {
        "files": [_wire(one) for one in until],
        "verify": [_wire(one) for one in scripts if one.version in versions],
        "owner": OWNER,
    }
    try:
        with watch:
            began = time.monotonic()
            try:
                Migrations().create(_context(target), inputs)
            except PipeError as error:
                failure = " ".join(error.message.split())
            seconds = time.monotonic() - began
        return Rehearsed(
            file.path,
            seconds,
            tuple(watch.locks()),
            tuple(watch.rewritten()),
            watch.changed_rows(),
            load.longest(began),
            tuple(load.failures(began)),
            failure,
        )
    finally:
        watch.close()


def _context(target: Target) -> Any:
    """Return what the provider's resource works with: its own code runs, against the copy."""
    from provider.config import Config
    from provider.resource import Context
    from provider.runtime import Cancellation, Reporter
    from provider.sql.connection import Database

    parts = conninfo_to_dict(target.migrator)
    config = Config(
        {
            "host": parts["host"],
            "port": str(parts["port"]),
            "database": parts["dbname"],
            "username": parts["user"],
            "password": parts["password"],
            "caCertificate": target.authority,
        }
    )
    cancellation = Cancellation()
    return Context("rehearsal", config, Database(config, cancellation), Reporter(None), cancellation)


def _applied(target: Target) -> set[str]:
    """Return the versions that the copy has in full."""
    from provider.sql import history

    with psycopg.connect(target.migrator, autocommit=True) as connection, connection.transaction():
        owner = history.owner_of(connection, history.MIGRATIONS)
        if owner is None:
            return set()
        history.act_as(connection, owner)
        return {version for version, row in history.migrations(connection).items() if row.state == "applied"}


def _files(session: Session, folder: Path) -> list[SqlFile]:
    """Return the files of a folder by the names that the program gives them, wherever it is called from."""
    root = session.paths.root
    try:
        return [replace(file, path=str(Path(file.path).relative_to(root))) for file in read_files(root / folder)]
    except RunError as error:
        raise UserError(str(error)) from None


def _draft(file: Path, files: Sequence[SqlFile]) -> SqlFile:
    """Give a draft the next number."""
    number = f"{max((int(one.version) for one in files if one.version.isdigit()), default=0) + 1:04d}"
    try:
        return SqlFile(number, file.stem, file.as_posix(), file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f'the draft "{file}" cannot be read: {error.strerror}', "FILE is the path of an SQL file."
        ) from None
    except UnicodeDecodeError:
        raise UserError(f'the draft "{file}" is no text in UTF-8', "FILE is the path of an SQL file.") from None


def _refuse_unwritable(file: Path) -> None:
    """Raise UserError where the file for the markdown cannot be: a rehearsal takes too long to tell at its end."""
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise UserError(f'OUT "{file}" cannot be written', "OUT is the path of a file in a folder that is there.")


def _wire(file: SqlFile) -> dict[str, str]:
    return {"version": file.version, "name": file.name, "file": file.path, "sql": file.text}


def _memory(session: Session) -> list[str]:
    """Return a member's memory parameters."""
    try:
        settings = check.check(session.stack, stackfile.path_of(session.paths.root, session.stack).parent)
    except SettingsError as error:
        raise UserError(str(error)) from None
    return [f"{name}={value}" for name, value in memory_parameters(settings.database).items()]
