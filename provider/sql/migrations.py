"""``pipe:sql:Migrations``: every file of ``sql/migrations``, each applied once, in order, and recorded.

One resource for all of them: the whole list is judged before anything runs, one run holds the lock and one session from
the first file to the last, and what a database has is what its history says, whatever Pulumi's state remembers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from provider.errors import Cancelled, PipeError
from provider.resource import Context, Fault, Field, Resource, State
from provider.sql import sequence
from provider.sql.plan import Applied, File, checksum
from provider.values import Properties, has_unknown

if TYPE_CHECKING:
    from provider.sql.connection import Connection

_FILE_KEYS = ("version", "name", "file", "sql")
ID = "migrations"
# Nobody reads faster how far a long list has got.
_SAY_SECONDS = 0.5


class Migrations(Resource):
    """The migrations of a database."""

    token = "pipe:sql:Migrations"
    description = "SQL files, each applied once and in order as the owner, recorded with checksum, who, when and where."
    inputs: ClassVar[dict[str, Field]] = {
        "files": Field(
            list, "The files, each with version, name, file (its path) and sql.", of_objects=True, kept=False
        ),
        "verify": Field(
            list, "Scripts of the same form, each run after the migration of its version.", of_objects=True, kept=False
        ),
        "owner": Field(str, "The role as which they run."),
    }
    outputs: ClassVar[dict[str, tuple[type, str]]] = {
        "history": (list, "Of each: version, name, file, checksum, who, when, how long, restore point and its LSN."),
    }

    def check(self, old: Properties | None, new: Properties) -> Iterator[Fault]:
        """Refuse what cannot run, and what is not as it was when it was applied."""
        broken = list(super().check(old, new))
        yield from broken
        if broken or has_unknown(new):
            return
        try:
            files, verify = _files(new["files"]), _files(new["verify"])
        except PipeError as error:
            yield Fault("files", str(error))
            return
        known = {checksum(file["sql"]) for file in (old or {}).get("files", ())}
        reasons = list(sequence.list_faults(files, verify, known))
        if reasons:
            yield Fault("files", "cannot be applied:\n" + "\n".join(reasons))

    def diff(self, old: Properties, new: Properties) -> dict[str, bool]:
        """Compare with what the state remembers of the history; another verify script is no change."""
        return _changes(old, new, _remembered(old))

    def compare(self, context: Context, old: Properties, new: Properties) -> dict[str, bool]:
        """Compare with the database's own history, where it can be asked.

        After a recovery to the point before a migration the state knows more than the database has; that is past.
        """
        live = None if has_unknown(new.get("files")) else _live(context)
        return _changes(old, new, _remembered(old) if live is None else live)

    def preview(self, context: Context, old: Properties | None, new: Properties) -> Properties:
        """Name the files that are pending, by the database's own history where it can be asked."""
        if has_unknown(new.get("files")):
            return super().preview(context, old, new)
        files = _files(new["files"])
        live = _live(context)
        applied = _remembered(old or {}) if live is None else live
        for file in _left(files, applied):
            context.info(f"pending: {file.file}{sequence.how_far(file, applied.get(file.version))}")
        return super().preview(context, old, {"owner": new["owner"]})

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Apply what is pending; what the history has already with the same checksum is adopted."""
        from provider.sql import history
        from provider.sql.lock import only_run
        from provider.sql.runner import Runner

        files, scripts = _files(new["files"]), {script.version: script for script in _files(new["verify"])}
        owner = new["owner"]
        with context.database.session("applying migrations") as connection, only_run(connection, context):
            with connection.transaction():
                history.act_as(connection, owner)
                history.ensure(connection, history.MIGRATIONS)
                rows = history.migrations(connection)
            pending = _left(files, rows)
            runner, said = Runner(connection, context, owner), 0.0
            for number, file in enumerate(pending, 1):
                if context.cancellation:
                    raise Cancelled("applying migrations")
                if time.monotonic() - said > _SAY_SECONDS:
                    said = time.monotonic()
                    context.progress(f"{number} of {len(pending)}: {file.file}")
                row = rows[file.version] = runner.apply(file, scripts.get(file.version), rows.get(file.version))
                context.info(f"applied {file.file} in {row.duration_ms} ms")
            _rename(connection, owner, files, rows)
        return ID, _outputs(owner, rows)

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Return what the history says, also as inputs for an import; None when it definitely says nothing."""
        from provider.sql import history

        with context.database.session("reading the history of migrations") as connection, connection.transaction():
            owner = history.owner_of(connection, history.MIGRATIONS)
            if owner is None:
                return None
            history.act_as(connection, owner)
            rows = history.migrations(connection)
        if not rows:
            return None
        files = [{key: getattr(row, key) for key in _FILE_KEYS} for row in rows.values() if row.state == "applied"]
        found: Properties = {"owner": owner, "verify": []} | inputs | {"files": _as_written(files, inputs)}
        return State(ID, _outputs(found["owner"], rows), found)

    def delete(self, context: Context, id_: str, state: Properties) -> None:
        """Leave the database and its history as they are: a migration is never undone by removing its file."""
        context.warning("the migrations left the program; what they made stays, and so does their history")


