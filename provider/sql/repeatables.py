"""``pipe:sql:Repeatables``: texts that are applied again whenever they change: functions, views, triggers.

One resource for all of them: they are applied in their order, in one session and under one lock, each in a transaction
of its own, so that no lock of a table outlives the file that needed it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from provider.errors import Cancelled
from provider.resource import Context, Fault, Field, Resource, State
from provider.sql.header import Header
from provider.sql.plan import Applied, checksum, repeatable_faults
from provider.values import Properties, has_unknown

if TYPE_CHECKING:
    from provider.sql.connection import Connection

ID = "repeatables"
_FILE_KEYS = ("name", "file", "sql")
# Nobody reads faster how far a long list has got.
_SAY_SECONDS = 0.5


class Repeatables(Resource):
    """The repeatable texts of a database."""

    token = "pipe:sql:Repeatables"
    description = "SQL that may run again and again, each text applied in one transaction as the owner when it changes."
    inputs: ClassVar[dict[str, Field]] = {
        "files": Field(
            list, "The texts in their order, each with name, file (its path) and sql.", of_objects=True, kept=False
        ),
        "owner": Field(str, "The role as which they run."),
        "triggers": Field(list, "Values whose change applies every text again.", required=False),
    }
    outputs: ClassVar[dict[str, tuple[type, str]]] = {
        "history": (list, "Of each: name, file, checksum of the text applied last, who, when, how long."),
    }

    def check(self, old: Properties | None, new: Properties) -> Iterator[Fault]:
        """Refuse what cannot run, all of it at once."""
        broken = list(super().check(old, new))
        yield from broken
        if broken or has_unknown(new):
            return
        reasons = list(_faults(new["files"]))
        if reasons:
            yield Fault("files", "cannot be applied:\n" + "\n".join(reasons))

    def diff(self, old: Properties, new: Properties) -> dict[str, bool]:
        """Compare with what was applied last, by checksum, so that other line ends are no change."""
        changed = {name: False for name in ("owner", "triggers") if old.get(name) != new.get(name)}
        files: Any = new.get("files")
        if has_unknown(files) or _as_recorded(files) != _as_recorded(old.get("history", [])):
            changed["files"] = False
        return changed

    def preview(self, context: Context, old: Properties | None, new: Properties) -> Properties:
        """Name the files that are pending; all of them are a number."""
        if not has_unknown(new):
            pending = _pending(old or {}, new)
            if len(pending) == len(new["files"]):
                context.info(f"pending: every repeatable file, {len(pending)} in all")
            else:
                for file in pending:
                    context.info(f"pending: {file['file']}")
        return super().preview(context, old, {name: new[name] for name in ("owner", "triggers") if name in new})

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Apply and record all of them, whatever was applied before."""
        return ID, _apply(context, new, new["files"])

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """Apply what changed; with another owner or trigger all of them."""
        left = {row["name"]: row["file"] for row in old.get("history", [])}
        for name in left.keys() - {file["name"] for file in new["files"]}:
            context.warning(f'"{left[name]}" left the program; what it made stays in the database')
        return _apply(context, new, _pending(old, new))

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Return what the history says was applied last, also as inputs for an import; None when it says nothing."""
        from provider.sql import history

        with context.database.session("reading the repeatable files") as connection, connection.transaction():
            owner = history.owner_of(connection, history.REPEATABLES)
            if owner is None:
                return None
            history.act_as(connection, owner)
            rows = history.repeatables(connection)
        wanted = inputs.get("files")
        if wanted is not None:
            rows = {file["name"]: rows[file["name"]] for file in wanted if file["name"] in rows}
        if not rows:
            return None
        written = {(file["name"], checksum(file["sql"])): file["sql"] for file in wanted or ()}
        files = [
            {"name": row.name, "file": row.file, "sql": written.get((row.name, row.checksum), row.sql)}
            for row in rows.values()
        ]
        found: Properties = {"owner": owner} | inputs | {"files": files}
        return State(ID, _outputs(found, rows), found)

    def delete(self, context: Context, id_: str, state: Properties) -> None:
        """Leave the database as it is: only a migration may drop something."""
        context.warning("the repeatable files left the program; what they made stays in the database")


def _faults(files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names: set[str] = set()
    for file in files:
        if missing := [key for key in _FILE_KEYS if not isinstance(file.get(key), str)]:
            yield f"each text needs {', '.join(missing)} as text"
            continue
        if file["name"] in names:
            yield f'{file["file"]}: its name "{file["name"]}" is that of another one'
        names.add(file["name"])
        yield from (f"{file['file']}: {reason}" for reason in repeatable_faults(file["sql"]))


def _apply(context: Context, new: Properties, pending: Sequence[Mapping[str, str]]) -> Properties:
    """Apply the pending texts in their order; return the resource's outputs."""
    from provider.sql import history
    from provider.sql.lock import only_run

    owner, said = str(new["owner"]), time.monotonic()
    with context.database.session("applying repeatable files") as connection, only_run(connection, context):
        with connection.transaction():
            history.act_as(connection, owner)
            history.ensure(connection, history.REPEATABLES)
        for number, file in enumerate(pending, 1):
            if context.cancellation:
                raise Cancelled("applying repeatable files")
            if time.monotonic() - said > _SAY_SECONDS:
                said = time.monotonic()
                context.progress(f"{number} of {len(pending)}: {file['file']}")
            _apply_one(context, connection, owner, file)
        with connection.transaction():
            history.act_as(connection, owner)
            rows = history.repeatables(connection)
    # One that the state knows and the database does not, as after a recovery to before it, is pending at the next look.
    return _outputs(new, {file["name"]: rows[file["name"]] for file in new["files"] if file["name"] in rows})


def _apply_one(context: Context, connection: Connection, owner: str, file: Mapping[str, str]) -> None:
    from provider.sql import apply, history
    from provider.sql.waiting import retrying

    limits, path = Header(), file["file"]
    doing = f'repeatable "{file["name"]}" of "{path}"'

    def attempt() -> None:
        with connection.transaction():
            apply.become(connection, owner, limits)
            with apply.running(connection, context, doing, path, limits, (apply.ROLLED_BACK,)) as run:
                duration = run.every(file["sql"])
            apply.become(connection, owner, limits)
            history.record_repeatable(connection, file["name"], path, file["sql"], duration)

    retrying(context, path, limits, attempt)


def _pending(old: Properties, new: Properties) -> list[Mapping[str, str]]:
    """Return the texts that an update applies: those that are not what was applied last, or all."""
    if any(old.get(name) != new.get(name) for name in ("owner", "triggers")):
        return list(new["files"])
    applied = {entry[0]: entry for entry in _as_recorded(old.get("history", []))}
    return [
        file
        for file, entry in zip(new["files"], _as_recorded(new["files"]), strict=True)
        if applied.get(file["name"]) != entry
    ]


def _as_recorded(files: Sequence[Mapping[str, str]]) -> list[tuple[str, str, str]]:
    """Return name, path and checksum of texts, or of rows of the history."""
    return [(file["name"], file["file"], file.get("checksum") or checksum(file["sql"])) for file in files]


def _outputs(properties: Properties, rows: Mapping[str, Applied]) -> Properties:
    kept = {name: properties[name] for name in ("owner", "triggers") if name in properties}
    return kept | {
        "history": [
            {
                "name": row.name,
                "file": row.file,
                "checksum": row.checksum,
                "appliedBy": row.applied_by,
                "appliedAt": row.applied_at,
                "durationMs": row.duration_ms,
            }
            for row in rows.values()
        ]
    }
