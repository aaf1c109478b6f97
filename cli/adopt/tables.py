"""What becomes of each column on its way: every table of the document, in the order of their references. Pure.

A column not named under `changes` is taken as it is. A change is an expression over a row "r" of the source. Where
the document leaves a column nullable that has a value here, the document's own default is taken; a time that is not
known is taken from the row's other time, and never invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from psycopg import sql


@dataclass(frozen=True)
class Table:
    """A table of the document: its columns, its key, and the columns that change on the way."""

    name: str
    columns: tuple[str, ...]
    changes: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ("id",)

    def names(self) -> sql.Composed:
        """The columns, as in the target."""
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))

    def expressions(self) -> sql.Composed:
        """The columns as the source has to give them."""
        return sql.SQL(", ").join(
            sql.SQL(self.changes[column]) if column in self.changes else sql.Identifier("r", column)
            for column in self.columns
        )


ACTIVE = {"status": "coalesce(r.status, 'active')"}
TIMES = {
    "created_at": "coalesce(r.created_at, r.updated_at)",
    "updated_at": "coalesce(r.updated_at, r.created_at)",
}

TABLES = (
    Table(
        "users",
        ("id", "email", "name", "password_hash", "status", "created_at", "updated_at"),
        {"email": "lower(r.email)", **ACTIVE, **TIMES},
    ),
    Table(
        "organizations",
        ("id", "name", "plan_type", "status", "created_at", "updated_at"),
        {"plan_type": "coalesce(r.plan_type, 'free')", **ACTIVE, **TIMES},
    ),
    Table(
        "organization_members",
        ("organization_id", "user_id", "role", "joined_at"),
        key=("organization_id", "user_id"),
    ),
    Table(
        "pipelines",
        (
            "id", "organization_id", "name", "description", "config", "status", "created_by", "created_at",
            "updated_at",
        ),
        {**ACTIVE, **TIMES},
    ),
    Table(
        "storage_files",
        ("id", "organization_id", "path", "size", "mime_type", "metadata", "created_by", "created_at"),
    ),
    Table(
        "api_keys",
        ("id", "organization_id", "name", "key_hash", "last_used_at", "created_by", "created_at", "expires_at"),
    ),
    Table(
        "pipeline_runs",
        ("id", "pipeline_id", "status", "started_at", "completed_at", "error_message", "metrics", "created_by"),
        {"started_at": "coalesce(r.started_at, r.completed_at)"},
    ),
)  # fmt: skip
