"""Which privileges exist for which type of object, and what `ALL` stands for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ALL: Final = "ALL"
PUBLIC: Final = "public"

BY_TYPE: Final[dict[str, frozenset[str]]] = {
    "database": frozenset({"CREATE", "CONNECT", "TEMPORARY"}),
    "schema": frozenset({"CREATE", "USAGE"}),
    "table": frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}),
    "column": frozenset({"SELECT", "INSERT", "UPDATE", "REFERENCES"}),
    "sequence": frozenset({"USAGE", "SELECT", "UPDATE"}),
    "function": frozenset({"EXECUTE"}),
    "procedure": frozenset({"EXECUTE"}),
    "routine": frozenset({"EXECUTE"}),
    "type": frozenset({"USAGE"}),
}
GRANT_TYPES: Final = ("database", "schema", "table", "column", "sequence", "function", "procedure", "routine")
DEFAULT_TYPES: Final = ("table", "sequence", "function", "routine", "type", "schema")

# The first version that knows the privilege; `ALL` means less on an older server.
SINCE: Final[dict[str, int]] = {"MAINTAIN": 170000}


def expand(object_type: str, privileges: Iterable[str], version: int) -> frozenset[str]:
    """What the list means on a server of this version (as in `server_version_num`): `ALL` becomes all that there is."""
    wanted = frozenset(privileges)
    if ALL not in wanted:
        return wanted
    return frozenset(name for name in BY_TYPE[object_type] if SINCE.get(name, 0) <= version)


def spelled(privileges: Iterable[str]) -> str:
    """The list as a sentence shows it: `INSERT, SELECT`."""
    return ", ".join(sorted(privileges))
