"""The data dictionary, docs/data-dictionary.md, from a live catalog: python -m delivery.dictionary [--check].

The texts are the catalog's own comments, so that `\\d+` in psql says the same. It asks a database that is made for it
from the files of sql/, as the tests do: no stack is needed, and none can be behind the files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from infra.access import matrix

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "data-dictionary.md"
SCHEMAS = ("pipe", "archive", "upkeep")
# Who can be asked about; the owner and the migrator read everything.
READERS = (matrix.APP, matrix.READONLY, matrix.AUDITOR, matrix.MONITOR)

INTRODUCTION = """\
<!-- Made by `make dictionary` from the catalog; change the comments in sql/, not this page. -->
# Data dictionary

Every table and view, from the catalog of a database with all migrations. Months of partitioned tables are left out:
they are like their parent. *Read by*: the roles that may read the column, beside the owner and the migrator.
"""

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Column:
    """A column as the catalog has it; empty texts where there is nothing."""

    name: str
    type: str
    nullable: bool
    default: str
    references: str
    readers: tuple[str, ...]
    comment: str
    key: bool


@dataclass(frozen=True)
class Table:
    """A table or view with what hangs on it."""

    schema: str
    name: str
    kind: str
    comment: str
    columns: tuple[Column, ...]
    rules: tuple[str, ...]
    indexes: tuple[str, ...]


def document(connection: Connection) -> str:
    """The whole page."""
    tables = [table for schema in SCHEMAS for table in _tables(connection, schema)]
    parts = [INTRODUCTION, diagram([table for table in tables if table.schema == "pipe"])]
    for schema in SCHEMAS:
        parts.append(f"## Schema `{schema}`\n")
        parts += [section(table) for table in tables if table.schema == schema]
    return "\n".join(parts)


def diagram(tables: Sequence[Table]) -> str:
    """The tables that refer to one another, as mermaid draws them."""
    related = {table.name for table in tables if any(column.references for column in table.columns)}
    related |= {column.references.split(".")[1] for table in tables for column in table.columns if column.references}
    lines = ["```mermaid", "erDiagram"]
    for table in tables:
        if table.name in related:
            lines += [f"    {table.name} {{", *(f"        {_drawn(column)}" for column in table.columns), "    }"]
    for table in tables:
        for column in table.columns:
            if column.references:
                # Nullable: one or none on the other side.
                one = "|o" if column.nullable else "||"
                lines.append(f"    {column.references.split('.')[1]} {one}--o{{ {table.name} : {column.name}")
    return "\n".join([*lines, "```", ""])


def _drawn(column: Column) -> str:
    keys = ", ".join(mark for mark, holds in (("PK", column.key), ("FK", column.references)) if holds)
    # The language of the picture knows words only.
    word = (
        column.type.split("(")[0]
        .replace("timestamp with time zone", "timestamptz")
        .replace("character varying", "varchar")
    )
    return f"{word} {column.name} {keys}".rstrip()


def section(table: Table) -> str:
    """A table's part of the page."""
    lines = [f"### `{table.schema}.{table.name}`", "", f"{table.kind}. {table.comment}", ""]
    lines += ["| column | type | null | default | read by | meaning |", "|---|---|---|---|---|---|"]
    for column in table.columns:
        refers = f"→ `{column.references}`. " if column.references else ""
        cells = (
            f"**{column.name}**" if column.key else column.name,
            column.type.replace("character varying", "varchar").replace("timestamp with time zone", "timestamptz"),
            "yes" if column.nullable else "",
            f"`{column.default}`" if column.default else "",
            ", ".join(role.removeprefix("pipe_") for role in column.readers),
            refers + column.comment,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    if table.rules:
        lines += ["", "Rules:", "", *(f"- `{rule}`" for rule in table.rules)]
    if table.indexes:
        lines += ["", "Indexes:", "", *(f"- `{index}`" for index in table.indexes)]
    return "\n".join([*lines, ""])


_TABLES = """
    SELECT
        relation.oid, relation.relname,
        CASE relation.relkind WHEN 'v' THEN 'View' WHEN 'p' THEN 'Table, a partition a month' ELSE 'Table' END,
        coalesce(obj_description(relation.oid, 'pg_class'), '')
    FROM pg_class AS relation
    WHERE
        relation.relnamespace = %s::regnamespace
        AND relation.relkind IN ('r', 'p', 'v')
        AND NOT relation.relispartition
        -- A month between its table and the archive is in neither for a while.
        AND relation.relname !~ '_y[0-9]{4}m[0-9]{2}$'
        -- What an extension brings is described there.
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = relation.oid AND deptype = 'e')
    ORDER BY relation.relname
"""

_COLUMNS = """
    SELECT
        attname, format_type(atttypid, atttypmod), NOT attnotnull,
        coalesce(pg_get_expr(adbin, adrelid), CASE WHEN attidentity <> '' THEN 'identity' END, ''),
        coalesce((
            SELECT confrelid::regclass::text FROM pg_constraint
            WHERE conrelid = attrelid AND contype = 'f' AND conparentid = 0 AND conkey = ARRAY[attnum]
        ), ''),
        array(
            SELECT reader.role FROM unnest(%(readers)s::text[]) WITH ORDINALITY AS reader (role, place)
            WHERE has_schema_privilege(reader.role, relnamespace, 'USAGE')
            AND has_column_privilege(reader.role, attrelid, attnum, 'SELECT')
            ORDER BY reader.place
        ),
        coalesce(col_description(attrelid, attnum), ''),
        EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid AND indisprimary AND attnum = ANY (indkey))
    FROM pg_attribute
    INNER JOIN pg_class ON pg_class.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = %(table)s AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
"""

_RULES = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s AND contype = 'c' ORDER BY conname"

_INDEXES = """
    SELECT
        indexrelid::regclass::text || CASE WHEN indisunique THEN ' unique ' ELSE ' ' END
        || substring(pg_get_indexdef(indexrelid) FROM ' USING (.*)$')
    FROM pg_index WHERE indrelid = %s ORDER BY indexrelid::regclass::text
"""


def _tables(connection: Connection, schema: str) -> Iterator[Table]:
    for oid, name, kind, comment in connection.execute(_TABLES, (schema,)).fetchall():
        columns = connection.execute(_COLUMNS, {"table": oid, "readers": list(READERS)}).fetchall()
        yield Table(
            schema,
            name,
            kind,
            comment,
            tuple(Column(c[0], c[1], c[2], c[3], c[4], tuple(c[5]), c[6], c[7]) for c in columns),
            tuple(" ".join(text.split()) for (text,) in connection.execute(_RULES, (oid,))),
            tuple(text for (text,) in connection.execute(_INDEXES, (oid,))),
        )


def main(arguments: Sequence[str]) -> int:
    """Writes the page, or with --check only says whether it is current; returns the exit status."""
    from tests.fixtures.schema_database import schema_database

    with schema_database() as database, database.session(matrix.PROVISIONER) as connection:
        wanted = document(connection)
    if "--check" not in arguments:
        DOCUMENT.write_text(wanted, encoding="utf-8")
        return 0
    if not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != wanted:
        print("docs/data-dictionary.md is not what the catalog says\nHINT: run make dictionary")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
