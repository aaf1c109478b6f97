"""The forms of the statements that may leave something half done, with the names in them. Pure."""

from __future__ import annotations

import re

from provider.sql.scanner import Statement

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+))*'
_CREATE_INDEX = re.compile(
    rf"(?is)CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<index>(?!ON\s){_NAME})\s+ON\s+"
    rf"(?:ONLY\s+)?(?P<table>{_NAME})"
)
_DROP_INDEX = re.compile(rf"(?is)DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?(?P<index>{_NAME})\s*(?P<more>,)?")
_REINDEX = re.compile(
    rf"(?is)REINDEX\s*(?:\([^)]*\)\s*)?(?P<kind>INDEX|TABLE)\s+(?:CONCURRENTLY\s+)?(?P<relation>{_NAME})"
)
_DETACH = re.compile(
    rf"(?is)ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?P<table>{_NAME})\s+DETACH\s+PARTITION\s+"
    rf"(?P<partition>{_NAME})\s+(?P<how>CONCURRENTLY|FINALIZE)\s*$"
)


def is_concurrent(statement: Statement) -> bool:
    """Say whether it makes, drops or remakes an index while nobody has to wait for it."""
    match statement.words:
        case ("CREATE" | "DROP" | "REINDEX", *rest):
            return "CONCURRENTLY" in rest
        case _:
            return False


def created_index(statement: Statement) -> tuple[str, str] | None:
    """Return index and table of CREATE INDEX CONCURRENTLY, as they are written."""
    match = _CREATE_INDEX.match(statement.code)
    return (match["index"], match["table"]) if match else None


def dropped_index(statement: Statement) -> str | None:
    """Return the index of DROP INDEX CONCURRENTLY, which takes only one."""
    match = _DROP_INDEX.match(statement.code)
    return match["index"] if match and not match["more"] else None


def reindexed(statement: Statement) -> tuple[str, str] | None:
    """Return what REINDEX ... CONCURRENTLY makes anew: INDEX or TABLE, and its name."""
    match = _REINDEX.match(statement.code) if is_concurrent(statement) else None
    return (match["kind"].upper(), match["relation"]) if match else None


def detached(statement: Statement) -> tuple[str, str] | None:
    """Return table and partition of ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY or FINALIZE."""
    match = _DETACH.match(statement.code)
    return (match["table"], match["partition"]) if match else None


def runs_by_itself(statement: Statement) -> bool:
    """Say whether a statement cannot share a transaction with the row that records it."""
    match statement.words:
        # A block or procedure may commit by itself, batch by batch.
        case ("VACUUM" | "DO" | "CALL", *_):
            return True
        case ("CREATE" | "DROP", "DATABASE" | "TABLESPACE" | "SUBSCRIPTION", *_) | ("ALTER", "SYSTEM", *_):
            return True
        case ("REINDEX", *rest) if {"SCHEMA", "DATABASE", "SYSTEM"} & {*rest[:2]}:
            return True
        case ("ALTER", "TABLE", *_):
            return detached(statement) is not None
        case _:
            return is_concurrent(statement)
