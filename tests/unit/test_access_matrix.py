"""The table of privileges, as data: what nobody may ever be given, and the shape of the resources made from it."""

from __future__ import annotations

import re

from infra.access import arguments, document, matrix
from tests.unit.sql_files import sql_text

GRANTS = arguments.database_grants() + arguments.schema_grants() + arguments.object_grants()
TABLES = {(row.schema, row.name): row for row in matrix.MATRIX if row.kind is matrix.Kind.TABLE}


def test_every_grant_has_a_name_of_its_own() -> None:
    names = [grant.logical_name for grant in GRANTS] + [d.logical_name for d in arguments.default_privileges()]
    assert len(names) == len(set(names))


def test_every_line_of_the_table_becomes_a_grant_once() -> None:
    assert len(GRANTS) == sum(len(row.access) for row in matrix.MATRIX)


def test_hashes_are_not_for_the_reader() -> None:
    for table, column in (("users", "password_hash"), ("api_keys", "key_hash")):
        access = TABLES["pipe", table].access[matrix.READONLY]
        assert access.columns
        assert column not in access.columns


def test_the_audit_log_is_read_by_the_auditor_and_written_by_nobody() -> None:
    for row in TABLES.values():
        if row.name.startswith("audit_logs"):
            assert row.access == {matrix.AUDITOR: matrix.READ}


def test_nobody_may_truncate_or_refer() -> None:
    given = {privilege for grant in GRANTS for privilege in grant.access.privileges}
    assert given == {"CONNECT", "USAGE", "EXECUTE", "SELECT", "INSERT", "UPDATE", "DELETE"}


def test_everybody_gets_nothing() -> None:
    assert all(not grant.access.privileges for grant in GRANTS if grant.role == matrix.PUBLIC)
    assert all(not default.access.privileges for default in matrix.DEFAULTS if default.role == matrix.PUBLIC)


def test_roles_of_the_table_exist() -> None:
    known = {role.name for role in matrix.ROLES} | {matrix.PUBLIC}
    assert {grant.role for grant in GRANTS} <= known


def test_a_grant_on_columns_names_one_table_and_one_privilege() -> None:
    """What the provider asks of objectType "column"."""
    inputs = [grant.inputs() for grant in GRANTS if grant.access.columns]
    assert len(inputs) == 2
    for one in inputs:
        assert (one["object_type"], len(one["objects"]), len(one["privileges"])) == ("column", 1, 1)


def test_what_the_migrations_need_is_granted_before_them() -> None:
    before = {(grant.role, grant.row.schema) for grant in arguments.schema_grants()}
    assert (matrix.MIGRATOR, "cron") in before
    made = {"pipe", "archive", "upkeep", matrix.AUDIT_SCHEMA}
    assert {grant.row.schema for grant in arguments.object_grants()} == made


def test_every_table_of_the_files_is_in_the_matrix() -> None:
    """The other way round, granting on what nobody makes fails; some views are made by functions, not by a file."""
    made = re.findall(r"^CREATE (?:OR REPLACE )?(?:TABLE|VIEW) (\w+)\.(\w+)", sql_text(), re.MULTILINE)
    assert len(made) == len(set(made))
    assert set(made) <= TABLES.keys()


def test_the_table_of_privileges_in_the_documents_is_current() -> None:
    text = document.TARGET.read_text(encoding="utf-8")
    assert document.current(text) == text, "run: python -m infra.access.document"
