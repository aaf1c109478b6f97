"""Databases: what one is and what it shall be, mapped to statements. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import sql

from airgap.postgresql.plan import Query, Statement


def create(name: str, wanted: Mapping[str, Any]) -> Statement:
    """CREATE DATABASE with the official provider's defaults: template0 and UTF8."""
    parts = [sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))]
    if wanted.get("owner"):
        parts.append(sql.SQL("OWNER {}").format(sql.Identifier(wanted["owner"])))
    parts.append(sql.SQL("TEMPLATE {}").format(sql.Identifier(wanted.get("template") or "template0")))
    parts.append(sql.SQL("ENCODING {}").format(sql.Literal(wanted.get("encoding") or "UTF8")))
    if wanted.get("lcCollate"):
        parts.append(sql.SQL("LC_COLLATE {}").format(sql.Literal(wanted["lcCollate"])))
    if wanted.get("lcCtype"):
        parts.append(sql.SQL("LC_CTYPE {}").format(sql.Literal(wanted["lcCtype"])))
    if wanted.get("tablespaceName"):
        parts.append(sql.SQL("TABLESPACE {}").format(sql.Identifier(wanted["tablespaceName"])))
    parts.append(sql.SQL("ALLOW_CONNECTIONS {}").format(sql.Literal(bool(wanted.get("allowConnections", True)))))
    parts.append(sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(int(wanted.get("connectionLimit", -1)))))
    parts.append(sql.SQL("IS_TEMPLATE {}").format(sql.Literal(bool(wanted.get("isTemplate")))))
    return Statement(f'create database "{name}"', sql.SQL(" ").join(parts))


def rename(old: str, new: str) -> list[Statement]:
    """Gives the database its new name, if it has one."""
    if old == new:
        return []
    query = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
    return [Statement(f'rename database "{old}" to "{new}"', query)]


def alter(name: str, actual: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Statement]:
    """Statements that bring what can be changed in place to what is wanted; what is not said is left alone."""
    head = sql.SQL("ALTER DATABASE {} ").format(sql.Identifier(name))
    found: list[Statement] = []

    def add(doing: str, query: Query) -> None:
        found.append(Statement(doing, head + query))

    owner, space = wanted.get("owner"), wanted.get("tablespaceName")
    if owner and owner != actual["owner"]:
        add(f'give database "{name}" to role "{owner}"', sql.SQL("OWNER TO {}").format(sql.Identifier(owner)))
    if space and space != actual["tablespaceName"]:
        add(
            f'move database "{name}" to tablespace "{space}"',
            sql.SQL("SET TABLESPACE {}").format(sql.Identifier(space)),
        )
    limit = int(wanted.get("connectionLimit", -1))
    if limit != actual["connectionLimit"]:
        add(f'limit the connections of database "{name}"', sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(limit)))
    allow = bool(wanted.get("allowConnections", True))
    if allow != actual["allowConnections"]:
        query = sql.SQL("ALLOW_CONNECTIONS {}").format(sql.Literal(allow))
        add(f'{"allow" if allow else "forbid"} connections to database "{name}"', query)
    template = wanted.get("isTemplate")
    if template is not None and bool(template) != actual["isTemplate"]:
        add(f'alter database "{name}"', sql.SQL("IS_TEMPLATE {}").format(sql.Literal(bool(template))))
    return found


def drop(name: str, is_template: bool) -> list[Statement]:
    """Drops the database and ends the sessions in it; a template has to stop being one first."""
    database = sql.Identifier(name)
    found: list[Statement] = []
    if is_template:
        found.append(
            Statement(f'alter database "{name}"', sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(database))
        )
    found.append(Statement(f'drop database "{name}"', sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database)))
    return found


def reassign(owner: str, new: str) -> Statement:
    """Gives everything that a role owns in the present database to another."""
    query = sql.SQL("REASSIGN OWNED BY {} TO {}").format(sql.Identifier(owner), sql.Identifier(new))
    return Statement(f'give what role "{owner}" owns to role "{new}"', query)


def comment(name: str, text: str) -> Statement:
    """Says on the database who made it."""
    query = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(text))
    return Statement(f'comment on database "{name}"', query)
