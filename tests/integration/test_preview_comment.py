"""`make preview-comment` on a running stack: what a pull request would be told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import timeouts
from tests.fixtures.stacks import Stack, succeeded

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("shared")]


@pytest.fixture
def changed(stack: Stack) -> Iterator[Stack]:
    """The shared stack with fewer connections in its file; nothing is carried out, and the file is put back."""
    before = stack.file.read_text()
    stack.configure("database", max_connections=50)
    yield stack
    stack.file.write_text(before)


def comment(stack: Stack) -> str:
    return succeeded(stack.run("make", "preview-comment", f"STACK={stack.name}", timeout=timeouts.COMMAND))


def test_nothing_to_do(stack: Stack) -> None:
    text = comment(stack)
    assert text.startswith(f"<!-- pipe-preview -->\n\n# Preview\n\n## `{stack.name}`: no changes\n")


def test_a_changed_setting_and_what_follows_from_it(changed: Stack) -> None:
    text = comment(changed)
    assert "| `pipe:database.max_connections` | `60` | `50` |" in text
    assert "`config.postgresql.parameters.max_connections`: `60` → `50`" in text
    assert "Data is lost" not in text


def test_nothing_secret_is_in_it(changed: Stack) -> None:
    text = comment(changed)
    for uris in changed.outputs["connections"].values():
        password = uris["read_write"].split(":")[2].split("@")[0]
        assert password not in text
