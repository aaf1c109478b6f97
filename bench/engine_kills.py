"""kill -9 of Docker's engine, and power cuts, at random moments of a stack's life; the next run must converge.

    make bench OF=engine_kills [ARGS='--rounds 20 --seed 1']

As `bench/kills.py`, on a second engine of its own. Each round starts `up` of a new stack, `up` with a change while
clients write, or `destroy`, and at a random line of its output kills the engine, whose containers go on until it is
back, or everything under it as well, as when the power goes. The command ends with an error. Then the engine is
started again, and the same command has to end well, with nothing left over and no acknowledged row lost.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.kills import LIMIT_SECONDS, POLL_SECONDS, Life, Moment, options, play
from bench.own_engine import OwnEngine, own_engine
from infra import images
from tests.fixtures.stacks import ROOT, throw_away_stack

VICTIMS = ("engine", "power")


@dataclass
class EngineLife(Life):
    """A stack on an engine that is killed."""

    engine: OwnEngine = field(kw_only=True)

    def _killed(self, command: str, at: Moment) -> bool:
        log, hit = self.folder / "killed.log", False
        with log.open("w") as output:
            running = self.stack.start(sys.executable, "-m", "cli", command, output=output)
            try:
                while running.poll() is None and log.read_bytes().count(b"\n") < at.line:
                    time.sleep(POLL_SECONDS)
                hit = running.poll() is None
                if hit:
                    (self.engine.kill if at.victim == "engine" else self.engine.cut)()
                running.wait(LIMIT_SECONDS)
            finally:
                if running.poll() is None:
                    os.killpg(running.pid, signal.SIGKILL)
                running.wait()
                if hit:
                    self.engine.start()
        return hit


@contextlib.contextmanager
def life(folder: Path, chance: random.Random) -> Iterator[EngineLife]:
    """Give a stack that isn't there yet, on an engine of its own, and leave nothing of either."""
    context = images.read_context(ROOT / "images")
    names = [images.image_name(target, context) for target in images.TARGETS]
    given = os.environ.get("DOCKER_HOST")
    with own_engine(names) as engine:
        os.environ["DOCKER_HOST"] = engine.host
        try:
            with throw_away_stack("engine-kills") as stack:
                yield EngineLife(stack, folder, chance, engine=engine)
        finally:
            os.environ.pop("DOCKER_HOST")
            if given is not None:
                os.environ["DOCKER_HOST"] = given


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rounds; returns 1 when one did not converge."""
    args = options("bench.engine_kills", __doc__, argv)
    if images.build_missing():
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="pipe-kills-") as folder,
        life(Path(folder), random.Random(args.seed)) as made,
    ):
        return play(made, args, VICTIMS, "engine-kills")


if __name__ == "__main__":
    sys.exit(main())
