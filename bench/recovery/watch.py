"""Who is primary, and whether reads are answered, from moment to moment of a fault.

`Witness` asks every member's REST interface; what it hears and which server acknowledged the ledger's rows are two
independent accounts of who led. `Reader` is a client of the read-only endpoint.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg

LOOK_AGAIN_SECONDS = 0.2
ANSWER_SECONDS = 2.0
READ_PAUSE_SECONDS = 0.05
RECONNECT_SECONDS = 0.05
CONNECT_TIMEOUT_SECONDS = 3


def turns(names: Iterable[str]) -> list[str]:
    """Return the names as they take turns: each run of the same one is one."""
    return [name for name, _ in itertools.groupby(names)]


def at_once(taken: list[str], moves: int) -> bool:
    """Say whether two did the same at once, given who did it in turns.

    One that hands over has no second turn, unless the lead was meant to move that often. Two that do it side by side
    have dozens.
    """
    return len(set(taken)) != len(taken) and len(taken) > moves + 1


def longest_gap(moments: Iterable[float]) -> tuple[float, float]:
    """Return between which two of the moments most time passed; twice the same moment when there are not two."""
    ordered = sorted(moments)
    pairs = itertools.pairwise(ordered)
    return max(pairs, key=lambda pair: pair[1] - pair[0], default=(ordered[0], ordered[0]) if ordered else (0.0, 0.0))


@dataclass(frozen=True)
class Claim:
    """A member said that it is the primary: it leads by its own account, and by the lease that it holds."""

    at: float
    member: str


@dataclass
class Witness:
    """Asks each member, all the time, whether it is the primary. `addresses`: member -> host and port of its REST."""

    addresses: dict[str, tuple[str, int]]
    authority: str
    """The certificate of the stack's authority, as PEM."""
    claims: list[Claim] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start to ask."""
        context = ssl.create_default_context(cadata=self.authority)
        self._threads = [
            threading.Thread(target=self._ask, args=(member, address, context), daemon=True)
            for member, address in self.addresses.items()
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to ask."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=ANSWER_SECONDS + 1)

    def led(self) -> list[str]:
        """Return who said so, in turns."""
        return turns(claim.member for claim in sorted(self.claims, key=lambda claim: claim.at))

    def _ask(self, member: str, address: tuple[str, int], context: ssl.SSLContext) -> None:
        while not self._stop.wait(LOOK_AGAIN_SECONDS):
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                status, _ = answer(address, "/primary", context)
                if status == http.HTTPStatus.OK:
                    self.claims.append(Claim(time.time(), member))


def answer(address: tuple[str, int], path: str, context: ssl.SSLContext) -> tuple[int, dict[str, Any]]:
    """Return status and document of a GET at a member's REST interface; raises OSError when there is none."""
    connection = http.client.HTTPSConnection(*address, timeout=ANSWER_SECONDS, context=context)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, dict(json.loads(response.read()))
    finally:
        connection.close()


@dataclass
class Reader:
    """Asks the read-only endpoint all the time and keeps when it was answered. `conninfo`: of any role there."""

    conninfo: str
    answers: list[float] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start to read."""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to read. A session that hangs is left behind."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=CONNECT_TIMEOUT_SECONDS + 1)

    def between(self, since: float, until: float) -> list[float]:
        """Return when it was answered between two moments of the wall clock."""
        return [at for at in list(self.answers) if since <= at <= until]

    def _read(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(psycopg.Error), self._session() as session:
                while not self._stop.is_set():
                    session.execute("SELECT 1")
                    self.answers.append(time.time())
                    self._stop.wait(READ_PAUSE_SECONDS)
            self._stop.wait(RECONNECT_SECONDS)

    def _session(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            self.conninfo, connect_timeout=CONNECT_TIMEOUT_SECONDS, autocommit=True, application_name="reader"
        )
