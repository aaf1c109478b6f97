"""What the database says of itself: its alerts, its jobs, its months, its last migration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.status.checks import Line, ago

# Every function of these is pipe_monitor's by the matrix.
ALERTS = "SELECT name, severity, message, hint FROM upkeep.alerts() ORDER BY severity, name, message"
FINDINGS = "SELECT kind, count(*) FROM upkeep.report() GROUP BY kind ORDER BY kind"
JOBS = "SELECT count(*), max(last_start) FROM upkeep.job_health() WHERE NOT one_shot"
MONTHS = "SELECT parent::text, months_ahead FROM pipe.partitions_ahead() ORDER BY parent"
MIGRATION = (
    "SELECT version, name, applied_at, restore_point, lsn::text, state, statements_done FROM upkeep.last_migration()"
)
DRILL = "SELECT ended_at, passed, backup, bytes, recovery_seconds FROM upkeep.last_drill() WHERE ended_at IS NOT NULL"
REPORT = "`ROLE=monitor bin/psql -c 'SELECT * FROM upkeep.report()'` lists them with hints."


@dataclass(frozen=True)
class Alert:
    name: str
    severity: str
    message: str
    hint: str


@dataclass(frozen=True)
class Migration:
    """The last one, and where the database stood just before it."""

    version: str
    name: str
    applied: datetime
    restore_point: str | None
    lsn: str | None
    state: str = "applied"
    """``applied``, ``partial`` or ``unverified``, as the history has it."""
    statements_done: int | None = None


@dataclass(frozen=True)
class Drill:
    """The last restore on trial. Whether it passed recently enough is the alerts' business."""

    ended: datetime
    passed: bool
    backup: str | None
    bytes: int | None
    seconds: float | None


@dataclass(frozen=True)
class Upkeep:
    alerts: Sequence[Alert]
    findings: Sequence[tuple[str, int]]
    jobs: int
    last_start: datetime | None
    months: Sequence[tuple[str, int]]
    migration: Migration | None
    drill: Drill | None = None


def collect(connection: Any) -> Upkeep | str:
    """Ask the primary as pipe_monitor; returns the reason where it cannot answer."""
    import psycopg

    try:
        jobs, last_start = connection.execute(JOBS).fetchone()
        migration = connection.execute(MIGRATION).fetchone()
        drill = connection.execute(DRILL).fetchone()
        return Upkeep(
            alerts=[Alert(*row) for row in connection.execute(ALERTS)],
            findings=connection.execute(FINDINGS).fetchall(),
            jobs=jobs,
            last_start=last_start,
            months=connection.execute(MONTHS).fetchall(),
            migration=Migration(*migration) if migration else None,
            drill=Drill(*drill) if drill else None,
        )
    except psycopg.Error as error:
        return " ".join(str(error).split())


def lines(found: Upkeep | str, now: datetime) -> Iterator[Line]:
    """Say how things are; what somebody should act on comes from the alerts alone."""
    if isinstance(found, str):
        yield Line(
            False, "upkeep", f"the database does not tell: {found}", "`make up` brings its functions up to date."
        )
        return
    for table, ahead in found.months:
        yield Line(True, table, f"partitions for {ahead} months ahead")
    last = f", the last began {ago(now - found.last_start)}" if found.last_start else ", none has run yet"
    yield Line(True, "jobs", f"{found.jobs} scheduled{last}")
    if found.findings:
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.findings)
        yield Line(True, "findings", kinds, REPORT, warning=True)
    for alert in found.alerts:
        yield Line(alert.severity != "error", alert.name, alert.message, alert.hint, warning=True)
    if found.migration:
        yield _migration(found.migration, now)
    if found.drill:
        yield _drill(found.drill, now)


def _migration(last: Migration, now: datetime) -> Line:
    text, hint = f"{last.version}_{last.name}, {ago(now - last.applied)}", ""
    if last.state == "partial":
        text += f", stopped: {last.statements_done} of its statements are done and stay"
        hint = "correct what follows in the file; `make up` goes on from there."
    elif last.state == "unverified":
        text += ", done, but its check did not hold"
        hint = "`make up` runs the check again."
    if last.restore_point:
        text += f"; just before it: restore point {last.restore_point}, LSN {last.lsn}"
    return Line(not hint, "last migration", text, hint)


def _drill(last: Drill, now: datetime) -> Line:
    text = f"{'passed' if last.passed else 'failed'} {ago(now - last.ended)}"
    if last.backup and last.bytes is not None and last.seconds is not None:
        text += f": backup {last.backup}, {last.bytes / 2**20:.1f} MiB restored in {last.seconds:.1f} s"
    return Line(True, "last drill", text)
