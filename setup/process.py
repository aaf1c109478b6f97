"""Running other programs: output to a log file, quick to stop, never left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from setup.errors import Interrupted, StepError

# How long a program may take to end after SIGTERM before it is killed, in seconds.
GRACE = 10.0
# How often a running program is looked at, and how often its progress is told, in seconds.
POLL = 0.1
HEARTBEAT = 15.0
# How much of a log goes into an error message.
TAIL_LINES = 12


class Processes:
    """The programs started by this run; `stop` ends them all and lets no further one start."""

    def __init__(self) -> None:
        self._stopping = threading.Event()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        self._stopping.set()

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        what: str,
        fix: str = "",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        outlive: bool = False,
        progress: Callable[[str], None] | None = None,
        stdout: Path | None = None,
    ) -> None:
        """Run `argv` to its end with its output appended to `log`.

        Raises StepError with `what`, the last lines of the log and `fix` when it fails, Interrupted when asked to stop.
        `outlive`: when set-up itself is killed, let the program finish (a package manager) instead of ending it.
        `progress` gets the last line of the output every few seconds. `stdout` takes the standard output alone.
        """
        if self.stopping:
            raise Interrupted
        log.parent.mkdir(parents=True, exist_ok=True)
        begin = log.stat().st_size if log.exists() else 0
        with log.open("ab") as sink:
            output = stdout.open("wb") if stdout else None
            try:
                child = subprocess.Popen(
                    [str(part) for part in (argv if outlive else _tied_to_us(argv))],
                    cwd=cwd,
                    env=None if env is None else dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=output or sink,
                    stderr=sink,
                    start_new_session=True,
                )
            except OSError as error:
                raise StepError(what, why=f"{argv[0]}: {error.strerror}", fix=fix) from error
            finally:
                if output:
                    output.close()
        code = self._wait(child, log, begin, progress)
        if code != 0:
            raise StepError(what, why=tail(log, begin) or f"exit status {code}", fix=fix, log=log)

    def _wait(
        self, child: subprocess.Popen[bytes], log: Path, begin: int, progress: Callable[[str], None] | None
    ) -> int:
        told = time.monotonic()
        while True:
            try:
                return child.wait(POLL)
            except subprocess.TimeoutExpired:
                if self.stopping:
                    _end(child)
                    raise Interrupted from None
            if progress and time.monotonic() - told >= HEARTBEAT:
                told = time.monotonic()
                lines = tail(log, begin, 1)
                progress(lines[:100] if lines else "still running")


def _tied_to_us(argv: Sequence[str | Path]) -> Sequence[str | Path]:
    """The command, made to end when this process is killed. Without setpriv (not Linux) it just runs on to its end."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *argv] if setpriv else argv


def _end(child: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            return
        try:
            child.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue


def tail(log: Path, begin: int = 0, lines: int = TAIL_LINES) -> str:
    """The last non-empty lines that were written to `log` after byte `begin`; empty when there are none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    kept = [line.rstrip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return "\n".join(kept[-lines:])
