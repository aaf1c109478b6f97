"""PostgreSQL parameters that a stack may not set, or not to that value."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings import load, parameters
from tests.unit.settings_lines import GOOD, lines

PARAMETERS = {
    "not a map": ("shared_buffers", "must be a map of name: value; for example {work_mem: 8MB}"),
    "a slip": ({"work_men": "8MB"}, "PostgreSQL 17 has no such parameter; did you mean work_mem?"),
    "no parameter": ({"xyzzy_q": 1}, "PostgreSQL 17 has no such parameter; remove it"),
    "no name": ({"work mem": 1}, "must be the name of a PostgreSQL parameter; use letters, digits and _"),
    "a list": ({"work_mem": [1]}, "must be a text, a number, true or false; write one value"),
    "set elsewhere": ({"max_connections": 5}, "the bundle sets this parameter; set database.max_connections"),
    "any case": ({"Max_Connections": 5}, "the bundle sets this parameter; set database.max_connections"),
    "memory": (
        {"shared_buffers": "1GB"},
        "the bundle sets this parameter; it is computed from database.memory_mb; set that",
    ),
    "archiving": ({"archive_mode": "off"}, "the bundle sets this parameter; archiving is set under backup; remove it"),
    "archive_timeout": ({"archive_timeout": 5}, "the bundle sets this parameter; set backup.archive_timeout_s"),
    "TLS": (
        {"ssl_ciphers": "ALL"},
        "the bundle sets this parameter; the stack's certificates are set under certificates and network.hostnames; "
        "remove it",
    ),
    "Patroni": ({"wal_level": "logical"}, "the bundle sets this parameter; Patroni sets it on each member; remove it"),
    "unsafe": (
        {"fsync": False},
        "the bundle sets this parameter; it can lose or hide data, which no setting here may; remove it",
    ),
    "an extension's": ({"cron.host": "x"}, "the bundle sets this parameter; the bundle runs pg_cron; remove it"),
    "not a boolean": ({"jit": "maybe"}, "must be on or off; write one of them"),
    "not of the enum": ({"wal_compression": "zip"}, "must be one of pglz, lz4, zstd, on, off; write one of them"),
    "a unit of time for memory": (
        {"work_mem": "8s"},
        "must be a whole number from 64 to 2147483647, in kB or with a unit; for example 64MB",
    ),
    "too small with a unit": (
        {"work_mem": "32kB"},
        "must be a whole number from 64 to 2147483647, in kB or with a unit; for example 64MB",
    ),
    "too large a time": (
        {"checkpoint_timeout": "2d"},
        "must be a whole number from 30 to 86400, in s or with a unit; for example 30s",
    ),
    "no number": (
        {"random_page_cost": "low"},
        "must be a number from 0 to 1.79769e+308; write a number without a unit",
    ),
    "a fraction": ({"geqo_effort": 2.5}, "must be a whole number from 1 to 10; write a number without a unit"),
}


@pytest.mark.parametrize(("value", "text"), PARAMETERS.values(), ids=list(PARAMETERS))
def test_a_wrong_parameter_is_one_line(value: Any, text: str) -> None:
    (line,) = lines({"database": {"parameters": value}})
    key = (
        f"pipe:database.parameters.{next(iter(value))} = " if isinstance(value, dict) else "pipe:database.parameters = "
    )
    assert line.startswith(key)
    assert line.endswith(f": {text}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("work_mem", "8MB"),
        ("work_mem", 8192),
        ("work_mem", "8192"),
        ("maintenance_work_mem", "1 GB"),
        ("checkpoint_timeout", "10min"),
        ("log_min_duration_statement", "250ms"),
        ("log_min_duration_statement", -1),
        ("random_page_cost", 1.1),
        ("jit", False),
        ("jit", "off"),
        ("wal_compression", "lz4"),
        ("wal_compression", True),
        ("synchronous_commit", "remote_apply"),
        ("statement_timeout", "15min"),
        ("Work_Mem", "8MB"),
        ("search_path", "pipe"),
        ("pg_stat_statements.max", 1000),
    ],
)
def test_a_right_parameter_is_taken_as_it_is(name: str, value: Any) -> None:
    settings = load("mine", GOOD | {"database": {"parameters": {name: value}}})
    assert settings.database.parameters == {name.lower(): value}


def test_every_owned_parameter_exists() -> None:
    assert set(parameters.OWNED) <= set(parameters.known())


@pytest.mark.parametrize("prefix", parameters.OWNED_PREFIXES)
def test_every_owned_family_exists(prefix: str) -> None:
    assert prefix.endswith(".") or any(name.startswith(prefix) for name in parameters.known())
