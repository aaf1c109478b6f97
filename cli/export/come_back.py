"""An exported month comes back into the archive, in one transaction: whole and proven, or not at all."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql

from cli.database import Connection
from cli.errors import UserError
from cli.export import leave, manifest
from cli.export.manifest import Manifest


def attach(connection: Connection, file: Path) -> Manifest:
    """Load the export that a manifest describes, as an archived month; commits.

    Raises UserError where it does not fit.
    """
    exported = manifest.read(file)
    month = exported.of
    refuse_other_columns(connection, exported)
    connection.execute("SELECT pipe.receive_month(%s, %s)", (month.table, month.first_day))
    leave.load(connection, exported, file.parent, sql.Identifier("archive", month.name))
    connection.execute(
        "SELECT pipe.attach_month(%s, %s, %s, %s, %s)",
        (month.table, month.first_day, exported.rows, exported.checksum, exported.sha256),
    )
    connection.commit()
    connection.execute(sql.SQL("ANALYZE archive.{}").format(sql.Identifier(month.name)))
    connection.commit()
    return exported


def refuse_other_columns(connection: Connection, exported: Manifest) -> None:
    """A migration may have changed the table since: then the rows are no longer its."""
    columns = leave.columns_of(connection, exported.of)
    if columns == exported.columns:
        return
    before, now = dict.fromkeys(map(_text, exported.columns)), dict.fromkeys(map(_text, columns))
    differences = [f"no longer {column}" for column in before if column not in now]
    differences += [f"now {column}" for column in now if column not in before]
    raise UserError(
        f'table "{exported.table}" has other columns than the export: {"; ".join(differences) or "another order"}',
        f"attach it to a stack made from the files up to {exported.schema_version}, and carry on from there.",
    )


def _text(column: tuple[str, str, bool]) -> str:
    name, type_, required = column
    return f"{name} {type_}" + (" not null" if required else "")
