"""A plugin that has nothing to do yet has imported nothing heavy: each preview starts every provider anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.provider.airgap.harness import CHECKOUT

HEAVY = {"random": ("bcrypt",), "tls": ("cryptography",)}


@pytest.mark.parametrize("name", HEAVY)
def test_a_plugin_starts_light(name: str) -> None:
    program = (
        f"import sys, airgap.base.server, airgap.{name}.provider; print([m for m in {HEAVY[name]} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
