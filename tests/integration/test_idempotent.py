"""A second run finds nothing to do."""

from __future__ import annotations

import pytest

from tests import timeouts
from tests.fixtures.stacks import Stack, succeeded

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("shared")]


def test_preview_finds_nothing_to_change(stack: Stack) -> None:
    stack.pulumi("preview", "--expect-no-changes")


def test_second_up_changes_nothing(stack: Stack) -> None:
    stack.pulumi("up", "--yes", "--expect-no-changes", timeout=timeouts.UP)


def test_refresh_finds_nothing_changed(stack: Stack) -> None:
    stack.pulumi("refresh", "--yes", "--expect-no-changes", timeout=timeouts.UP)


def test_drift_finds_none(stack: Stack) -> None:
    succeeded(stack.run("make", "drift", timeout=timeouts.UP))
