"""Looks at the live catalog: a handful of queries, whatever there is in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from provider.catalog.acl import describe
from provider.catalog.facts import Fact
from provider.catalog.lines import Picture, draw

if TYPE_CHECKING:
    from provider.sql.connection import Connection

_MAY_SEE_JOBS = """
SELECT EXISTS (
    SELECT FROM pg_class AS relation INNER JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace
    WHERE
        schema.nspname = 'cron'
        AND relation.relname = 'job'
        AND has_schema_privilege(schema.oid, 'USAGE')
        AND has_table_privilege(relation.oid, 'SELECT')
)"""
# One-shot jobs, and the follow-up of archiving, come and go by themselves (sql/repeatable/090_jobs.sql).
_JOBS = """
SELECT
    'job ' || coalesce(quote_ident(jobname), '(without a name)'),
    concat_ws(
        ', ', schedule, 'in ' || database, 'as ' || username, CASE WHEN NOT active THEN 'inactive' END,
        'command ' || left(encode(sha256(convert_to(command, 'UTF8')), 'hex'), 12)
    )
FROM cron.job
WHERE coalesce(jobname, '') !~ '^pipe_(detach_|once_|archive_follow_up$)'
"""


@cache
def query(name: str) -> bytes:
    """Return the text of one of the files beside this one."""
    return Path(__file__).with_name(f"{name}.sql").read_bytes()


def prepare(connection: Connection) -> None:
    """Inside a transaction: qualify every name, show times in UTC; compiling would take longer than asking."""
    connection.execute("SET LOCAL search_path = pg_catalog")
    connection.execute("SET LOCAL timezone = 'UTC'")
    connection.execute("SET LOCAL jit = off")


def look(connection: Connection) -> Picture:
    """Return the picture of the database, inside a transaction, as the role that logged in: jobs are its own."""
    connection.execute("SET LOCAL ROLE NONE")
    prepare(connection)
    relations = [
        Fact(kind, relation, parent, facet, definition if granted is None else describe(granted, initial))
        for name in ("relations", "parts")
        for kind, relation, parent, facet, definition, granted, initial in connection.execute(query(name))
    ]
    others = {
        line: definition if granted is None else describe(granted, initial)
        for name in ("objects", "access")
        for line, definition, granted, initial in connection.execute(query(name))
    }
    row = connection.execute(_MAY_SEE_JOBS).fetchone()
    if row is not None and row[0]:
        others |= dict(connection.execute(_JOBS))
    return draw(relations, others)
