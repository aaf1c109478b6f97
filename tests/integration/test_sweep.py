"""`make sweep` on a real engine: what carries the label of a throw-away stack goes, everything else stays."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker import APIClient

ROOT = Path(__file__).resolve().parent.parent.parent
SWEEP_TIMEOUT_SECONDS = 120

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Made:
    """One stack's network and volume: enough to see them go."""

    client: APIClient
    stack: str | None
    name: str

    def left(self) -> list[str]:
        networks = self.client.networks(names=[f"^{self.name}$"])
        volumes = self.client.volumes(filters={"name": f"^{self.name}$"})["Volumes"] or []
        return ["network"] * len(networks) + ["volume"] * len(volumes)


def make(client: APIClient, stack: str | None) -> Made:
    name = f"sweep-test-{secrets.token_hex(4)}"
    labels = {} if stack is None else {"pipe.stack": stack, "pipe.component": "member"}
    client.create_volume(name, labels=labels)
    client.create_network(name, labels=labels)
    return Made(client, stack, name)


@pytest.fixture
def client() -> Iterator[APIClient]:
    engine = APIClient(version="auto")
    yield engine
    engine.close()


@pytest.fixture
def made(client: APIClient) -> Iterator[dict[str, Made]]:
    """Two throw-away stacks, one with a lasting name's look, and objects without a label."""
    part = secrets.token_hex(3)
    stacks = {"wanted": f"sweep-{part}", "other": f"sweep-{part}x", "lasting": f"lasting-{part}", "unlabelled": None}
    found = {key: make(client, stack) for key, stack in stacks.items()}
    yield found
    for item in found.values():
        if "network" in item.left():
            client.remove_network(item.name)
        if "volume" in item.left():
            client.remove_volume(item.name)


def sweep(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "delivery.sweep", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SWEEP_TIMEOUT_SECONDS,
        check=False,
    )


def test_only_the_stack_asked_for_goes(made: dict[str, Made]) -> None:
    wanted = made["wanted"]
    assert wanted.stack is not None

    tried = sweep("--stack", wanted.stack, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert f"would remove {wanted.stack}: asked for (2 objects)" in tried.stdout
    assert wanted.left() == ["network", "volume"], "a dry run removes nothing"

    done = sweep("--stack", wanted.stack)
    assert done.returncode == 0, done.stderr
    assert f"removing {wanted.stack}: asked for (2 objects)" in done.stdout
    assert {key: item.left() for key, item in made.items()} == {
        "wanted": [],
        "other": ["network", "volume"],
        "lasting": ["network", "volume"],
        "unlabelled": ["network", "volume"],
    }


def test_young_stacks_and_other_names_stay(made: dict[str, Made]) -> None:
    # An hour is longer than this test runs; nothing here is older, and nothing of others is touched by a dry run.
    done = sweep("--older-than", "1", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"keeping {made['wanted'].stack}: 0.0 h old, in use up to 1.0 h (2 objects)" in done.stdout
    assert f"keeping {made['lasting'].stack}: not a throw-away stack's name (2 objects)" in done.stdout
    assert made["unlabelled"].name not in done.stdout


@pytest.mark.parametrize("stack", ["dev", "prod", "mine"])
def test_a_lasting_stack_is_refused_by_name(stack: str) -> None:
    done = sweep("--stack", stack)
    assert done.returncode == 2
    assert f"stack '{stack}' is never swept" in done.stderr
    assert f"make destroy STACK={stack}" in done.stderr
