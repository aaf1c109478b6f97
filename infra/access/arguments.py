"""The matrix as arguments of ``pulumi_postgresql`` resources, in an order in which they can be made one by one.

Pure functions: what each grant is called, what it is about, and what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from infra.access import matrix


@dataclass(frozen=True)
class Grant:
    """One ``postgresql.Grant``: one role, one object."""

    role: str
    row: matrix.Row = field(repr=False)
    access: matrix.Access

    @property
    def logical_name(self) -> str:
        """Name in Pulumi: role, kind, object; it stays the same when privileges change."""
        bare_name = self.row.name.partition("(")[0]
        parts = (self.role.removeprefix("pipe_"), self.row.kind.value, self.row.schema or matrix.DATABASE, bare_name)
        return "-".join(part for part in parts if part)

    @property
    def subject(self) -> str:
        """What it changes: grants on the same subject must not run at the same time."""
        if self.row.kind is matrix.Kind.DATABASE:
            return f"database {matrix.DATABASE}"
        # Those on all functions of a schema touch each of them.
        name = "" if self.row.kind is matrix.Kind.FUNCTION else self.row.name
        return f"{self.row.kind.value} {self.row.schema}.{name}"

    def inputs(self) -> dict[str, Any]:
        """Return the resource's arguments; an empty ``privileges`` takes away what somebody else granted."""
        inputs: dict[str, Any] = {
            "database": matrix.DATABASE,
            "role": self.role,
            "object_type": "column" if self.access.columns else self.row.kind.value,
            "privileges": list(self.access.privileges),
        }
        if self.row.schema:
            inputs["schema"] = self.row.schema
        if self.row.name:
            inputs["objects"] = [self.row.name]
        if self.access.columns:
            inputs["columns"] = list(self.access.columns)
        return inputs


@dataclass(frozen=True)
class DefaultPrivilege:
    """One ``postgresql.DefaultPrivileges``, for what the owner makes."""

    default: matrix.Default

    @property
    def logical_name(self) -> str:
        """Name in Pulumi: role, kind, schema."""
        parts = ("default", self.default.role.removeprefix("pipe_"), self.default.kind.value, self.default.schema)
        return "-".join(part for part in parts if part)

    def inputs(self) -> dict[str, Any]:
        """Return the resource's arguments."""
        inputs: dict[str, Any] = {
            "database": matrix.DATABASE,
            "owner": matrix.OWNER,
            "role": self.default.role,
            "object_type": self.default.kind.value,
            "privileges": list(self.default.access.privileges),
        }
        if self.default.schema:
            inputs["schema"] = self.default.schema
        return inputs


def _grants(rows: Iterable[matrix.Row]) -> list[Grant]:
    return [Grant(role, row, access) for row in rows for role, access in row.access.items()]


def _is_there_before_migrations(row: matrix.Row) -> bool:
    of_an_extension = row.schema == "cron" or row.name.startswith("pg_stat_statements")
    if row.schema == matrix.AUDIT_SCHEMA:
        return False
    return row.kind is matrix.Kind.SCHEMA or of_an_extension or row.schema == "pg_catalog"


def database_grants() -> list[Grant]:
    """Return who may connect."""
    return _grants(row for row in matrix.MATRIX if row.kind is matrix.Kind.DATABASE)


def schema_grants() -> list[Grant]:
    """Return the rights on schemas, and on objects of extensions: all that has to be there before the migrations."""
    return _grants(row for row in matrix.MATRIX if _is_there_before_migrations(row))


def object_grants() -> list[Grant]:
    """Return the rights on what the migrations make: to be granted after them."""
    return _grants(
        row for row in matrix.MATRIX if row.kind is not matrix.Kind.DATABASE and not _is_there_before_migrations(row)
    )


def default_privileges() -> list[DefaultPrivilege]:
    """Return what holds for objects of later migrations."""
    return [DefaultPrivilege(default) for default in matrix.DEFAULTS]
