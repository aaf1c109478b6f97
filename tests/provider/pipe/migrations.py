"""Inputs of ``pipe:sql:Migrations`` for the tests, and waiting for what a session of the server does."""

from __future__ import annotations

import time
from typing import Any

from tests.provider.pipe.conftest import Database

WAIT_SECONDS = 20
USERS = "-- People.\nCREATE TABLE pipe.users (id bigint PRIMARY KEY);\n"


def file(sql: str = USERS, version: str = "0001", name: str = "users", folder: str = "migrations") -> dict[str, str]:
    """One file; a text without a header gets one."""
    text = sql if sql.startswith("--") else f"-- Why.\n{sql}"
    return {"version": version, "name": name, "file": f"sql/{folder}/{version}_{name}.sql", "sql": text}


def script(sql: str, version: str = "0001") -> dict[str, str]:
    """A verify script."""
    return {"version": version, "name": "", "file": f"sql/verify/{version}.sql", "sql": sql}


def inputs(*files: dict[str, str], verify: tuple[dict[str, str], ...] = ()) -> dict[str, Any]:
    """The resource's inputs."""
    return {"files": list(files), "verify": list(verify), "owner": "pipe_owner"}


def until(database: Database, query: str) -> None:
    """Wait until a query has a row."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not database.rows(query):
        assert time.monotonic() < deadline, query
        time.sleep(0.02)
