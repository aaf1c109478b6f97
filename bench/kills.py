"""kill -9 of `up` and its providers at random moments of a stack's life, again and again; the next run must converge.

    make bench OF=kills [ARGS='--rounds 20 --seed 1']

Each round starts `up` of a new stack, `up` with a change, or `destroy`, and kills at a random line of its output either
everything that it started or one process: Pulumi itself, the stand-ins for docker and postgresql, the provider pipe.
Then the same command runs again, undisturbed, and has to end well; afterwards a preview finds nothing to do, the engine
has nothing of the stack that its state does not know, and every row that the database ever acknowledged is there. A
round whose command ended before its moment is played again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, ClassVar

from bench import results
from bench.ledger import Ledger
from bench.measure import tree
from cli import engine, recover, state
from cli.session import Session
from tests.fixtures.stacks import Stack, throw_away_stack

ROWS = 25
LIMIT_SECONDS = 600
POLL_SECONDS = 0.02
# About as many lines as each prints when nobody disturbs it; at rest nothing is printed.
LINES = {"up": 550, "update": 100, "destroy": 450, "rest": 2}
# What the command line of the process that is killed has; without any, everything that was started is.
VICTIMS: dict[str, tuple[str, ...]] = {
    "everything": (),
    "Pulumi": ("/pulumi up ", "/pulumi destroy "),
    "docker": ("-m airgap.docker ",),
    "postgresql": ("-m airgap.postgresql ",),
    "pipe": ("-m provider ",),
}
# Of one round, when its command ended before the kill.
TRIES = 3


class Broken(AssertionError):
    """The next run did not mend what the kill left, or no kill came in time."""


@dataclass(frozen=True)
class Moment:
    """What is killed, and at which line of the output of which command."""

    command: str
    victim: str
    line: int

    def __str__(self) -> str:
        return f"{self.victim} at line {self.line} of {self.command}"


def moment(command: str, chance: random.Random, victim: str) -> Moment:
    """A random moment of a command."""
    return Moment(command, victim, chance.randrange(1, LINES[command]))


def killed(
    start: Callable[[IO[str]], subprocess.Popen[str]],
    log: Path,
    line: int,
    strike: Callable[[subprocess.Popen[str]], bool],
) -> bool:
    """Start a command and strike at a line of its output; returns whether it came to that before the end.

    Whatever is left of the command then ends by itself.
    """
    with log.open("w") as output:
        running = start(output)
        try:
            while running.poll() is None and log.read_bytes().count(b"\n") < line:
                time.sleep(POLL_SECONDS)
            hit = strike(running)
            running.wait(LIMIT_SECONDS)
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    return hit


def _kill(running: subprocess.Popen[str], parts: Sequence[str]) -> bool:
    """Kill the process that has one of `parts` in its command line, once it is there; without any the whole group."""
    while running.poll() is None:
        if not parts:
            os.killpg(running.pid, signal.SIGKILL)
            return True
        for pid in tree(running.pid):
            if any(part in _command(pid) for part in parts):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    return True
        time.sleep(POLL_SECONDS)
    return False


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@dataclass
class Life:
    """A stack that is made, changed and destroyed, and what its database has acknowledged so far."""

    stack: Stack
    folder: Path
    chance: random.Random
    ledgers: list[Ledger] = field(default_factory=list[Ledger])
    days: ClassVar[Sequence[str]] = ("update", "update", "destroy")
    """An update is the most common day of a stack, and the one with data to lose."""

    def day(self, victim: str) -> str:
        """Return what happens to the stack next, whoever is killed meanwhile."""
        del victim
        return self.chance.choice(self.days) if self.stack.file.exists() else "up"

    def play(self, command: str, victim: str) -> Moment:
        """Kill the victim while the command runs, and see that the next run mends it; return when that was.

        What ends before the kill came is done again, with an earlier one.

        :raises Broken: it was not mended, or no kill came in time.
        """
        at = moment(command, self.chance, victim)
        for _ in range(TRIES):
            if getattr(self, command)(at):
                return at
            self._undo(command)
            at = replace(at, line=self.chance.randrange(1, at.line // 2 + 2))
        raise Broken(f"{command} ended before the kill, {TRIES} times")

    def up(self, at: Moment) -> bool:
        """Kill the first `up`; the next one converges. Returns whether the kill came in time."""
        self._prepare()
        hit = self._killed("up", at)
        self.converge()
        return hit

    def update(self, at: Moment) -> bool:
        """Kill an `up` with a change while clients write; the next one converges and no row is lost."""
        self.change()
        with self.stack.ledger() as ledger:
            self.ledgers.append(ledger)
            hit = self._killed("up", at)
            self.converge()
            ledger.wait_for_rows(1)
        self.check_rows()
        return hit

    def destroy(self, at: Moment) -> bool:
        """Kill `destroy`; the next one leaves nothing."""
        hit = self._killed("destroy", at)
        self.ledgers.clear()
        if self.stack.file.exists():
            self.stack.destroy()
        api = engine.client()
        left = engine.labelled(api, self.stack.name)
        if left:
            raise Broken(f"after {at} and another destroy the engine still has {', '.join(t.name for t in left)}")
        return hit

    def change(self) -> None:
        """Change something that replaces containers, restarts or reloads."""
        section, key, values = self.chance.choice(CHANGES)
        self.stack.configure(section, **{key: self.chance.choice(values)})

    def converge(self) -> None:
        """Run `up` undisturbed; nothing is left to do, nothing is there that the state does not know."""
        self.stack.up()
        self.stack.pulumi("preview", "--expect-no-changes")
        session = Session.current(self.stack.name)
        known = state.read(session)
        if known is None:
            raise Broken(f'the backend does not know stack "{self.stack.name}"')
        things = engine.labelled(engine.client(), self.stack.name)
        volumes = known.ids("docker:index/volume:Volume")
        lost = [*recover.orphans(things, known), *(t for t in things if t.kind == "volume" and t.id not in volumes)]
        if lost:
            raise Broken(f"the state does not know {', '.join(thing.name for thing in lost)}")
        if not self.ledgers:
            with self.stack.ledger() as ledger:
                ledger.wait_for_rows(ROWS)
            self.ledgers.append(ledger)
        self.check_rows()

    def check_rows(self) -> None:
        """Every acknowledged row is there, once."""
        with self.stack.connect() as connection:
            for verdict in (ledger.verdict(connection) for ledger in self.ledgers):
                if not verdict.is_whole:
                    raise Broken(
                        f"of {verdict.acknowledged} rows {len(verdict.lost)} are lost, {verdict.doubled} twice"
                    )

    def _prepare(self) -> None:
        """Commits wait for the replica, so that an acknowledged row is on both members whatever happens to one."""
        self.stack.prepare()
        self.stack.configure("failover", synchronous="on")

    def _undo(self, command: str) -> None:
        """Bring back what was there before a command that nobody killed."""
        if command == "up":
            self.ledgers.clear()
            self.stack.destroy()
        if command == "destroy":
            self._prepare()
            self.converge()

    def _killed(self, command: str, at: Moment) -> bool:
        def start(output: IO[str]) -> subprocess.Popen[str]:
            return self.stack.start(sys.executable, "-m", "cli", command, output=output)

        return killed(start, self.folder / "killed.log", at.line, lambda running: self._strike(at, running))

    def _strike(self, at: Moment, running: subprocess.Popen[str]) -> bool:
        return _kill(running, VICTIMS[at.victim])


CHANGES: Sequence[tuple[str, str, Sequence[object]]] = (
    ("database", "cpus", (0.8, 0.9, 1.0)),
    ("database", "parameters", ({"work_mem": "5MB"}, {"work_mem": "6MB"})),
    ("proxy", "max_connections", (110, 120, 130)),
    ("consensus", "memory_mb", (130, 140, 150)),
)


@contextlib.contextmanager
def life(purpose: str, folder: Path, chance: random.Random) -> Iterator[Life]:
    """Give a stack that isn't there yet, and make sure that nothing of it is there afterwards."""
    with throw_away_stack(purpose) as stack:
        yield Life(stack, folder, chance)


