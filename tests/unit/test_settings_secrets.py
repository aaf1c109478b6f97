"""Nothing that could be a secret is printed, and what is printed stays short."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.settings_lines import lines

SECRETS = {
    "a key named like one": {"admin_password": "hunter2"},
    "a nested key named like one": {"database": {"api_token": "hunter2"}},
    "inside an unknown map": {"vault": {"passphrase": "hunter2"}},
    "a parameter": {"database": {"parameters": {"primary_conninfo": "host=a password=hunter2"}}},
    "a URI": {"upstream": "postgresql://me:hunter2@db/pipe"},
    "an encrypted value": {"thing": {"secure": "hunter2"}},
}


@pytest.mark.parametrize("raw", SECRETS.values(), ids=list(SECRETS))
def test_what_could_be_a_secret_is_not_shown(raw: dict[str, Any]) -> None:
    (line,) = lines(raw)
    assert "hunter2" not in line
    assert " = [secret]: " in line


@pytest.mark.parametrize("key", ["backup", "protect", "colour"])
def test_what_the_stack_encrypted_is_not_shown(key: str) -> None:
    value = {"compress": "hunter2"} if key == "backup" else "hunter2"
    (line,) = lines({key: value}, secret_keys={key})
    assert "hunter2" not in line


def test_a_long_value_is_cut_and_stays_on_one_line() -> None:
    (line,) = lines({"colour": "red\n" * 100})
    assert line.startswith('pipe:colour = "red\\nred')
    assert "…: no such setting" in line
    assert len(line) < 250
