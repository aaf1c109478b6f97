"""Files of stacks: which environment they say, how one is copied for a throw-away stack, and which ports it gets."""

from __future__ import annotations

import socket
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cli import ports, stackfile
from cli.errors import UserError
from infra.settings import load
from infra.settings.cluster import HIGHEST_PORT, PORTS_OF_A_STACK

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("stack", ["test", "dev", "staging", "prod"])
def test_a_copy_is_a_valid_stack_with_its_own_ports(stack: str) -> None:
    content = stackfile.read(ROOT, stack)
    assert content
    copied = yaml.safe_load(stackfile.copy({**content, "encryptionsalt": "v1:x"}, stack, 20480))
    assert set(copied) == {"config"}
    values = {key.removeprefix("pipe:"): value for key, value in copied["config"].items()}
    settings = load("it-1", values)
    assert settings.network.port_base == 20480
    assert settings.environment == content["config"]["pipe:environment"]


def test_a_copy_leaves_out_nothing_else_of_the_network() -> None:
    content = {"config": {"pipe:network": {"port_base": 15400, "hostnames": ["db.example"]}}}
    copied = yaml.safe_load(stackfile.copy(content, "dev", 20000))
    assert copied["config"]["pipe:network"] == {"port_base": 20000, "hostnames": ["db.example"]}


def test_encrypted_values_cannot_be_copied() -> None:
    content = {"config": {"pipe:a": {"secure": "v1:x"}, "pipe:b": {"c": [{"secure": "v1:y"}]}, "pipe:d": 1}}
    with pytest.raises(UserError, match=r'stack "dev" has encrypted values \(pipe:a, pipe:b\)'):
        stackfile.copy(content, "dev", 20000)


def test_a_copy_keeps_its_backups_on_the_volume_and_knows_no_key_of_the_other() -> None:
    content = {
        "config": {
            "pipe:environment": "test",
            "pipe:backup": {"repositories": ["volume", "s3", "sftp"], "retention_days": 7},
            "pipe:s3": {"bucket": "b", "access_key": "A", "secret_key": {"secure": "v1:x"}},
            "pipe:sftp": {"user": "u", "private_key": {"secure": "v1:y"}},
        }
    }
    copied = yaml.safe_load(stackfile.copy(content, "dev", 20000))["config"]
    assert copied.pop("pipe:backup") == {"retention_days": 7}
    assert copied == {"pipe:environment": "test", "pipe:network": {"port_base": 20000}}


@pytest.mark.parametrize(
    ("content", "stack", "kind"),
    [
        ({"config": {"pipe:environment": "prod"}}, "main", "prod"),
        ({"config": {"pipe:environment": ""}}, "prod", "prod"),
        ({"config": None}, "staging", "staging"),
        ({}, "mine", "dev"),
        (None, "prod", "prod"),
    ],
)
def test_a_mistake_in_a_file_opens_no_shared_stack(content: stackfile.StackFile | None, stack: str, kind: str) -> None:
    assert stackfile.kind(content, stack) == kind


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    stackfile.path_of(tmp_path, "dev").write_text("config: [")
    with pytest.raises(UserError, match=r'"stacks/Pulumi.dev.yaml" is not YAML'):
        stackfile.read(tmp_path, "dev")
    stackfile.path_of(tmp_path, "dev").write_text("[]")
    assert stackfile.read(tmp_path, "dev") == {}
    stackfile.path_of(tmp_path, "dev").write_text("[1]")
    with pytest.raises(UserError, match="holds no map"):
        stackfile.read(tmp_path, "dev")


def test_a_removed_stacks_salt_leaves_its_file() -> None:
    text = "encryptionsalt: v1:abc\nconfig:\n  pipe:environment: dev\n"
    assert stackfile.without_salt(text) == "config:\n  pipe:environment: dev\n"


@pytest.mark.parametrize("name", ["Dev", "1dev", "dev-", "dev_1", "", "a" * 31, "../dev"])
def test_names_that_no_stack_can_have(name: str) -> None:
    with pytest.raises(UserError):
        stackfile.check_name(name)


def test_every_file_here_has_ports_of_its_own() -> None:
    used = sorted(stackfile.used_ports(ROOT))
    assert all(after - before >= PORTS_OF_A_STACK for before, after in pairwise(used))


@given(
    taken=st.sets(st.integers(ports.FIRST - 100, ports.LAST), max_size=40),
    busy=st.sets(st.integers(ports.FIRST, ports.LAST), max_size=40),
    start=st.integers(0, 2000),
)
def test_a_block_is_free_and_nobodys(taken: set[int], busy: set[int], start: int) -> None:
    base = ports.choose(taken, lambda port: port not in busy, start)
    block = set(range(base, base + ports.BLOCK))
    assert not block & busy
    assert all(not block & set(range(other, other + ports.BLOCK)) for other in taken)
    assert ports.FIRST <= base <= HIGHEST_PORT - PORTS_OF_A_STACK + 1


def test_no_free_block_is_said() -> None:
    with pytest.raises(UserError, match="no block of 16 free ports"):
        ports.choose((), lambda _: False)


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not ports.is_free(port)
