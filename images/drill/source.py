"""The primary, as pipe_drill: it marks a place in its WAL, says what it holds there, and is told the result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from drill.picture import Picture, look

FILE = Path("/etc/pipe/drill.json")
AUTHORITY = "/etc/pipe/ca.pem"
_CONNECT_SECONDS = 10
_BEGIN = "SELECT number, restore_point, last_segment, marked_at, row_counts FROM upkeep.begin_drill()"


@dataclass(frozen=True)
class Mark:
    """A place in the WAL, and what the database held there."""

    number: int
    restore_point: str
    segment: str
    at: datetime
    rows: Mapping[str, int] | None
    """None where no moment came in which nobody wrote."""
    pictures: tuple[Picture, Picture]
    """The catalog just before and just after: both are the same, unless somebody changed it meanwhile."""


@dataclass(frozen=True)
class Source:
    """How the primary is reached; the file of these is a secret."""

    hosts: tuple[str, ...]
    password: str
    queries: Mapping[str, str]
    """The queries of the catalog's picture, by name."""

    @classmethod
    def load(cls) -> Source:
        """Read the configuration."""
        known = json.loads(FILE.read_text())
        return cls(tuple(known["hosts"]), known["password"], known["queries"])

    def mark(self) -> Mark:
        """Begin a drill; raises psycopg.Error."""
        with self._connect() as connection:
            before = look(connection, self.queries)
            row = connection.execute(_BEGIN).fetchone()
            assert row is not None, "the function returns a row"
            number, point, segment, at, rows = row
            return Mark(number, point, segment, at, rows, (before, look(connection, self.queries)))

    def record(self, number: int | None, result: Mapping[str, Any]) -> None:
        """End a drill, without a number one that could not begin here; raises psycopg.Error."""
        with self._connect() as connection:
            connection.execute("SELECT upkeep.end_drill(%s, %s)", (number, Jsonb(result)))

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=",".join(self.hosts),
            dbname="pipe",
            user="pipe_drill",
            password=self.password,
            sslmode="verify-full",
            sslrootcert=AUTHORITY,
            target_session_attrs="read-write",
            connect_timeout=_CONNECT_SECONDS,
            application_name="pipe-drill",
            autocommit=True,
        )
