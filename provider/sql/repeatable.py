"""``pipe:sql:Repeatable``: a text that is applied again whenever it changes: functions, views, triggers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from provider.resource import Context, Fault, Field, Resource, State
from provider.sql.header import Header
from provider.sql.plan import Applied, checksum, repeatable_faults
from provider.values import Properties


class Repeatable(Resource):
    """A repeatable text. Its id is its name."""

    token = "pipe:sql:Repeatable"
    description = "SQL that may run again and again, applied in one transaction as the owner whenever it changes."
    inputs: ClassVar[dict[str, Field]] = {
        "name": Field(str, "Unique name in the history.", replaces=True),
        "file": Field(str, "Path within the project, for messages."),
        "sql": Field(str, "The text; safe to run again."),
        "owner": Field(str, "The role as which it runs."),
        "triggers": Field(list, "Values whose change applies the text again.", required=False),
    }
    outputs: ClassVar[dict[str, tuple[type, str]]] = {
        "checksum": (str, "SHA-256 of the text applied last."),
        "appliedBy": (str, "Database role, operating-system user and host."),
        "appliedAt": (str, "When, ISO 8601 in UTC."),
        "durationMs": (int, "How long it took, in milliseconds."),
    }

    def check(self, old: Properties | None, new: Properties) -> Iterator[Fault]:
        """Refuse what cannot run."""
        yield from super().check(old, new)
        if isinstance(new.get("sql"), str):
            for reason in repeatable_faults(new["sql"]):
                yield Fault("sql", f'of "{new.get("file")}" cannot be applied: {reason}')

    def diff(self, old: Properties, new: Properties) -> dict[str, bool]:
        """Compare inputs; the text by its checksum, so that other line ends are no change."""
        result = super().diff(old, new)
        if isinstance(new.get("sql"), str) and checksum(new["sql"]) == old.get("checksum"):
            result.pop("sql", None)
        return result

    def preview(self, context: Context, old: Properties | None, new: Properties) -> Properties:
        """Name the file that is pending."""
        context.info(f"pending: {new.get('file')}")
        return super().preview(context, old, new)

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Apply it and record it, whatever was applied before."""
        name = str(new["name"])
        doing = f'repeatable "{name}" of "{new["file"]}"'
        from provider.sql import apply, history
        from provider.sql.lock import only_run
        from provider.sql.waiting import retrying

        limits, text, file, owner = Header(), new["sql"], new["file"], new["owner"]

        def attempt() -> Applied:
            with connection.transaction():
                apply.become(connection, owner, limits)
                history.ensure(connection, history.REPEATABLES)
                with apply.running(connection, context, doing, file, limits, (apply.ROLLED_BACK,)) as run:
                    duration = run.every(text)
                apply.become(connection, owner, limits)
                return history.record_repeatable(connection, name, file, text, duration)

        with context.database.session(doing) as connection, only_run(connection, context):
            recorded = retrying(context, file, limits, attempt)
        return name, _outputs(new, recorded)

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Return what the history says was applied last; None when it definitely has no such row."""
        from provider.sql import history

        with context.database.session(f'reading repeatable "{id_}"') as connection, connection.transaction():
            owner = history.owner_of(connection, history.REPEATABLES)
            if owner is None:
                return None
            history.act_as(connection, owner)
            recorded = history.find_repeatable(connection, id_)
        if recorded is None:
            return None
        found = {"owner": owner} | inputs | {name: getattr(recorded, name) for name in ("name", "file", "sql")}
        return State(id_, _outputs(state | found, recorded), found)

    def delete(self, context: Context, id_: str, state: Properties) -> None:
        """Leave the database as it is: only a migration may drop something."""
        context.warning(f'repeatable "{id_}" left the program; what "{state.get("file")}" made stays in the database')


def _outputs(properties: Properties, recorded: Applied) -> Properties:
    """Return the resource's properties with what the history recorded."""
    return properties | {
        "checksum": recorded.checksum,
        "appliedBy": recorded.applied_by,
        "appliedAt": recorded.applied_at,
        "durationMs": recorded.duration_ms,
    }
