"""Roles: what a role is and what it shall be, mapped to statements. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg import sql

from airgap.postgresql.plan import Statement

# Input -> the word that grants the attribute; the word that takes it away has NO in front.
FLAGS: Final[dict[str, str]] = {
    "superuser": "SUPERUSER",
    "createDatabase": "CREATEDB",
    "createRole": "CREATEROLE",
    "inherit": "INHERIT",
    "login": "LOGIN",
    "replication": "REPLICATION",
    "bypassRowLevelSecurity": "BYPASSRLS",
}
# Input -> the parameter that is set for the role's sessions.
TIMEOUTS: Final[dict[str, str]] = {
    "statementTimeout": "statement_timeout",
    "idleInTransactionSessionTimeout": "idle_in_transaction_session_timeout",
}
_UNITS_MS: Final[dict[str, float]] = {"us": 0.001, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*\Z")
_PATH_ELEMENT: Final = re.compile(r'"((?:[^"]|"")*)"|([^,\s]+)')


def settings_of(role_config: Sequence[str] | None) -> dict[str, Any]:
    """The inputs that a role's stored parameters (`pg_roles.rolconfig`) stand for."""
    stored = dict(line.split("=", 1) for line in role_config or ())
    path = stored.get("search_path", "")
    found: dict[str, Any] = {
        "searchPaths": [
            quoted.replace('""', '"') if quoted else plain for quoted, plain in _PATH_ELEMENT.findall(path)
        ],
        "assumeRole": stored.get("role", ""),
    }
    for name, parameter in TIMEOUTS.items():
        found[name] = milliseconds(stored.get(parameter, "0"))
    return found


def milliseconds(text: str) -> int:
    """A duration as PostgreSQL takes it ("5s", "5000") in milliseconds; 0 for one that it would not take."""
    match = _DURATION.match(text)
    if match is None or (match[2] and match[2] not in _UNITS_MS):
        return 0
    return round(float(match[1]) * _UNITS_MS[match[2] or "ms"])


def role(
    name: str, actual: Mapping[str, Any] | None, wanted: Mapping[str, Any], password: str | None
) -> list[Statement]:
    """Statements that make the role, or, where `actual` says what it is, bring it to what is wanted.

    `password` is what to set: a verifier, "" for none at all, None to leave it alone.
    """
    options = _options(actual, wanted, password)
    found: list[Statement] = []
    if actual is None:
        query = sql.SQL("CREATE ROLE {} WITH {}").format(sql.Identifier(name), sql.SQL(" ").join(options))
        found.append(Statement(f'create role "{name}"', query))
    elif options:
        query = sql.SQL("ALTER ROLE {} WITH {}").format(sql.Identifier(name), sql.SQL(" ").join(options))
        found.append(Statement(f'alter role "{name}"', query))
    return found + _settings(name, actual or settings_of(None), wanted)


def rename(old: str, new: str) -> list[Statement]:
    """Gives the role its new name, if it has one."""
    if old == new:
        return []
    query = sql.SQL("ALTER ROLE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
    return [Statement(f'rename role "{old}" to "{new}"', query)]


def drop(name: str, skip_reassign: bool, skip_drop: bool) -> list[Statement]:
    """Hands over what the role owns in the provider's database, takes its privileges there away, and drops it."""
    role = sql.Identifier(name)
    found: list[Statement] = []
    if not skip_reassign:
        reassign = sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(role)
        found.append(Statement(f'take over what role "{name}" owns', reassign))
        found.append(Statement(f'revoke what role "{name}" may do', sql.SQL("DROP OWNED BY {}").format(role)))
    if not skip_drop:
        found.append(Statement(f'drop role "{name}"', sql.SQL("DROP ROLE {}").format(role)))
    return found


def comment(name: str, text: str) -> Statement:
    """Says on the role who made it."""
    query = sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(text))
    return Statement(f'comment on role "{name}"', query)


def _options(actual: Mapping[str, Any] | None, wanted: Mapping[str, Any], password: str | None) -> list[sql.Composable]:
    options: list[sql.Composable] = []
    for name, word in FLAGS.items():
        flag = bool(wanted.get(name))
        if actual is None or bool(actual[name]) != flag:
            options.append(sql.SQL(word if flag else f"NO{word}"))
    limit = int(wanted.get("connectionLimit", -1))
    if actual is None or actual["connectionLimit"] != limit:
        options.append(sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(limit)))
    expiry = wanted.get("validUntil") or "infinity"
    if actual is None or actual["validUntil"] != expiry:
        options.append(sql.SQL("VALID UNTIL {}").format(sql.Literal(expiry)))
    if password is not None:
        options.append(sql.SQL("PASSWORD {}").format(sql.Literal(password or None)))
    return options


def _settings(name: str, actual: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Statement]:
    values: dict[str, sql.Composable | None] = {}
    path = list(wanted.get("searchPaths") or ())
    if path != list(actual["searchPaths"]):
        values["search_path"] = sql.SQL(", ").join(map(sql.Identifier, path)) if path else None
    for key, parameter in TIMEOUTS.items():
        timeout = int(wanted.get(key) or 0)
        if timeout != actual[key]:
            values[parameter] = sql.Literal(timeout) if timeout else None
    assumed = wanted.get("assumeRole") or ""
    if assumed != actual["assumeRole"]:
        values["role"] = sql.Literal(assumed) if assumed else None
    found: list[Statement] = []
    for parameter, value in values.items():
        head = sql.SQL("ALTER ROLE {} ").format(sql.Identifier(name))
        if value is None:
            query = head + sql.SQL("RESET {}").format(sql.Identifier(parameter))
        else:
            query = head + sql.SQL("SET {} TO {}").format(sql.Identifier(parameter), value)
        found.append(Statement(f'set {parameter} of role "{name}"', query))
    return found