def _files(values: Sequence[Mapping[str, Any]]) -> list[File]:
    """Return the files of an input in the order of their numbers."""
    for value in values:
        if missing := [key for key in _FILE_KEYS if not isinstance(value.get(key), str)]:
            raise PipeError(f"each file needs {', '.join(missing)} as text")
    return sorted((File(**{key: value[key] for key in _FILE_KEYS}) for value in values), key=lambda file: file.version)


def _left(files: Sequence[File], applied: Mapping[str, Applied]) -> list[File]:
    """Return what is pending; raises PipeError with every reason why the files do not fit to what was applied."""
    if reasons := list(sequence.history_faults(files, applied)):
        raise sequence.refused(reasons)
    return sequence.pending(files, applied)


def _changes(old: Properties, new: Properties, applied: Mapping[str, Applied]) -> dict[str, bool]:
    """Return the inputs that an update has to bring to the database, or to the state."""
    result = {} if old.get("owner") == new.get("owner") else {"owner": False}
    if not isinstance(new.get("files"), list) or has_unknown(new["files"]):
        return result | {"files": False}
    files = _files(new["files"])
    wanted = [(file.version, file.name, file.file) for file in files]
    known = [
        [(row.version, row.name, row.file) for row in rows.values() if not row.is_untouched]
        for rows in (applied, _remembered(old))
    ]
    if _left(files, applied) or known != [wanted, wanted]:
        result["files"] = False
    return result


def _live(context: Context) -> dict[str, Applied] | None:
    """Return the database's history; None where it cannot be asked, as before the first update."""
    from provider.sql import history

    if not context.config.has_server:
        return None
    try:
        with context.database.session("reading the history of migrations") as connection, connection.transaction():
            owner = history.owner_of(connection, history.MIGRATIONS)
            if owner is None:
                return {}
            history.act_as(connection, owner)
            return history.migrations(connection)
    except Cancelled:
        raise
    except PipeError as error:
        context.warning(f"the files are compared with what the state remembers, not with the database: {error}")
        return None


def _rename(connection: Connection, owner: str, files: Sequence[File], rows: dict[str, Applied]) -> None:
    """Record new names and paths of files whose text stayed the same."""
    from provider.sql import history

    renamed = [file for file in files if (rows[file.version].name, rows[file.version].file) != (file.name, file.file)]
    if renamed:
        with connection.transaction():
            history.act_as(connection, owner)
            for file in renamed:
                history.rename_migration(connection, file)
            rows |= history.migrations(connection)


def _outputs(owner: str, rows: Mapping[str, Applied]) -> Properties:
    return {"owner": owner, "history": [_remember(row) for _, row in sorted(rows.items())]}


def _remember(row: Applied) -> Properties:
    """Return what the state keeps of a row: the text only of a partial one, for the rest the checksum is enough."""
    kept = {
        "version": row.version,
        "name": row.name,
        "file": row.file,
        "checksum": row.checksum,
        "state": row.state,
        "statementsDone": row.statements_done,
        "appliedBy": row.applied_by,
        "appliedAt": row.applied_at,
        "durationMs": row.duration_ms,
        "restorePoint": row.restore_point,
        "lsn": row.lsn,
        "sql": row.sql if row.state == "partial" else None,
    }
    return {key: value for key, value in kept.items() if value is not None}


def _remembered(state: Properties) -> dict[str, Applied]:
    """Return the rows that the state keeps; only partial ones have their text."""
    return {
        row["version"]: Applied(
            version=row["version"],
            name=row["name"],
            file=row["file"],
            sql=row.get("sql", ""),
            checksum=row["checksum"],
            applied_by=row["appliedBy"],
            applied_at=row["appliedAt"],
            duration_ms=row["durationMs"],
            state=row["state"],
            statements_done=row.get("statementsDone"),
        )
        for row in state.get("history", [])
    }


def _as_written(files: list[Properties], inputs: Properties) -> list[Properties]:
    """Return the files as the program wrote them where only line ends differ, so that a refresh shows no change."""
    written = {
        (value["version"], value["name"], value["file"], checksum(value["sql"])): value
        for value in inputs.get("files", [])
    }
    return [written.get((file["version"], file["name"], file["file"], checksum(file["sql"])), file) for file in files]
