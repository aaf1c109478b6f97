"""Decides what to send to Patroni and what its answers mean. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Parameters that PostgreSQL 17 reads only when it starts: SELECT name FROM pg_settings WHERE context = 'postmaster'.
# After a change of one of them Patroni needs a moment to see that a restart is pending; others need no such wait.
_RESTART_PARAMETERS = """
    archive_mode autovacuum_freeze_max_age autovacuum_max_workers autovacuum_multixact_freeze_max_age bonjour
    bonjour_name cluster_name commit_timestamp_buffers config_file data_directory data_sync_retry debug_io_direct
    dynamic_shared_memory_type event_source external_pid_file hba_file hot_standby huge_page_size huge_pages ident_file
    ignore_invalid_pages jit_provider listen_addresses logging_collector max_connections max_files_per_process
    max_locks_per_transaction max_logical_replication_workers max_notify_queue_pages max_pred_locks_per_transaction
    max_prepared_transactions max_replication_slots max_wal_senders max_worker_processes min_dynamic_shared_memory
    multixact_member_buffers multixact_offset_buffers notify_buffers port recovery_target
    recovery_target_action recovery_target_inclusive recovery_target_lsn recovery_target_name recovery_target_time
    recovery_target_timeline recovery_target_xid reserved_connections serializable_buffers shared_buffers
    shared_memory_type shared_preload_libraries subtransaction_buffers superuser_reserved_connections
    trace_connection_negotiation track_activity_query_size track_commit_timestamp transaction_buffers
    unix_socket_directories unix_socket_group unix_socket_permissions wal_buffers wal_decode_buffer_size
    wal_level wal_log_hints
"""
RESTART_PARAMETERS = frozenset(_RESTART_PARAMETERS.split())
PARAMETERS = "postgresql.parameters."
# A replica refuses to have less of these than its primary.
LIMITS = frozenset(
    {
        "max_connections",
        "max_locks_per_transaction",
        "max_prepared_transactions",
        "max_wal_senders",
        "max_worker_processes",
    }
)


@dataclass(frozen=True)
class Readiness:
    """Whether a member does its work, and in words what it does instead."""

    ready: bool
    words: str
    unled: bool = False
    """Whether it runs as a replica, and the cluster has no leader that it could follow."""


def readiness(member: str, status: Mapping[str, Any], *, holds_lock: bool) -> Readiness:
    """Judge ``GET /patroni``: the leader must run and hold the lock, a replica must stream."""
    name = status.get("patroni", {}).get("name")
    if name != member:
        return Readiness(False, f'another member answers there: "{name}"')
    state, role = status.get("state", "unknown"), status.get("role", "unknown")
    if role in ("primary", "master", "standby_leader"):
        if state != "running":
            return Readiness(False, f"is to lead, but is {state}")
        return Readiness(holds_lock, "leads" if holds_lock else "runs, but does not hold the leader's lock yet")
    if state != "running":
        return Readiness(False, f"is {state}")
    replication = status.get("replication_state")
    if replication == "streaming":
        return Readiness(True, "streams")
    # One that lies behind on purpose first applies what it has, and that takes as long as its delay.
    if replication == "in archive recovery" and status.get("tags", {}).get("nofailover"):
        return Readiness(True, "follows from the archive, behind on purpose")
    words = f"runs as a replica, but does not stream: {replication or 'no leader to stream from'}"
    return Readiness(False, words, unled=bool(status.get("cluster_unlocked")))


def owned(actual: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return of the actual configuration what ``config`` owns: the same keys, with the values that are there."""
    result: dict[str, Any] = {}
    for key, wanted in config.items():
        if key not in actual:
            continue
        value = actual[key]
        if isinstance(wanted, Mapping):
            result[key] = owned(value, wanted) if isinstance(value, Mapping) else value
        else:
            result[key] = wanted if same(value, wanted) else value
    return result


def same(actual: Any, wanted: Any) -> bool:
    """Compare as Patroni does before it stores a value: as text, so that 100 and "100" are one."""
    return actual is not None and wanted is not None and str(actual) == str(wanted)


def patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``PATCH /config`` needs: every wanted value, and null for each key that is owned no longer."""
    result: dict[str, Any] = {}
    for key, before in old.items():
        if key not in new:
            # Only the leaves are ours: the same map may hold keys of somebody else.
            result[key] = patch(before, {}) if isinstance(before, Mapping) else None
    for key, wanted in new.items():
        before = old.get(key)
        if isinstance(wanted, Mapping):
            result[key] = patch(before if isinstance(before, Mapping) else {}, wanted)
        else:
            result[key] = wanted
    return result


def prior(old: Mapping[str, Any], actual: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was in force before a patch, of which a run that was killed may have stored all or a part.

    That is what the state says. A key that it does not have is somebody else's, unless it has the patch's own value.
    """
    result: dict[str, Any] = {}
    for key, wanted in change.items():
        known, value = old.get(key), actual.get(key)
        if isinstance(wanted, Mapping):
            known, value = (found if isinstance(found, Mapping) else {} for found in (known, value))
            result[key] = prior(known, value, wanted)
        elif key in old:
            result[key] = known
        elif not same(value, wanted):
            result[key] = value
    return result


