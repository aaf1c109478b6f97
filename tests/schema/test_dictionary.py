"""The data dictionary says what the catalog says, and there is nothing that it is silent about."""

from __future__ import annotations

from delivery.dictionary import DOCUMENT, Column, Table, diagram, document, section
from tests.fixtures.schema_database import Connection


def test_the_page_is_current(owner: Connection) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(owner), "the dictionary is stale: run make dictionary"


def test_every_column_says_what_it_is(owner: Connection) -> None:
    silent = owner.execute(
        """
        SELECT attrelid::regclass::text, attname FROM pg_attribute
        INNER JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace::regnamespace::text IN ('pipe', 'archive', 'upkeep') AND relkind IN ('r', 'p', 'v')
        AND NOT relispartition AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
        -- Months that other tests have taken out of their table.
        AND relname !~ '_y[0-9]{4}m[0-9]{2}$'
        """
    ).fetchall()
    assert silent == []


def column(name: str, references: str = "", *, nullable: bool = False) -> Column:
    return Column(name, "character varying(9)", nullable, "", references, ("pipe_app",), "a|b", key=name == "id")


def test_a_table_that_may_have_no_parent_is_drawn_so() -> None:
    child = Table("pipe", "runs", "Table", "", (column("id"), column("by", "pipe.users", nullable=True)), (), ())
    parent = Table("pipe", "users", "Table", "", (column("id"),), (), ())
    alone = Table("pipe", "alone", "Table", "", (column("id"),), (), ())
    assert diagram([child, parent, alone]) == (
        "```mermaid\nerDiagram\n    runs {\n        varchar id PK\n        varchar by FK\n    }\n"
        "    users {\n        varchar id PK\n    }\n    users |o--o{ runs : by\n```\n"
    )


def test_a_text_cannot_break_the_table() -> None:
    assert "| **id** | varchar(9) |  |  | app | a\\|b |" in section(
        Table("pipe", "t", "Table", "", (column("id"),), (), ())
    )
