"""A configuration as a whole: the stack's name, all faults at once, what a right one gives, what Pulumi hands over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
from pulumi.runtime import config as pulumi_config

from infra.settings import DatabaseSettings, NetworkSettings, Settings, SettingsError, from_pulumi, load
from tests.unit.settings_lines import GOOD, lines


@pytest.mark.parametrize(
    "stack", ["Mine", "1st", "a_b", "a-", "-a", "a" * 31, "", "ä"], ids=lambda name: f"stack name {name!r}"
)
def test_a_stack_name_that_docker_or_dns_would_refuse(stack: str) -> None:
    with pytest.raises(SettingsError, match="must be 1 to 30 lower-case letters, digits and inner dashes"):
        load(stack, GOOD)


@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_a_named_stack_without_config_says_which_file_is_missing(stack: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(stack, {"environment": "", "protect": False, "network": {}, "database": {}})
    (fault,) = caught.value.faults
    assert str(fault) == (
        f"pipe:environment = (not set): stacks/Pulumi.{stack}.yaml is missing or empty, and a stack needs at least "
        f"environment and network.port_base; write stacks/Pulumi.{stack}.yaml, or start from another stack's with "
        f"`make up STACK={stack} LIKE=test`"
    )


def test_a_named_stack_has_its_own_environment() -> None:
    assert lines({}, stack="prod") == [
        'pipe:environment = dev: must be prod in the stack "prod"; set environment: prod, or rename the stack'
    ]


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_data_that_matters_is_protected(environment: str) -> None:
    assert lines({"environment": environment}) == [
        f"pipe:protect = false: must be true in {environment}, which holds data; set protect: true; to remove the "
        "stack on purpose, run `pulumi state unprotect --all` first"
    ]


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_data_that_matters_is_reached_through_two_proxies(environment: str) -> None:
    assert lines({"environment": environment, "protect": True, "proxy.instances": 1}) == [
        f"pipe:proxy.instances = 1: must be 2 in {environment}, or losing one proxy takes every client off the "
        "database; remove it for the default, 2"
    ]


def test_every_fault_is_listed_at_once_and_counted() -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            "mine",
            {
                "environment": "prod",
                "network": {"port_base": "x", "bind_adress": "::1"},
                "database": {"replicas": 9, "parameters": {"fsync": "off", "jit": "maybe"}},
                "failover": {"ttl": 20},
                "extra": 1,
            },
        )
    assert str(caught.value).splitlines()[0] == 'stack "mine": 8 settings are wrong, nothing was changed'
    assert [fault.key for fault in caught.value.faults] == [
        "pipe:extra",
        "pipe:network.bind_adress",
        "pipe:network.port_base",
        "pipe:database.replicas",
        "pipe:database.parameters.fsync",
        "pipe:database.parameters.jit",
        "pipe:protect",
        "pipe:failover.ttl",
    ]


def test_a_wrong_value_does_not_break_the_rules_that_look_at_it() -> None:
    assert lines({"failover.ttl": 10, "failover.retry_timeout": 60}) == [
        "pipe:failover.ttl = 10: must be a whole number from 20 to 600 s; remove it for the default, 30"
    ]


def test_defaults_are_those_of_the_dataclasses() -> None:
    network = NetworkSettings(port_base=15400)
    assert load("mine", GOOD) == Settings(stack="mine", environment="dev", network=network)


@pytest.mark.parametrize(("environment", "members"), [("dev", 1), ("test", 1), ("staging", 3), ("prod", 3)])
def test_the_environment_decides_how_many_etcd_members(environment: str, members: int) -> None:
    raw = GOOD | {"environment": environment, "protect": True}
    assert load("mine", raw).consensus.members == members
    assert load("mine", raw | {"consensus": {"members": 1}}).consensus.members == 1


def test_every_kind_of_value_is_taken() -> None:
    raw = {
        "environment": "prod",
        "protect": "true",
        "network": {
            "port_base": "20000",
            "bind_address": "0.0.0.0",
            "hostnames": ["db.example.com", "10.0.0.5", "fe80::1"],
        },
        "database": {"replicas": 2.0, "cpus": "1.5", "restart": "rolling"},
        "failover": {"synchronous": True, "primary_start_timeout": 0},
        "proxy": {"read_only_fallback": False},
        "backup": {"full_schedule": "*/5 0-6/2 * 1,6 1-5", "differential_schedule": None, "time_zone": "Asia/Tokyo"},
    }
    settings = load("mine", raw)
    assert settings.protect is True
    assert settings.network == NetworkSettings(
        port_base=20000, bind_address="0.0.0.0", hostnames=("db.example.com", "10.0.0.5", "fe80::1")
    )
    assert settings.database == DatabaseSettings(replicas=2, cpus=1.5, restart="rolling")
    assert settings.failover.synchronous == "on"
    assert settings.proxy.read_only_fallback is False
    assert settings.backup.time_zone == "Asia/Tokyo"


def test_settings_can_not_be_changed() -> None:
    settings = load("mine", GOOD)
    with pytest.raises(AttributeError):
        settings.stack = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.database.parameters["jit"] = "off"  # type: ignore[index]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Calls from_pulumi() in a stack called mine, with the config that Pulumi would hand over."""
    monkeypatch.setattr(pulumi, "get_stack", lambda: "mine")

    def run(values: dict[str, Any], secret_keys: tuple[str, ...] = ()) -> Settings:
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
        pulumi_config.set_all_config(texts, list(secret_keys))
        return from_pulumi()

    yield run
    pulumi_config.set_all_config({}, [])


def test_a_program_gets_what_its_config_says(program: Any) -> None:
    settings = program(
        {
            "pipe:environment": "dev",
            "pipe:protect": "false",
            "pipe:network": {"port_base": 15400},
            "pipe:database": {"replicas": 2, "parameters": {"jit": "off"}},
            "pipe:consensus": {},
            "docker:host": "unix:///var/run/docker.sock",
        }
    )
    assert settings == load("mine", GOOD | {"database": {"replicas": 2, "parameters": {"jit": "off"}}})


def test_a_program_ends_with_all_faults_and_without_a_trace(program: Any) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        program({"pipe:environment": "dev", "pipe:network": "{", "pipe:colour": "hunter2"}, ("pipe:colour",))
    assert str(caught.value).splitlines() == [
        'stack "mine": 2 settings are wrong, nothing was changed',
        "  pipe:colour = [secret]: no such setting; known here: backup, certificates, consensus, credentials, data, "
        "database, environment, failover, network, protect, proxy, restore, s3, sftp",
        "  pipe:network = {: must be a map of port_base, bind_address, hostnames; write one key a line under it",
        "  Settings are in stacks/Pulumi.mine.yaml and explained in docs/configuration.md.",
    ]
