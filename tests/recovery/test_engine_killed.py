"""Docker's engine is killed, alone and with all that runs under it, or stopped, at moments of a stack's life.

By the benchmark that does it for as many rounds as one likes, on an engine and in a network of its own: as root.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys

import pytest

from bench.engine_kills import VICTIMS
from tests import timeouts
from tests.fixtures.stacks import ROOT

# Each has two turns, one while nothing but the stack is at work.
ROUNDS = 2 * len(VICTIMS)

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(ROUNDS * timeouts.UP)]


def test_the_next_run_converges_and_no_row_is_lost() -> None:
    seed = os.environ.get("PIPE_SEED") or str(secrets.randbelow(2**31))
    command = [sys.executable, "-m", "bench.engine_kills", f"--rounds={ROUNDS}", f"--seed={seed}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(f"PIPE_SEED={seed}", done.stdout, done.stderr, sep="\n")
    assert done.returncode == 0
    for victim in VICTIMS:
        for turn in ("rest", "(up|update|destroy)"):
            assert re.search(rf"converged: {victim} at line \d+ of {turn}$", done.stdout, re.MULTILINE)
