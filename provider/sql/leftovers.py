"""What a statement outside of a transaction leaves behind when it is interrupted, and how to go on from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from provider.sql.shapes import created_index, detached, dropped_index, reindexed

if TYPE_CHECKING:
    from provider.resource import Context
    from provider.sql.connection import Connection
    from provider.sql.scanner import Statement


def finished(connection: Connection, context: Context, statement: Statement, *, begun: bool) -> bool:
    """Clear away what an attempt before left half done; say whether the statement need not run any more.

    ``begun``: an attempt before may have ended without being recorded, so what is there is its work.
    """
    if found := created_index(statement):
        return _created(connection, context, *found, begun)
    if not begun:
        return False
    if index := dropped_index(statement):
        return _regclass(connection, index) is None
    if found := reindexed(statement):
        _drop_copies(connection, context, *found)
    if found := detached(statement):
        return _detached(connection, context, *found)
    return False


def _created(connection: Connection, context: Context, index: str, table: str, begun: bool) -> bool:
    row = connection.execute(
        "SELECT n.nspname, c.relname, i.indisvalid FROM pg_catalog.pg_index i"
        " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE i.indrelid = pg_catalog.to_regclass(%s)"
        " AND c.relname = (pg_catalog.parse_ident(%s))[1]",
        (table, index),
    ).fetchone()
    if row is None:
        return False
    schema, name, valid = row
    if not valid:
        context.info(f'the invalid index "{name}", left by an attempt that failed, is dropped and made anew')
        _drop(connection, schema, name)
        return False
    if begun:
        context.info(f'the index "{name}" is there and valid already')
    return begun


def _drop_copies(connection: Connection, context: Context, kind: str, relation: str) -> None:
    """Drop what an interrupted REINDEX CONCURRENTLY leaves: invalid copies whose names end in _ccnew or _ccold."""
    table = (
        "pg_catalog.to_regclass(%s)"
        if kind == "TABLE"
        else "(SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass(%s))"
    )
    rows = connection.execute(
        (
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            f" WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND i.indrelid = {table}"
        ).encode(),
        (relation,),
    ).fetchall()
    for schema, name in rows:
        context.info(f'the invalid index "{name}", left by an attempt that failed, is dropped')
        _drop(connection, schema, name)


def _detached(connection: Connection, context: Context, table: str, partition: str) -> bool:
    row = connection.execute(
        "SELECT inhdetachpending FROM pg_catalog.pg_inherits"
        " WHERE inhrelid = pg_catalog.to_regclass(%s) AND inhparent = pg_catalog.to_regclass(%s)",
        (partition, table),
    ).fetchone()
    if row is None:
        return True
    if row[0]:
        context.info(f"the detaching of {partition}, which was interrupted, is finished")
        # The names are the file's own text, quoted as it quotes them.
        connection.execute(f"ALTER TABLE {table} DETACH PARTITION {partition} FINALIZE".encode())
    return bool(row[0])


def _drop(connection: Connection, schema: str, name: str) -> None:
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(schema, name)))


def _regclass(connection: Connection, name: str) -> str | None:
    row = connection.execute("SELECT pg_catalog.to_regclass(%s)::text", (name,)).fetchone()
    return None if row is None else row[0]
