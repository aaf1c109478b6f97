"""Docker's engine is killed, alone and with all that runs under it, at moments of a stack's life.

By the benchmark that does it for as many rounds as one likes, on an engine and in a network of its own.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys

import pytest

from tests import timeouts
from tests.fixtures.stacks import ROOT

ROUNDS = 6

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(ROUNDS * timeouts.UP)]


def test_the_next_run_converges_and_no_row_is_lost() -> None:
    seed = os.environ.get("PIPE_SEED") or str(secrets.randbelow(2**31))
    command = [sys.executable, "-m", "bench.engine_kills", f"--rounds={ROUNDS}", f"--seed={seed}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(f"PIPE_SEED={seed}", done.stdout, done.stderr, sep="\n")
    assert done.returncode == 0
    for victim in ("engine", "power"):
        assert re.search(rf"converged after kill -9 of {victim} at ", done.stdout)
