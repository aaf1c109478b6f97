"""Brings one migration to its end: in one transaction, or statement by statement from where the last one stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from provider.sql import apply, history, leftovers, restore_point, verify
from provider.sql.header import Header, header
from provider.sql.plan import Applied, File
from provider.sql.scanner import Statement, split
from provider.sql.shapes import is_concurrent, runs_by_itself
from provider.sql.waiting import retrying

if TYPE_CHECKING:
    from provider.resource import Context
    from provider.sql.connection import Connection

_AUDIT = "pipe.audit_event(text, text, jsonb)"


@dataclass(frozen=True)
class Runner:
    """One run of `up`; it holds the advisory lock."""

    connection: Connection
    context: Context
    owner: str

    def apply(self, file: File, script: File | None, row: Applied | None) -> Applied:
        """Apply a file, or what is left of it, verify it and record it."""
        # What a file before set for its session ends here.
        self.connection.execute(b"RESET ALL; RESET ROLE")
        wanted = header(file.sql)
        if wanted.transactional and (row is None or row.is_untouched):
            return retrying(self.context, file.file, wanted, lambda: self._transaction(file, script, wanted))
        if row is None or row.state == "partial":
            row = self._steps(file, wanted, row)
        return self._verified(file, script, wanted, row)

    def _transaction(self, file: File, script: File | None, wanted: Header) -> Applied:
        point = restore_point.make(self.connection, file.version)
        hints = (apply.ROLLED_BACK, restore_point.hint(point))
        with apply.transaction(self.connection, _what(file), file.file, hints):
            apply.become(self.connection, self.owner, wanted)
            with apply.running(self.connection, self.context, _what(file), file.file, wanted, hints) as run:
                duration = run.every(file.sql)
            apply.become(self.connection, self.owner, wanted)
            if script is not None:
                hint = f"{apply.ROLLED_BACK}; {restore_point.hint(point)}"
                verify.check(self.connection, self.context, file, script, self.owner, wanted, hint)
            row = history.record_migration(
                self.connection, file, state="applied", duration_ms=duration, restore_point=point
            )
            self._audit(row)
        return row

    def _steps(self, file: File, wanted: Header, row: Applied | None) -> Applied:
        statements = split(file.sql)
        done, begun = 0, row is not None
        if row is None:
            point = restore_point.make(self.connection, file.version)
            row = self._record(file, "partial", 0, statements_done=0, restore_point=point)
        else:
            done = row.statements_done or 0
            self.context.info(f"goes on with {file.file}: {done} of {len(statements)} statements are done")
            # What an attempt left half done is that of another statement once the file was corrected there.
            texts = [[one.text for one in split(sql)[done : done + 1]] for sql in (row.sql, file.sql)]
            begun = texts[0] == texts[1]
            if row.checksum != file.checksum:
                row = self._record(file, "partial", 0, statements_done=done)
            for statement in statements[:done]:
                if statement.words[:1] in (("SET",), ("RESET",)):
                    self.connection.execute(statement.text.encode())
        for number, statement in enumerate(statements[done:], done + 1):
            row = self._step(file, statement, number, len(statements), wanted, row, begun)
            begun = False
        return row

    def _step(
        self, file: File, statement: Statement, number: int, of: int, wanted: Header, row: Applied, begun: bool
    ) -> Applied:
        doing = f"{file.file}: statement {number} of {of}, line {statement.line}"
        stay = f"{number - 1} of {of} statements are done and stay" if number > 1 else "nothing is done yet"
        hints = [f"{stay}; correct what follows and run up again, which goes on at statement {number}"]
        if row.restore_point and row.lsn:
            hints.append(restore_point.hint((row.restore_point, row.lsn)))
        attempts = [begun]

        def by_itself() -> Applied:
            limits = wanted
            if wanted.patient and is_concurrent(statement):
                # Nobody waits for it while it waits: only the time of the statement is limited.
                limits = replace(wanted, lock_timeout_ms=0)
            apply.become(self.connection, self.owner, limits, local=False)
            again, attempts[0] = attempts[0], True
            started = time.monotonic()
            with apply.running(self.connection, self.context, _what(file), file.file, limits, hints) as run:
                run.watch.doing = doing
                with run.reporting(statement):
                    over = leftovers.finished(self.connection, self.context, statement, begun=again)
                if not over:
                    run.execute(statement)
            return self._record(file, "partial", apply.milliseconds(started), statements_done=number)

        def with_its_record() -> Applied:
            started = time.monotonic()
            with apply.transaction(self.connection, _what(file), file.file, hints):
                apply.become(self.connection, self.owner, wanted)
                with apply.running(self.connection, self.context, _what(file), file.file, wanted, hints) as run:
                    run.watch.doing = doing
                    run.execute(statement)
                return self._record(file, "partial", apply.milliseconds(started), statements_done=number)

        attempt = by_itself if runs_by_itself(statement) else with_its_record
        return retrying(self.context, file.file, wanted, attempt)

    def _verified(self, file: File, script: File | None, wanted: Header, row: Applied) -> Applied:
        if script is not None:
            if row.state != "unverified":
                row = self._record(file, "unverified", 0)
            hint = "the migration stays, and is not verified; run up again, which runs the check again"
            if row.restore_point and row.lsn:
                hint += f"; {restore_point.hint((row.restore_point, row.lsn))}"
            verify.check(self.connection, self.context, file, script, self.owner, wanted, hint)
        with self.connection.transaction():
            row = self._record(file, "applied", 0)
            self._audit(row)
        return row

    def _record(
        self,
        file: File,
        state: str,
        duration_ms: int,
        *,
        statements_done: int | None = None,
        restore_point: tuple[str, str] | None = None,
    ) -> Applied:
        with self.connection.transaction():
            history.act_as(self.connection, self.owner)
            return history.record_migration(
                self.connection,
                file,
                state=state,
                duration_ms=duration_ms,
                statements_done=statements_done,
                restore_point=restore_point,
            )

    def _audit(self, row: Applied) -> None:
        """Leave a line in the audit log, once a migration has made one."""
        found = self.connection.execute("SELECT pg_catalog.to_regprocedure(%s) IS NOT NULL", (_AUDIT,)).fetchone()
        if found is not None and found[0]:
            details: dict[str, object] = {
                "version": row.version,
                "checksum": row.checksum,
                "restore_point": row.restore_point,
            }
            details |= {"lsn": row.lsn, "applied_by": row.applied_by, "duration_ms": row.duration_ms}
            self.connection.execute("SELECT pipe.audit_event('MIGRATION', %s, %s)", (row.file, Jsonb(details)))


def _what(file: File) -> str:
    return f'migration "{file.version}" of "{file.file}"'
