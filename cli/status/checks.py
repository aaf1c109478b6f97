"""Judging what was found: facts in, lines of the table out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from provider.pgbackrest import drilled

RUNNING = ("running", "streaming", "in archive recovery")
MIB = 1024 * 1024
# A daily full backup may take a while and start late; after this it has been missed.
BACKUP_GRACE = timedelta(hours=6)
# The alert's name too.
DRILL_FAILED = "restore drill failed"
RUNBOOK = "docs/disaster-runbook.md says what to do, by what is wrong with the repository."
LOST = (
    "its container is down, frozen or cut off: `docker ps -a`. Started again it follows by itself; "
    "`make up` makes anew what is gone."
)
NOT_RUNNING = (
    "its log says why: `docker logs`. On a full disk it needs room; one whose data is damaged is copied anew by "
    "`bin/patronictl reinit`."
)


@dataclass(frozen=True)
class Line:
    """One line of the table. `ok` is False when someone should act now; a `warning` can wait for a day."""

    ok: bool
    subject: str
    text: str
    hint: str = ""
    warning: bool = False

    @property
    def mark(self) -> str:
        """How the line begins."""
        return "BAD" if not self.ok else "see" if self.warning else "ok"


def members(expected: Sequence[str], cluster: Mapping[str, Any] | None, maximum_lag_mb: int) -> list[Line]:
    """The members as Patroni sees them. `expected` are their names in the cluster, `cluster` the answer of /cluster."""
    if cluster is None:
        return [Line(False, "members", "no member answers on its REST API")]
    found = {str(member["name"]): member for member in cluster.get("members", [])}
    lines = [_member(name, found.get(name), maximum_lag_mb) for name in expected]
    lines += [Line(False, name, "in the cluster, but not in this stack") for name in sorted(set(found) - set(expected))]
    leaders = [name for name, member in found.items() if member.get("role") in ("leader", "standby_leader")]
    if len(leaders) != 1:
        lines.append(Line(False, "leader", f"{len(leaders)} leaders"))
    if cluster.get("pause"):
        lines.append(Line(False, "failover", "paused: `bin/patronictl resume` ends it"))
    return lines


def _member(name: str, member: Mapping[str, Any] | None, maximum_lag_mb: int) -> Line:
    if member is None:
        return Line(False, name, "not in the cluster", LOST)
    role, state = str(member.get("role")), str(member.get("state"))
    text = f"{role}, {state}, timeline {member.get('timeline', '?')}"
    ok = state in RUNNING
    if role not in ("leader", "standby_leader"):
        lag = member.get("lag")
        known = isinstance(lag, int)
        text += f", lag {lag / MIB:.1f} MiB" if isinstance(lag, int) else ", lag unknown"
        ok = ok and known and int(lag or 0) <= maximum_lag_mb * MIB
    if member.get("pending_restart"):
        text += ", restart pending for changed parameters"
    return Line(ok, name, text, "" if state in RUNNING else NOT_RUNNING)


def backups(
    info: Sequence[Mapping[str, Any]] | None, stanza: str, kinds: Sequence[str], now: datetime, period: timedelta
) -> list[Line]:
    """The newest full backup of each repository, from `pgbackrest info --output=json`.

    `kinds` are what the repositories are, in the order of their numbers; `period` is the time between two backups.
    """
    entry = next((entry for entry in info or [] if entry.get("name") == stanza), None)
    if entry is None:
        text = "the repository does not answer" if info is None else "no such stanza"
        return [Line(False, "last backup", text, RUNBOOK)]
    lines: list[Line] = []
    for number, kind in enumerate(kinds, start=1):
        subject = "last backup" if len(kinds) == 1 else f"last backup {kind}"
        lines.append(_newest_full(subject, full_backups(entry, number), now, period))
        lines += _repository(kind, number, entry)
    return lines


def full_backups(entry: Mapping[str, Any], number: int) -> list[Mapping[str, Any]]:
    """The full backups without error that a repository holds, the newest last."""
    mine = (one for one in entry.get("backup", []) if one.get("database", {}).get("repo-key", 1) == number)
    fulls = (backup for backup in mine if backup.get("type") == "full" and not backup.get("error"))
    return sorted(fulls, key=lambda backup: int(backup["timestamp"]["stop"]))


def _newest_full(subject: str, fulls: Sequence[Mapping[str, Any]], now: datetime, period: timedelta) -> Line:
    if not fulls:
        return Line(False, subject, "there is none", RUNBOOK)
    newest = fulls[-1]
    age = now - datetime.fromtimestamp(newest["timestamp"]["stop"], now.tzinfo)
    late = "" if age <= period + BACKUP_GRACE else ", later than scheduled"
    return Line(not late, subject, f"{newest['label']}, {ago(age)}{late}, {len(fulls)} full kept")


def _repository(kind: str, number: int, entry: Mapping[str, Any]) -> Iterator[Line]:
    """What the repository says of itself, when it is not well."""
    own = next((one for one in entry.get("repo", []) if one.get("key") == number), entry)
    status = own.get("status", {})
    if status.get("code") != 0:
        message = str(status.get("message")).strip().splitlines()
        yield Line(False, f"repository {kind}", message[0] if message else "", RUNBOOK)


def drills(info: Sequence[Mapping[str, Any]] | None, stanza: str) -> Iterator[Line]:
    """The drills that failed, by the notes on backups: the database does not know of those that could not tell it."""
    for one in drilled.drills(info or (), stanza, {}):
        last = one.drilled[-1] if one.drilled else None
        if last is not None and not last.passed:
            text = f"the drill of backup {last.label} in repository {one.repository} failed"
            hint = "`make restore-drill` tries again and says why; docs/restore-drill.md says what to do."
            yield Line(False, DRILL_FAILED, f"{text} on {last.at:%Y-%m-%d %H:%M} UTC", hint)


def period(schedule: str) -> timedelta:
    """The longest time between two runs of a cron schedule, as far as its five fields tell without a calendar."""
    _, _, day, month, weekday = schedule.split()
    if month != "*":
        return timedelta(days=366)
    if day != "*":
        return timedelta(days=31)
    return timedelta(days=1 if weekday == "*" else 7)


def archiving(archived: datetime | None, failed: datetime | None, wal: str | None, waiting: int, now: datetime) -> Line:
    """WAL archiving: a failure newer than the last success is one that goes on, unless another member archived it."""
    last = f"{wal}, {ago(now - archived)}" if archived else "none yet"
    if waiting and failed and (archived is None or failed > archived):
        return Line(False, "WAL archived", f"{last}; failing since then, {waiting} segments wait")
    return Line(archived is not None, "WAL archived", last)


def migrations(files: Collection[str], last: str, *, finished: bool) -> Line:
    """Files of sql/migrations against the last one that the database has begun, by version; it takes them in order."""
    if last and last not in files:
        return Line(False, "migrations", f"the database is at {last}, which this checkout does not have")
    pending = sorted(version for version in files if version > last or (version == last and not finished))
    applied = len(files) - len(pending)
    then = f"pending: {', '.join(pending)}" if pending else "none pending"
    return Line(not pending, "migrations", f"{applied} applied, {then}")


def certificates(ends: Mapping[str, datetime], now: datetime, renew_before: timedelta) -> Line:
    """All that the authority has signed: the first to end decides."""
    if not ends:
        return Line(False, "certificates", "the state knows of none")
    name, until = min(ends.items(), key=lambda item: item[1])
    due = until - now < renew_before
    text = f"{len(ends)}, the first to end is that of {name}, on {until:%Y-%m-%d}, in {(until - now).days} days"
    return Line(not due, "certificates", text + ("; `make up` renews it in place" if due else ""))


def certificate(subject: str, until: datetime, now: datetime, renew_before: timedelta, remedy: str) -> Line:
    """A certificate's expiry, and what to do once it is due."""
    days = (until - now).days
    due = until - now < renew_before
    return Line(not due, subject, f"expires {until:%Y-%m-%d}, in {days} days" + (f"; {remedy}" if due else ""))


def ago(age: timedelta) -> str:
    """A time span in the past, in the unit that says most."""
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
