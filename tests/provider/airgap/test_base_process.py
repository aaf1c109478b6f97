"""The process of a plugin: light at its start, gone with its engine, quiet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.provider.airgap.harness import CHECKOUT

MODULES = ["docker", "language"]
HEAVY = ("bcrypt", "cryptography", "docker", "psycopg", "requests")
# From the parent's end to the plugin's; far more than it takes, so that a busy machine does not fail the test.
GONE_WITHIN_S = 5.0


def start(module: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"airgap.{module}", "127.0.0.1:1"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=CHECKOUT, stdout=pipe, stderr=pipe, text=True)


def is_running(pid: int) -> bool:
    """Whether the process still does anything; one that nobody has waited for yet does not."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("module", ["docker", "postgresql", "random", "tls"])
def test_nothing_heavy_is_imported_at_the_start(module: str) -> None:
    script = f"import sys, airgap.{module}.__main__; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("module", MODULES)
def test_it_says_its_port(module: str) -> None:
    process = start(module)
    assert process.stdout
    assert int(process.stdout.readline()) > 0
    process.terminate()
    process.communicate()


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_and_without_a_word_when_told_to(module: str, number: signal.Signals) -> None:
    process = start(module)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(number)
    output, errors = process.communicate(timeout=GONE_WITHIN_S)
    assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.parametrize("module", MODULES)
def test_it_ends_with_its_parent_even_when_that_is_killed(module: str) -> None:
    script = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-m', 'airgap.{module}', '127.0.0.1:1'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    plugin = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + GONE_WITHIN_S
    while is_running(plugin) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(plugin)
