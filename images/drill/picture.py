"""The catalog, row by row as the queries of `provider/catalog` describe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

# A row's text; the query's name and the first columns, which name the object, come first.
Picture = frozenset[str]


def look(connection: psycopg.Connection[tuple[Any, ...]], queries: Mapping[str, str]) -> Picture:
    """Return the catalog of a database."""
    with connection.transaction():
        for setting in ("search_path = pg_catalog", "timezone = 'UTC'", "jit = off"):
            connection.execute(f"SET LOCAL {setting}".encode())
        return frozenset(
            f"{name} {' '.join(map(str, row))}"
            for name, query in sorted(queries.items())
            for row in connection.execute(query.encode())
        )
