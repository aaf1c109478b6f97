"""How the engine is reached that the caller's environment names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli import engine
from cli.errors import UserError
from setup import docker_api

VARIABLES = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def command(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a docker command on PATH, alone; returns the file in which it writes what it was asked."""
    asked = folder / "asked"
    file = folder / "docker"
    file.write_text(f'#!/bin/sh\necho "$*" >> "{asked}"\n{script}\n')
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return asked


@pytest.mark.parametrize(
    ("environ", "plain"),
    [
        ({}, True),
        ({"DOCKER_HOST": "unix:///run/docker.sock", "DOCKER_TLS_VERIFY": "1"}, True),
        ({"DOCKER_HOST": "tcp://h:2375"}, True),
        ({"DOCKER_HOST": "tcp://h:2375", "DOCKER_TLS_VERIFY": ""}, True),
        ({"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1"}, False),
        ({"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS": "1"}, False),
        ({"DOCKER_HOST": "https://h:2376"}, False),
        ({"DOCKER_HOST": "ssh://user@h"}, False),
    ],
)
def test_only_an_open_way_is_taken_directly(environ: dict[str, str], plain: bool) -> None:
    assert docker_api.is_plain(environ) is plain


def test_an_engine_over_ssh_is_asked_by_the_docker_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://user@h")
    asked = command(tmp_path, monkeypatch, "exit 0")
    assert docker_api.failure() is None
    assert docker_api.has_image("debian:x")
    assert asked.read_text() == "version --format {{.Server.Version}}\nimage inspect --format {{.Id}} debian:x\n"


def test_what_the_docker_command_says_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://user@h")
    command(tmp_path, monkeypatch, "echo host unknown >&2; echo more >&2; exit 1")
    assert docker_api.failure() == "ssh://user@h: host unknown"
    assert not docker_api.has_image("debian:x")
    monkeypatch.setenv("PATH", "")
    assert docker_api.failure() == "ssh://user@h: only the docker command can reach it, and that is missing"


def test_the_client_follows_docker_s_own_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("docker.APIClient", lambda **options: given.update(options))
    engine.client()
    assert "base_url" not in given
    assert "tls" not in given
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    monkeypatch.setenv("DOCKER_HOST", "tcp://h:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    engine.client()
    assert given["base_url"] == "tcp://h:2376"
    assert given["tls"].verify is True
    assert given["tls"].ca_cert == str(tmp_path / "ca.pem")


def test_certificates_that_are_missing_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://h:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(UserError, match="Docker's engine does not answer: "):
        engine.client()


@pytest.mark.parametrize(
    ("host", "reason"),
    [("tcp://127.0.0.1:9", "Connection refused"), ("unix:///nowhere/docker.sock", "No such file or directory")],
)
def test_an_engine_that_is_not_there_is_one_short_sentence(
    host: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(UserError) as caught:
        engine.client()
    assert caught.value.text() == (
        f"error: Docker's engine does not answer: {reason}\n"
        "HINT: `make setup` starts it, or says which DOCKER_HOST to mend."
    )
