"""Grants that cannot be: refused before anything runs, or with a sentence that names what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.provider.airgap.fix_postgresql import Make, token
from tests.provider.airgap.harness import Failed, Live, Plugin, Refused

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("postgresql")]


def test_the_sentence_names_what_is_missing(make: Make, database: str, role: str) -> None:
    wanted = {"database": database, "schema": "s", "objectType": "table", "privileges": ["SELECT"]}
    depend = "create it first, or let this resource depend on the one that does; names are case-sensitive"
    with pytest.raises(Failed) as failed:
        make("Grant", role=role, objects=["users", "nope"], **wanted)
    assert str(failed.value) == (
        f'could not grant SELECT on table "s.users", "s.nope" to role "{role}": table "s.nope" does not exist\n'
        f"HINT: {depend}"
    )
    with pytest.raises(Failed) as failed:
        make("Grant", role="nobody", **wanted)
    assert str(failed.value) == (
        'could not grant SELECT on all tables in schema "s" to role "nobody": role "nobody" does not exist\n'
        f"HINT: {depend}"
    )
    with pytest.raises(Failed) as failed:
        make("Grant", role=role, **{**wanted, "schema": "nowhere"})
    assert str(failed.value) == (
        f'could not grant SELECT on all tables in schema "nowhere" to role "{role}": schema "nowhere" does not exist\n'
        "HINT: create the schema first, or let this resource depend on the one that does"
    )
    with pytest.raises(Failed) as failed:
        make("Grant", role=role, objects=["users"], columns=["nope"], **{**wanted, "objectType": "column"})
    assert str(failed.value) == (
        f'could not grant SELECT on columns "nope" of table "users" to role "{role}": '
        'column "nope" of relation "users" does not exist [SQLSTATE 42703]\n'
        "HINT: check the names of the columns"
    )


def test_a_grant_cannot_be_imported(sql_plugin: Plugin) -> None:
    with pytest.raises(Failed) as failed:
        Live(sql_plugin, token("Grant"), "imported").adopt("app_pipe_s_table_users")
    assert str(failed.value) == (
        'grant "app_pipe_s_table_users" cannot be imported: its id does not say where a name ends\n'
        "HINT: leave the import out: to create a Grant that holds already changes nothing"
    )


GOOD = {"role": "r", "database": "d", "schema": "s", "objectType": "table", "privileges": ["SELECT"]}


ON_COLUMNS = {"objectType": "column", "objects": ["a"], "columns": ["c"]}


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        (
            {"objectType": "foreign_server"},
            "objectType",
            '"foreign_server" is not supported by the air-gapped postgresql provider',
        ),
        (
            {"objectType": "tables"},
            "objectType",
            '"tables" is no objectType of this resource, which are database, schema, table, column, sequence, '
            'function, procedure, routine; did you mean "table"?',
        ),
        ({"schema": None}, "schema", 'is required when objectType is "table"'),
        (
            {"objectType": "schema", "objects": ["x"], "privileges": ["USAGE"]},
            "objects",
            'must be left out when objectType is "schema"',
        ),
        ({"columns": ["x"]}, "columns", 'must be left out unless objectType is "column"'),
        (
            {**ON_COLUMNS, "objects": ["a", "b"]},
            "objects",
            'must name exactly one table when objectType is "column"',
        ),
        ({**ON_COLUMNS, "columns": []}, "columns", 'is required when objectType is "column"'),
        (
            {**ON_COLUMNS, "privileges": []},
            "privileges",
            'must name exactly one privilege when objectType is "column"',
        ),
        (
            {"privileges": ["select"]},
            "privileges",
            '"select" is no privilege of a table, which are ALL, DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, '
            'TRIGGER, TRUNCATE, UPDATE; did you mean "SELECT"?',
        ),
        ({"role": "PUBLIC"}, "role", 'must be "public", in lower case, when everybody is meant'),
        ({"role": "public", "withGrantOption": True}, "withGrantOption", 'must be false for role "public"'),
    ],
)
def test_wrong_inputs_are_refused(sql_plugin: Plugin, change: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        Live(sql_plugin, token("Grant"), "wrong").up({**GOOD, **change})
    assert refused.value.failures == {path: reason}
