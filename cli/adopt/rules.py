"""What the target refuses and the document let in: one rule each, with what to do about it.

The conditions are the target's own constraints, asked of its catalog, over rows as they would arrive: a rule that a
later migration adds is checked here without another line. Asked of the source, before anything is moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from cli.adopt.tables import TABLES, Table
from cli.database import Connection

EXAMPLES = 5

REMEDIES = {
    "users_password_hash_is_bcrypt": "have these people set a new password (a bcrypt hash) before the move.",
    "users_email_has_one_at": "correct the address, or set a placeholder such as <id>@invalid.example.",
    "idx_users_email": "merge these people, or change one of the addresses: case no longer tells them apart.",
    "api_keys_key_hash_is_secure": "a raw or weakly hashed key: revoke it (DELETE) and issue a new one.",
    "organization_members_role_is_known": "UPDATE role to owner, admin, member or readonly.",
    "pipeline_runs_status_is_known": "UPDATE status to queued, running, completed, failed or cancelled.",
    "storage_files_size_is_not_negative": "find the file's true size; 0 where there is none.",
}
REMEDY_OF_KIND = {
    "status": "UPDATE status to active, inactive, suspended or deleted.",
    "organization_id": "give the row to an organization, or DELETE it: without one nobody may see it.",
    "pipeline_id": "give the run to a pipeline, or DELETE it: without one nobody may see it.",
}


@dataclass(frozen=True)
class Rule:
    """A rule of the target: its constraint or "<column> is not null", and the condition that a row must meet."""

    table: Table
    name: str
    holds: sql.Composable
    columns: tuple[str, ...]

    @property
    def remedy(self) -> str:
        known = REMEDIES.get(self.name)
        return known or next((REMEDY_OF_KIND[c] for c in self.columns if c in REMEDY_OF_KIND), "correct the value.")


@dataclass(frozen=True)
class Finding:
    """Rows of the source that a rule refuses: how many, and some of their keys."""

    rule: Rule
    count: int
    examples: tuple[str, ...]

    def text(self) -> str:
        keys = ", ".join(self.examples) + (", …" if self.count > len(self.examples) else "")
        rows = "row" if self.count == 1 else "rows"
        return (
            f"{self.rule.table.name}: {self.count:,} {rows} against {self.rule.name}: {keys}\n  FIX: {self.rule.remedy}"
        )


def rules(target: Connection) -> list[Rule]:
    """The rules of the target's tables: NOT NULL, CHECK and the one unique key that a change on the way can break."""
    found = []
    for table in TABLES:
        for column in _not_null(target, table):
            holds = sql.SQL("{} IS NOT NULL").format(sql.Identifier("n", column))
            found.append(Rule(table, f"{column} is not null", holds, (column,)))
        found += [
            # A CHECK that is null holds; the columns are the row's own, so its text stands in the source as it is.
            Rule(table, name, sql.SQL("({}) IS NOT FALSE").format(sql.SQL(text)), tuple(columns))
            for name, text, columns in _checks(target, table)
        ]
    users = TABLES[0]
    alone = sql.SQL("count(*) OVER (PARTITION BY n.email) = 1")
    return [*found, Rule(users, "idx_users_email", alone, ("email",))]


def findings(source: Connection, schema: str, rule: Rule) -> Finding | None:
    """The rows of the source that the rule refuses, None when there are none."""
    # The condition is computed beside the row, since a window function may not stand in WHERE.
    query = sql.SQL(
        "WITH refused AS MATERIALIZED ("
        "SELECT key FROM (SELECT {key} AS key, {holds} AS holds FROM ({rows}) AS n) AS checked WHERE NOT holds"
        ") SELECT count(*), array(SELECT key FROM refused ORDER BY key LIMIT {limit}) FROM refused"
    ).format(
        key=sql.SQL("concat_ws('/', {})").format(
            sql.SQL(", ").join(sql.Identifier("n", column) for column in rule.table.key)
        ),
        holds=rule.holds,
        rows=arriving(rule.table, schema),
        limit=sql.Literal(EXAMPLES),
    )
    row: Any = source.execute(query).fetchone()
    count, examples = row
    return Finding(rule, count, tuple(examples)) if count else None


def arriving(table: Table, schema: str) -> sql.Composed:
    """Rows of the source as they would arrive, under the target's names."""
    named = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(
            sql.SQL(table.changes[column]) if column in table.changes else sql.Identifier("r", column),
            sql.Identifier(column),
        )
        for column in table.columns
    )
    return sql.SQL("SELECT {} FROM {} AS r").format(named, sql.Identifier(schema, table.name))


def _not_null(target: Connection, table: Table) -> list[str]:
    rows = target.execute(
        "SELECT attname FROM pg_attribute"
        " WHERE attrelid = format('pipe.%%I', %s::text)::regclass AND attnum > 0 AND attnotnull ORDER BY attnum",
        (table.name,),
    ).fetchall()
    return [str(name) for (name,) in rows]


def _checks(target: Connection, table: Table) -> list[tuple[str, str, list[str]]]:
    rows: list[Any] = target.execute(
        """
        SELECT
            conname, pg_get_expr(conbin, conrelid),
            array(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey))
        FROM pg_constraint
        WHERE conrelid = format('pipe.%%I', %s::text)::regclass AND contype = 'c'
        ORDER BY conname
        """,
        (table.name,),
    ).fetchall()
    return [(str(name), str(text), list(columns)) for name, text, columns in rows]
