"""Clients that write through an endpoint and keep, outside the database, every row that was acknowledged.

What the recovery tests and `make bench-recovery` measure with. Each client is a session of the application that inserts
rows one by one, each in a transaction of its own, and connects again whenever its session is lost, as an application
would. A row has an id that the client chose, so afterwards each acknowledged row can be looked for, exactly once.

    with Ledger(conninfo) as ledger:
        ...                                 # the fault
    verdict = ledger.verdict(connection)    # what is missing, what is there twice
    ledger.outage()                         # seconds between the last write before the fault and the first one after it
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

CLIENTS = 4
# Between two rows of a client: an outage is known to within this, and a minute of four clients is 4,800 rows.
PAUSE_SECONDS = 0.05
# A lost endpoint is asked again this often: what is measured is the database's outage, not the client's patience.
RECONNECT_SECONDS = 0.05
CONNECT_TIMEOUT_SECONDS = 3
LIMIT_SECONDS = 900
_INSERT = "INSERT INTO pipe.organizations (id, name) VALUES (%s, %s)"


@dataclass(frozen=True)
class Entry:
    """A row that the database acknowledged. Times: seconds of this machine's wall clock, since the epoch."""

    id: uuid.UUID
    client: int
    number: int
    sent: float
    acknowledged: float
    server: str
    """Address of the server that acknowledged it, inside the stack's network."""


@dataclass(frozen=True)
class Failure:
    """What a client was told instead of an acknowledgement; the row may be there or not."""

    client: int
    at: float
    sqlstate: str | None
    message: str
    id: uuid.UUID | None
    """The row that was not acknowledged; None when there was no session to send it by."""

    @property
    def is_lost_connection(self) -> bool:
        """Whether it is nothing but a dropped session, or a server that admits nobody just now."""
        return self.sqlstate is None or self.sqlstate[:2] in ("08", "57")


@dataclass(frozen=True)
class Verdict:
    """What became of the rows."""

    acknowledged: int
    lost: frozenset[uuid.UUID]
    """Acknowledged, and not there."""
    doubled: frozenset[uuid.UUID]
    """There more than once."""

    @property
    def is_whole(self) -> bool:
        """Whether every acknowledged row is there exactly once."""
        return not self.lost and not self.doubled


@dataclass
class Ledger:
    """Writes while its block runs, and remembers. `conninfo`: of the application's role at the read-write endpoint."""

    conninfo: str
    clients: int = CLIENTS
    pause: float = PAUSE_SECONDS
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    entries: list[Entry] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start the clients and return when each has an acknowledged row."""
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(self.clients)]
        for thread in self._threads:
            thread.start()
        try:
            self.wait_for_rows(1)
        except TimeoutError:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the clients."""
        self.stop()

    def stop(self, within: float = CONNECT_TIMEOUT_SECONDS + 1) -> None:
        """Let each client finish the row that it is at. One that hangs on a lost session is left behind."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=within)

    def wait_for_rows(self, rows: int, within: float = 60) -> None:
        """Wait until each client got that many more rows acknowledged; raises TimeoutError."""
        since = time.time()
        deadline = time.monotonic() + within
        while True:
            counts = dict.fromkeys(range(self.clients), 0)
            for entry in reversed(self.entries):
                if entry.acknowledged < since:
                    break
                counts[entry.client] += 1
            if min(counts.values()) >= rows:
                return
            if time.monotonic() > deadline:
                last = self.failures[-1].message if self.failures else "nothing failed"
                raise TimeoutError(f"not {rows} rows a client within {within:g} s; the last failure: {last}")
            time.sleep(RECONNECT_SECONDS)

    def outage(self, since: float = 0) -> float:
        """Return the longest time without an acknowledgement, of all clients together, in seconds.

        :param since: leaves out what was acknowledged before this moment of the wall clock.
        """
        moments = sorted(entry.acknowledged for entry in list(self.entries) if entry.acknowledged >= since)
        return max((after - before for before, after in itertools.pairwise(moments)), default=0.0)

    def servers(self) -> list[str]:
        """Return the servers that acknowledged rows, in turns."""
        acknowledged = sorted((entry.acknowledged, entry.server) for entry in list(self.entries))
        return [server for server, _ in itertools.groupby(server for _, server in acknowledged)]

    def refusals(self) -> list[Failure]:
        """Return the failures that are more than a dropped connection."""
        return [failure for failure in self.failures if not failure.is_lost_connection]

    def verdict(self, connection: Connection) -> Verdict:
        """Compare with what a database has. The session needs SELECT on pipe.organizations."""
        # Before the question: what is acknowledged while it is asked need not be in the answer.
        acknowledged = {entry.id for entry in list(self.entries)}
        found: dict[uuid.UUID, int] = {}
        query = "SELECT id, count(*) FROM pipe.organizations WHERE name LIKE %s GROUP BY id"
        for id_, count in connection.execute(query, (f"ledger {self.run} %",)):
            found[id_] = count
        return Verdict(
            len(acknowledged),
            frozenset(acknowledged - found.keys()),
            frozenset(id_ for id_, count in found.items() if count > 1),
        )

    def _write(self, client: int) -> None:
        deadline = time.monotonic() + LIMIT_SECONDS
        number = 0
        while not self._stop.is_set() and time.monotonic() < deadline:
            with self._session(client) as (session, server):
                while session is not None and not self._stop.is_set() and time.monotonic() < deadline:
                    number += 1
                    if not self._row(session, client, number, server):
                        break
                    self._stop.wait(self.pause)
            self._stop.wait(RECONNECT_SECONDS)

    def _row(self, session: Connection, client: int, number: int, server: str) -> bool:
        id_, sent = uuid.uuid4(), time.time()
        try:
            session.execute(_INSERT, (id_, f"ledger {self.run} {client} {number}"))
        except psycopg.Error as error:
            self.failures.append(Failure(client, time.time(), error.sqlstate, str(error), id_))
            return False
        self.entries.append(Entry(id_, client, number, sent, time.time(), server))
        return True

    @contextlib.contextmanager
    def _session(self, client: int) -> Iterator[tuple[Connection | None, str]]:
        try:
            session = psycopg.connect(
                self.conninfo, connect_timeout=CONNECT_TIMEOUT_SECONDS, autocommit=True, application_name="ledger"
            )
            server = str(session.execute("SELECT host(inet_server_addr())").fetchall()[0][0])
        except psycopg.Error as error:
            self.failures.append(Failure(client, time.time(), error.sqlstate, str(error), None))
            yield None, ""
            return
        try:
            yield session, server
        finally:
            with contextlib.suppress(psycopg.Error):
                session.close()
