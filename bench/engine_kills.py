"""kill -9 of Docker's engine, power cuts and reboots at random moments of a stack's life; the next run must converge.

    make bench OF=engine_kills [ARGS='--rounds 20 --seed 1']

As `bench/kills.py`, on a second engine of its own. Each round starts `up` of a new stack, `up` with a change while
clients write, or `destroy`, and at a random line of its output kills the engine, whose containers go on until it is
back, or everything under it as well, as when the power goes, or asks it to end, as a machine does that starts anew. The
command ends with an error. Then the engine is started again, and the same command has to end well, with nothing left
over and no acknowledged row lost. Every second time that it is somebody's turn nothing runs but the stack, which has to
be back by itself.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from bench.kills import ROWS, Life, Moment, options, play
from bench.own_engine import OwnEngine, in_own_network, own_engine
from infra import images
from tests import timeouts
from tests.fixtures.helper_images import DEBIAN
from tests.fixtures.stacks import ROOT, throw_away_stack

VICTIMS: Mapping[str, Callable[[OwnEngine], None]] = {
    "engine killed": OwnEngine.kill,
    "power cut": OwnEngine.cut,
    "engine stopped": OwnEngine.stop,
}


@dataclass
class EngineLife(Life):
    """A stack on an engine that is killed."""

    engine: OwnEngine = field(kw_only=True)
    rested: set[str] = field(default_factory=set[str])
    """Whose last turn was one at rest."""
    days: ClassVar[Sequence[str]] = ("update", "destroy")

    def day(self, victim: str) -> str:
        """Return what happens next: at rest and at work by turns."""
        if self.stack.file.exists() and victim not in self.rested:
            self.rested.add(victim)
            return "rest"
        self.rested.discard(victim)
        return super().day(victim)

    def rest(self, at: Moment) -> bool:
        """Nothing but clients at work when it happens: with the engine the stack is back by itself."""
        with self.stack.ledger() as ledger:
            self.ledgers.append(ledger)
            ledger.wait_for_rows(ROWS)
            VICTIMS[at.victim](self.engine)
            self.engine.start()
            ledger.wait_for_rows(ROWS, timeouts.HEALTH)
        self.check_rows()
        self.stack.pulumi("preview", "--refresh", "--expect-no-changes", timeout=timeouts.UP)
        return True

    def _strike(self, at: Moment, running: subprocess.Popen[str]) -> bool:
        if running.poll() is not None:
            return False
        VICTIMS[at.victim](self.engine)
        return True

    def _killed(self, command: str, at: Moment) -> bool:
        try:
            return super()._killed(command, at)
        finally:
            if not self.engine.runs:
                self.engine.start()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rounds; returns 1 when one did not converge."""
    args = options("bench.engine_kills", __doc__, argv)
    if images.build_missing():
        return 1
    outside = in_own_network("bench.engine_kills", [f"--rounds={args.rounds}", f"--seed={args.seed}"])
    if outside is not None:
        return outside
    context = images.read_context(ROOT / "images")
    # Set-up, which `make` runs first, looks for the one that the others are made from.
    names = [DEBIAN, *(images.image_name(target, context) for target in images.TARGETS)]
    with tempfile.TemporaryDirectory(prefix="pipe-kills-") as folder, own_engine(names) as engine:
        os.environ["DOCKER_HOST"] = engine.host
        with throw_away_stack("engine-kills") as stack:
            life = EngineLife(stack, Path(folder), random.Random(args.seed), engine=engine)
            return play(life, args, list(VICTIMS), "engine-kills")


if __name__ == "__main__":
    sys.exit(main())