def reverse(before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch that takes a change back, given the whole configuration from before."""
    result: dict[str, Any] = {}
    for key, wanted in change.items():
        value = before.get(key)
        if isinstance(wanted, Mapping):
            result[key] = reverse(value if isinstance(value, Mapping) else {}, wanted)
        else:
            result[key] = value
    return result


def unmet(actual: Mapping[str, Any], change: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names of the keys of a patch that the actual configuration does not show yet."""
    result: list[str] = []
    for key, wanted in change.items():
        value = actual.get(key)
        if isinstance(wanted, Mapping):
            result += unmet(value if isinstance(value, Mapping) else {}, wanted, f"{prefix}{key}.")
        elif value != wanted and not same(value, wanted):
            result.append(prefix + key)
    return result


def needs_restart(changed: list[str]) -> bool:
    """Say whether a change of these keys takes effect only after a restart."""
    return any(name in RESTART_PARAMETERS for name in _parameters(changed))


def may_need_restart(changed: list[str]) -> bool:
    """Say whether a restart can become pending by a change of these keys; extensions' parameters always may."""
    return needs_restart(changed) or any("." in name for name in _parameters(changed))


def _parameters(changed: list[str]) -> list[str]:
    return [name.removeprefix(PARAMETERS) for name in changed if name.startswith(PARAMETERS)]


def restarts_told(
    old: Mapping[str, Any], new: Mapping[str, Any], *, rolling: bool, members: int
) -> tuple[list[str], list[str]]:
    """Return what a change of PostgreSQL's parameters means for sessions: what to know, and what to be warned of."""
    changed = sorted(name for name in old.keys() | new.keys() if not same(old.get(name), new.get(name)))
    restarted = [name for name in changed if name in RESTART_PARAMETERS]
    if not restarted:
        return [], []
    names = ", ".join(restarted)
    if not rolling:
        return [f"a restart has to follow for {names}: database.restart is pending"], []
    if members == 1:
        return [], [f"PostgreSQL restarts for {names} and has no replica: nobody reads or writes until it is back"]
    lowered = [name for name in LIMITS.intersection(restarted) if _is_lower(new.get(name), old.get(name))]
    if lowered:
        return [], [
            f"{', '.join(sorted(lowered))} can be lowered on the leader only as it is, and on replicas only after it:"
            " the leader restarts without handing over, nobody writes until it is back, and replicas restart twice"
        ]
    return [f"each member restarts for {names}: replicas first, the leader last, after it has handed over"], []


def _is_lower(value: Any, than: Any) -> bool:
    try:
        return int(value) < int(than)
    except (TypeError, ValueError):
        return False


def leads(role: str) -> bool:
    """Say whether Patroni's word for a role means that the node leads."""
    return role in ("primary", "master", "standby_leader")


def restart_order(members: Mapping[str, str]) -> list[str]:
    """Return member names in the order of a rolling restart, given each one's role: replicas first, the leader last."""
    return sorted(members, key=lambda name: (leads(members[name]), name))


def may_lead(node: Mapping[str, Any]) -> bool:
    """Say whether a node streams and is not one that lies behind on purpose and never leads.

    :param node: what it says of itself (``/patroni``), or what the list of the cluster says of it.
    """
    state = node.get("replication_state", node.get("state"))
    return state == "streaming" and not (node.get("tags") or {}).get("nofailover")


def successor(members: Iterable[Mapping[str, Any]], leaving: Collection[str]) -> str | None:
    """Return who takes the lead from one of the `leaving` nodes: a streaming node that stays, and may lead.

    In synchronous mode Patroni lets only the replica take over that commits wait for, so that one comes first.
    """
    able = [m for m in members if may_lead(m) and m["name"] not in leaving]
    able.sort(key=lambda member: (member.get("role") != "sync_standby", str(member["name"])))
    return str(able[0]["name"]) if able else None


def slot_name(member: str) -> str:
    """Return the replication slot's name of a member, as Patroni derives it: 63 characters of a-z, 0-9 and _."""

    def replaced(char: str) -> str:
        if char == "_" or (char.isascii() and char.isalnum()):
            return char
        return "_" if char in "-." else f"u{ord(char):04d}"

    return "".join(map(replaced, member.lower()))[:63]
