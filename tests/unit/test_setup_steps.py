"""Single steps of set-up, with what they start replaced where it would reach out of this folder."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from setup import docker_api, network
from setup.__main__ import STEPS
from setup.console import Console
from setup.context import Context
from setup.errors import StepError
from setup.exclusive import exclusive
from setup.paths import Paths
from setup.process import Processes
from setup.steps import engine, local, packages, python_env
from setup.versions import Versions

PINS = Versions("9.9.9", "3.1.0", {"docker": "1.0.0"}, "debian:x", "x")


def make(root: Path, **environ: str) -> Context:
    return Context(Paths(root), PINS, {**os.environ, **environ}, Console(io.StringIO()), Processes())


def test_every_need_is_a_step() -> None:
    names = {step.name for step in STEPS}
    assert all(set(step.needs) <= names for step in STEPS)


def test_an_environment_that_was_interrupted_is_not_taken_for_done(tmp_path: Path) -> None:
    context = make(tmp_path)
    context.paths.python.parent.mkdir(parents=True)
    context.paths.python.touch(mode=0o755)
    assert not python_env.present(context)
    context.stamp(python_env.NAME, python_env.wanted(context))
    assert python_env.present(context)
    (context.paths.venv / python_env.UNFINISHED).touch()
    assert not python_env.present(context)


def test_a_changed_lock_makes_the_environment_outdated(tmp_path: Path) -> None:
    context = make(tmp_path)
    before = python_env.wanted(context)
    (tmp_path / "uv.lock").write_text("changed")
    assert python_env.wanted(context) != before


def test_a_uv_of_another_version_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    uv = folder / "uv"
    for version, found in (("1.0.0", None), ("9.9.9", uv)):
        uv.write_text(f"#!/bin/sh\necho 'uv {version} (x86_64)'\n")
        uv.chmod(0o755)
        assert python_env.find_uv(make(tmp_path, PATH=f"{folder}:/bin:/usr/bin")) == found


def test_local_defaults_are_private_and_stay(tmp_path: Path) -> None:
    context = make(tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert not local.present(context)
    local.provide(context)
    assert local.present(context)
    passphrase = context.paths.passphrase
    assert passphrase.stat().st_mode & 0o777 == 0o600
    text = passphrase.read_text()
    assert len(text) >= 40
    local.provide(context)
    assert passphrase.read_text() == text


def test_the_filter_keeps_salts_out_of_git_and_in_the_file(tmp_path: Path) -> None:
    context = make(tmp_path)
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    local.provide(context)
    (tmp_path / ".gitattributes").write_text("stack.yaml filter=pipe-local-salt\n")
    file = tmp_path / "stack.yaml"
    file.write_text("encryptionsalt: v1:abc\nconfig:\n  pipe:environment: dev\n")
    subprocess.run([*git, "add", "stack.yaml"], check=True)
    stored = subprocess.run([*git, "show", ":stack.yaml"], check=True, capture_output=True, text=True).stdout
    assert stored == "config:\n  pipe:environment: dev\n"
    assert file.read_text().startswith("encryptionsalt:")


def test_an_engine_that_docker_host_names_is_never_started_by_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    context = make(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/absent.sock")
    with pytest.raises(StepError) as caught:
        engine.provide(context)
    assert caught.value.what == (
        f"docker: the engine that DOCKER_HOST names does not answer (unix://{tmp_path}/absent.sock: "
        "No such file or directory)"
    )


def test_without_root_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_api, "failure", lambda: "no socket")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    context = make(tmp_path)
    with pytest.raises(StepError) as caught:
        engine.provide(make(tmp_path, DOCKER_HOST=""))
    assert caught.value.fix.startswith("install Docker's engine 20.10 or newer")
    with pytest.raises(StepError, match="mmdebstrap is missing"):
        packages.install(context, "base image", ["mmdebstrap"], "load it yourself.")


def test_an_image_is_not_there_when_the_engine_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    assert not docker_api.has_image("debian:x")
    assert docker_api.failure()


def test_a_port_that_nothing_listens_on_is_unreachable_at_once() -> None:
    assert network.failure("http://127.0.0.1:9/") == "Connection refused"


def test_a_new_run_removes_what_a_killed_one_was_making(tmp_path: Path) -> None:
    context = make(tmp_path)
    (context.paths.tools / ".pulumi.abc").mkdir(parents=True)
    (context.paths.tools / ".passphrase.12").touch()
    (context.paths.tools / "pulumi").mkdir()
    with exclusive(context.paths, context.console):
        assert sorted(entry.name for entry in context.paths.tools.iterdir()) == ["pulumi", "setup.lock"]
