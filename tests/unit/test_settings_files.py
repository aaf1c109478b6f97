"""The files around the settings: Pulumi.yaml, stacks/ and docs/configuration.md say what the dataclasses say."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.naming import Names
from infra.settings import SettingsError, check, document, parse
from infra.settings.load import is_section, top_level
from infra.settings.model import Settings
from infra.settings.parse import ENCRYPTED

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("dev", "prod", "staging", "test")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    return loaded


def test_the_project_declares_the_keys_of_the_settings(project: dict[str, Any]) -> None:
    types = {str: "string", bool: "boolean"}
    expected = {}
    for name, item in top_level().items():
        section = is_section(name)
        default = parse.default_of(item, None)
        expected[name] = {
            "type": "object" if section else types.get(parse.hints(Settings)[name], "string"),
            "description": item.metadata["description"],
            # Empty where the key has to be set, so that the program can list all faults.
            "default": {} if section else (default if isinstance(default, bool) else ""),
        }
    assert project["config"] == expected


def test_the_project_finds_its_parts(project: dict[str, Any]) -> None:
    assert project["name"] == "pipe"
    assert project["stackConfigDir"] == "stacks"
    assert project["runtime"] == {"name": "python", "options": {"toolchain": "uv", "virtualenv": ".venv"}}
    assert project["plugins"] == {"providers": [{"name": "pipe", "path": "./provider"}]}


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_file_is_right(stack: str) -> None:
    assert check.check(stack).environment == stack


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_file_holds_differences_only(stack: str) -> None:
    for name, value in check.read(stack).items():
        item = top_level()[name]
        if not is_section(name):
            assert value != parse.default_of(item, stack), name
            continue
        fields = {field.name: field for field in dataclasses.fields(parse.hints(Settings)[name])}
        for key, entry in value.items():
            assert entry != parse.default_of(fields[key], stack), f"{name}.{key}"


def test_stacks_of_one_machine_share_no_port() -> None:
    ports = [port for stack in STACKS for port in Names.of(check.check(stack)).ports.all]
    assert len(ports) == len(set(ports))


def test_a_machine_of_24_gb_runs_ten_test_stacks() -> None:
    settings = check.check("test")
    members = (1 + settings.database.replicas) * (settings.database.memory_mb + settings.backup.memory_mb)
    others = settings.consensus.members * settings.consensus.memory_mb + settings.proxy.memory_mb
    assert 10 * (members + others + 2 * settings.backup.memory_mb) < 20 * 1024


def test_the_page_about_configuration_is_fresh() -> None:
    assert document.TARGET.read_text(encoding="utf-8") == document.document(), "run `python -m infra.settings.document`"


def test_every_field_is_described() -> None:
    for name, item in top_level().items():
        fields = dataclasses.fields(parse.hints(Settings)[name]) if is_section(name) else ()
        for each in (item, *fields):
            assert each.metadata["description"].endswith((".", "from it")), f"{name}.{each.name}"


class TestCheck:
    """The command that checks files without Pulumi."""

    def test_it_names_the_faults_and_fails(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "Pulumi.a.yaml").write_text("config: {pipe:environment: dev, network: {port_base: 1}}")
        (tmp_path / "Pulumi.b.yaml").write_text("config: {pipe:environment: dev, pipe:network: {port_base: 2000}}")
        assert check.main([], tmp_path) == 1
        assert capsys.readouterr().err.splitlines()[0] == 'stack "a": 1 setting is wrong, nothing was changed'
        assert check.main(["b"], tmp_path) == 0

    def test_it_reads_on_and_off_as_pulumi_does(self, tmp_path: Path) -> None:
        (tmp_path / "Pulumi.a.yaml").write_text("config: {pipe:failover: {synchronous: off}, pipe:protect: true}")
        assert check.read("a", tmp_path) == {"failover": {"synchronous": "off"}, "protect": True}

    def test_it_marks_what_is_encrypted(self, tmp_path: Path) -> None:
        (tmp_path / "Pulumi.a.yaml").write_text("config: {pipe:x: {secure: v1}, pipe:y: {a: {secure: v1}, b: 1}}")
        assert check.read("a", tmp_path) == {"x": ENCRYPTED, "y": {"a": ENCRYPTED, "b": 1}}

    @pytest.mark.parametrize(
        "s3", ["{endpoint: s3, bucket: b, access_key: a, secret_key: {secure: v1}}", "{secure: v1}"]
    )
    def test_an_encrypted_value_stands_for_one_that_is_right(self, tmp_path: Path, s3: str) -> None:
        (tmp_path / "Pulumi.a.yaml").write_text(
            "config: {pipe:environment: dev, pipe:network: {port_base: 15400}, pipe:backup: {repositories: [s3]},"
            f" pipe:s3: {s3}}}"
        )
        assert check.check("a", tmp_path).backup.repositories == ("s3",)

    def test_it_says_what_is_not_yaml(self, tmp_path: Path) -> None:
        (tmp_path / "Pulumi.a.yaml").write_text("config: [")
        with pytest.raises(SettingsError, match=r"stacks/Pulumi.a.yaml = \(unreadable\): while parsing"):
            check.check("a", tmp_path)
