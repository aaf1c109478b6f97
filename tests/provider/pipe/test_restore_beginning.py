"""``pipe:pgbackrest:Restore`` is about a stack's beginning: what is said of it later is refused or changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.provider.airgap.harness import Refused
from tests.provider.pipe.driver import PipePlugin

EMPTY: dict[str, Any] = {
    "container": "pipe-t-restore",
    "image": "pipe-member:t",
    "labels": {"pipe.stack": "t"},
    "volume": "pipe-t-member-0-data",
    "memoryMb": 320,
}
RESTORED = EMPTY | {
    "source": "prod",
    "archive": "a",
    "backup": "b",
    "passphrase": "secret",
    "at": "2026-05-01 12:00+00",
}


@pytest.fixture
def plugin() -> Iterator[PipePlugin]:
    made = PipePlugin()
    yield made
    made.stop()


def test_a_stack_may_begin_with_nothing(plugin: PipePlugin) -> None:
    live = plugin.live("pgbackrest:Restore")
    live.up(EMPTY)
    assert live.id == EMPTY["volume"]
    assert not live.diff(EMPTY | {"image": "pipe-member:newer", "memoryMb": 640}).changes


def test_a_stack_that_is_there_is_not_restored(plugin: PipePlugin) -> None:
    live = plugin.live("pgbackrest:Restore")
    live.up(EMPTY)
    with pytest.raises(Refused) as caught:
        live.check(RESTORED)
    assert caught.value.failures == {
        "source": "cannot be changed: the cluster of this stack is made already, and a restore makes a new one\n"
        "HINT: take pipe:restore out of the configuration; docs/backup-and-restore.md says how to restore in place"
    }


def test_without_the_passphrase_it_is_refused(plugin: PipePlugin) -> None:
    with pytest.raises(Refused) as caught:
        plugin.live("pgbackrest:Restore").check({key: value for key, value in RESTORED.items() if key != "passphrase"})
    assert caught.value.failures == {
        "passphrase": 'of the repository of stack "prod" is missing\n'
        "HINT: run: bin/pulumi config set --secret --path pipe:restore.passphrase"
    }


def test_once_it_is_restored_the_settings_may_go(plugin: PipePlugin) -> None:
    live = plugin.live("pgbackrest:Restore")
    live.id, live.inputs, live.state = RESTORED["volume"], RESTORED, RESTORED
    assert not live.diff(RESTORED).changes
    assert not live.diff(EMPTY).changes