def options(prog: str, about: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """Read how many rounds, and the seed of their moments."""
    parser = argparse.ArgumentParser(prog=prog, description=about.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    # What this was called with is not for the `make up` that it calls.
    os.environ.pop("ARGS", None)
    return parser.parse_args(argv)


def play(made: Life, args: argparse.Namespace, victims: Sequence[str], of: str) -> int:
    """Run the rounds and write them down as `of`; returns 1 when one did not converge."""
    print(f"seed {args.seed}", flush=True)
    rounds: list[dict[str, float]] = []
    said: list[str] = []
    for number in range(1, args.rounds + 1):
        victim = victims[number % len(victims)]
        command = made.day(victim)
        began = time.monotonic()
        try:
            at = made.play(command, victim)
        except BaseException as error:
            print(f"round {number}: {victim}, {command}: {error}", file=sys.stderr, flush=True)
            if isinstance(error, KeyboardInterrupt):
                raise
            return 1
        seconds = time.monotonic() - began
        rounds.append({"seconds": seconds})
        said.append(str(at))
        print(f"  {seconds:6.1f} s  converged: {at}", flush=True)
    print(f"{len(rounds)} of {args.rounds} converged; written to {results.write(rounds, of, moments=said)}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rounds; returns 1 when one did not converge."""
    args = options("bench.kills", __doc__, argv)
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="pipe-kills-") as folder, life("kills", Path(folder), chance) as made:
        return play(made, args, list(VICTIMS), "kills")


if __name__ == "__main__":
    sys.exit(main())
