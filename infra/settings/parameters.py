"""Which PostgreSQL parameters a stack may set, and to what. Pure but for the table of parameters beside it.

`postgresql_17.tsv` is PostgreSQL's own pg_settings without those that no file can set: name, context, type, unit,
minimum, maximum and the values of an enum.
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import Any, NamedTuple

from infra.settings.cluster import MAJOR_VERSION
from infra.settings.faults import closest

VERSION = MAJOR_VERSION

_MEMORY = "it is computed from database.memory_mb; set that"
_PATRONI = "Patroni sets it on each member; remove it"
_ARCHIVE = "archiving is set under backup; remove it"
_TLS = "the stack's certificates are set under certificates and network.hostnames; remove it"
_LOG = "members log to the container's output; remove it"
_UNSAFE = "it can lose or hide data, which no setting here may; remove it"
_RECOVERY = "Patroni and pgBackRest set recovery; remove it"
_FILES = "members have fixed paths; remove it"

OWNED: dict[str, str] = {
    "max_connections": "set database.max_connections",
    "archive_timeout": "set backup.archive_timeout_s",
    "port": "members listen on a fixed port, clients on the ports from network.port_base; remove it",
    "listen_addresses": "members listen inside the stack's network, clients on network.bind_address; set that",
    "synchronous_standby_names": "Patroni writes it; set failover.synchronous",
    "shared_preload_libraries": "the bundle loads what the schema needs; remove it",
    "password_encryption": "SCRAM is the only method; remove it",
    "max_wal_senders": "it covers every replica that a stack can have; remove it",
    "max_replication_slots": "it covers every replica that a stack can have; remove it",
    "recovery_min_apply_delay": "it would delay every member; remove it",
    "default_transaction_read_only": "the proxy decides where writes go; use the read-only endpoint",
    **dict.fromkeys(("shared_buffers", "effective_cache_size"), _MEMORY),
    **dict.fromkeys(("shared_memory_type", "dynamic_shared_memory_type", "huge_pages", "huge_page_size"), _MEMORY),
    **dict.fromkeys(("wal_level", "wal_log_hints", "hot_standby", "cluster_name", "primary_conninfo"), _PATRONI),
    **dict.fromkeys(("primary_slot_name", "sync_replication_slots", "synchronized_standby_slots"), _PATRONI),
    **dict.fromkeys(("data_directory", "config_file", "hba_file", "ident_file", "external_pid_file"), _FILES),
    **dict.fromkeys(("log_destination", "logging_collector", "log_directory", "log_filename", "log_file_mode"), _LOG),
    **dict.fromkeys(("log_rotation_age", "log_rotation_size", "log_truncate_on_rotation"), _LOG),
    **dict.fromkeys(("fsync", "full_page_writes", "zero_damaged_pages", "ignore_checksum_failure"), _UNSAFE),
    **dict.fromkeys(("ignore_invalid_pages", "ignore_system_indexes", "allow_system_table_mods"), _UNSAFE),
    **dict.fromkeys(("restore_command", "recovery_end_command", "recovery_init_sync_method"), _RECOVERY),
}
# Families of parameters that belong to the bundle as a whole.
OWNED_PREFIXES: dict[str, str] = {
    "archive_": _ARCHIVE,
    "ssl": _TLS,
    "recovery_target": _RECOVERY,
    "unix_socket_": _FILES,
    "cron.": "the bundle runs pg_cron; remove it",
}

_MEMORY_UNITS = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIME_UNITS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_BOOLEANS = frozenset({"on", "off", "true", "false", "yes", "no", "1", "0"})


class Known(NamedTuple):
    """A row of PostgreSQL's table of parameters; "-" stands for nothing."""

    name: str
    context: str
    type: str
    unit: str
    minimum: str
    maximum: str
    values: str


@functools.cache
def known() -> dict[str, Known]:
    """Every parameter that can be set, by its lower-case name."""
    text = resources.files("infra.settings").joinpath(f"postgresql_{VERSION}.tsv").read_text(encoding="utf-8")
    rows = (Known(*line.split("\t")) for line in text.splitlines() if not line.startswith("#"))
    return {row.name.lower(): row for row in rows}


def problem(name: str, value: Any) -> tuple[str, str] | None:
    """What is wrong with a parameter, as (what is allowed, how to mend it); None when nothing is."""
    lower = name.lower()
    owner = OWNED.get(lower) or next((hint for start, hint in OWNED_PREFIXES.items() if lower.startswith(start)), None)
    if owner is not None:
        return "the bundle sets this parameter", owner
    if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", lower):
        return "must be the name of a PostgreSQL parameter", "use letters, digits and _"
    if not isinstance(value, str | int | float | bool):
        return "must be a text, a number, true or false", "write one value"
    if "." in lower:
        return None  # Parameters of extensions are known to the extensions only.
    row = known().get(lower)
    if row is None:
        match = closest(lower, known())
        return f"PostgreSQL {VERSION} has no such parameter", f"did you mean {match}?" if match else "remove it"
    return _value_problem(row, value)


def _value_problem(row: Known, value: Any) -> tuple[str, str] | None:
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    if row.type == "bool":
        return None if text.lower() in _BOOLEANS else ("must be on or off", "write one of them")
    if row.type == "enum":
        choices = row.values.split(",")
        # PostgreSQL takes true, yes and 1 where on is a value.
        ok = text.lower() in choices or ("on" in choices and text.lower() in _BOOLEANS)
        return (
            None
            if ok
            else (f"must be one of {', '.join(choice or '(empty)' for choice in choices)}", "write one of them")
        )
    if row.type == "string":
        return None
    return _number_problem(row, text)


def _number_problem(row: Known, text: str) -> tuple[str, str] | None:
    unit = "" if row.unit == "-" else row.unit
    whole = "a whole number" if row.type == "integer" else "a number"
    allowed = f"must be {whole} from {row.minimum} to {row.maximum}" + (f", in {unit} or with a unit" if unit else "")
    fix = "write a number without a unit"
    if unit:
        fix = "for example 64MB" if unit.endswith("B") else "for example 30s"
    match = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None:
        return allowed, fix
    number, suffix = float(match[1]), match[2]
    if suffix:
        factor = _factor(suffix, unit)
        if factor is None:
            return allowed, fix
        number *= factor
    elif row.type == "integer" and number != int(number):
        return allowed, fix
    if not float(row.minimum) <= number <= float(row.maximum):
        return allowed, fix
    return None


def _factor(suffix: str, base: str) -> float | None:
    """How many base units ("8kB", "ms") one `suffix` is; None when they measure different things."""
    match = re.fullmatch(r"(\d*)([A-Za-z]+)", base)
    if match is None:
        return None
    for units in (_MEMORY_UNITS, _TIME_UNITS):
        if suffix in units and match[2] in units:
            return units[suffix] / (units[match[2]] * int(match[1] or 1))
    return None
