"""The table of `make status`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cli import connect, stackfile, state
from cli.errors import UserError
from cli.session import Session
from cli.status import archive, checks, collect, upkeep
from cli.status.checks import Line
from infra.settings import Settings, SettingsError, check

CERTIFICATE = "tls:index/locallySignedCert:LocallySignedCert"


@dataclass(frozen=True)
class Subject:
    """What is looked at: the stack's settings, outputs and certificate authority."""

    session: Session
    settings: Settings
    outputs: Mapping[str, Any]
    authority: Path
    now: datetime


def run(session: Session) -> int:
    """Print the table; returns 1 when a line of it says that something is wrong."""
    outputs = session.outputs()
    if "cluster" not in outputs:
        raise UserError(f'stack "{session.stack}" is not up', f"`make up STACK={session.stack}` finishes it.")
    authority = session.runtime / "ca.pem"
    connect.provide_authority(authority, outputs)
    subject = Subject(session, _settings(session), outputs, authority, datetime.now(UTC))
    lines = list(_lines(subject))
    width = max(len(line.subject) for line in lines)
    for line in lines:
        print(f"{line.mark:<3}  {line.subject:<{width}}  {line.text}")
        if line.hint:
            print(f"{'':<{width + 7}}HINT: {line.hint}")
    wrong = sum(not line.ok for line in lines)
    if wrong:
        print(f'stack "{session.stack}": {wrong} of {len(lines)} checks found something wrong', file=sys.stderr)
    return 1 if wrong else 0


def _settings(session: Session) -> Settings:
    try:
        return check.check(session.stack, stackfile.path_of(session.paths.root, session.stack).parent)
    except SettingsError as error:
        raise UserError(str(error)) from None


def _lines(subject: Subject) -> Iterator[Line]:
    prefix = f"pipe-{subject.session.stack}-"
    names = [str(name).removeprefix(prefix) for name in subject.outputs["cluster"]["members"]]
    host = str(subject.outputs["endpoints"]["read_write"]).rpartition(":")[0]
    base = subject.settings.network.port_base
    urls = [f"https://{host}:{base + 8 + index}" for index in range(len(names))]
    view = collect.cluster(urls, subject.authority)
    yield from checks.members(names, view, subject.settings.proxy.maximum_replica_lag_mb)
    database = list(_database(subject))
    yield from database
    backup = subject.settings.backup
    repository = str(subject.outputs["backup"]["repository"])
    info = collect.backups(repository)
    stanza = str(subject.outputs["backup"]["stanza"])
    yield from checks.backups(info, stanza, backup.repositories, subject.now, checks.period(backup.full_schedule))
    yield from archive.lines(info, stanza, backup.repositories, repository, _last_archived(subject))
    if all(line.subject != checks.DRILL_FAILED for line in database):
        yield from checks.drills(info, stanza)
    yield from _certificates(subject, host)


def _database(subject: Subject) -> Iterator[Line]:
    for target in connect.TARGETS:
        uri = connect.choose(subject.outputs, "monitor", target)
        # Each proxy by itself: libpq would say nothing of one that it passes over.
        for number, (endpoint, one) in enumerate(connect.each(uri).items()):
            connection = collect.connect(one, subject.authority)
            if isinstance(connection, str):
                yield Line(False, target, f"{endpoint}: {connection}")
                continue
            with connection:
                replica = connection.execute("SELECT pg_is_in_recovery()").fetchone()[0]
                where = "a replica" if replica else "the primary"
                yield Line(target == "read_only" or not replica, target, f"{endpoint} leads to {where}")
                if target == "read_write" and number == 0:
                    yield from _primary(subject, connection)


def _primary(subject: Subject, connection: Any) -> Iterator[Line]:
    found = collect.archiver(connection)
    yield checks.archiving(found.archived, found.failed, found.wal, found.waiting, subject.now)
    kept = upkeep.collect(connection)
    yield from upkeep.lines(kept, subject.now)
    if not isinstance(kept, str):
        yield _migrations(subject, kept.migration)


def _last_archived(subject: Subject) -> str | None:
    connection = collect.connect(connect.choose(subject.outputs, "monitor", "read_write"), subject.authority)
    if isinstance(connection, str):
        return None
    with connection:
        return collect.archiver(connection).wal


def _migrations(subject: Subject, last: upkeep.Migration | None) -> Line:
    """Compare the checkout's files with what the database says, which a failed `up` or a recovery has moved as well."""
    files = {file.name.partition("_")[0] for file in (subject.session.paths.root / "sql" / "migrations").glob("*.sql")}
    return checks.migrations(files, last.version if last else "", finished=last is None or last.state == "applied")


def _ends(subject: Subject) -> dict[str, datetime]:
    """The end of every certificate that the stack's authority has signed, by the name of who has it."""
    known = state.read(subject.session)
    return {
        str(resource["urn"]).rpartition("::certificates-")[2]: datetime.fromisoformat(
            resource["outputs"]["validityEndTime"]
        )
        for resource in (known.resources if known else ())
        if resource.get("type") == CERTIFICATE and not resource.get("delete")
    }


def _certificates(subject: Subject, host: str) -> Iterator[Line]:
    """What clients are shown, the first of all to end as the state has them, and the authority that signed them."""
    before = timedelta(days=subject.settings.certificates.renew_before_days)
    until = collect.server_expiry(host, subject.settings.network.port_base, subject.authority)
    if until is None:
        yield Line(False, "certificate", "the read-write endpoint shows none that the stack's authority has signed")
    else:
        yield checks.certificate("certificate", until, subject.now, before, "`make up` renews it")
    yield checks.certificates(_ends(subject), subject.now, before)
    authority = collect.authority_expiry(subject.authority.read_text())
    # Every client trusts this one file, so it is never replaced in passing.
    remedy = "a new one is planned work (docs/architecture.md); `make up` renews only what it has signed"
    yield checks.certificate("authority", authority, subject.now, before, remedy)
