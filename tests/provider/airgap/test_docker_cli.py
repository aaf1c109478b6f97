"""The whole chain for once: CLI, language host, plugin archive, Docker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.provider.airgap.fix_cli import Project, diagnostics

PROGRAM = """
import pulumi
import pulumi_docker as docker

prefix = "{prefix}"
network = docker.Network("network", name=prefix)
volume = docker.Volume("volume", name=prefix)
box = docker.Container(
    "box",
    name=prefix,
    image="debian:trixie-slim",
    command=["sleep", "infinity"],
    stop_signal="SIGKILL",
    memory={memory},
    memory_swap={memory},
    mounts=[docker.ContainerMountArgs(type="volume", source=volume.name, target="/data")],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=["box"])],
    uploads=[docker.ContainerUploadArgs(file="/etc/key", content=pulumi.Output.secret("hush-hush"))],
    opts=pulumi.ResourceOptions(delete_before_replace=True),
)
pulumi.export("id", box.id)
"""


pytestmark = pytest.mark.usefixtures("live")  # whatever a failed test leaves behind goes with it


@pytest.fixture
def box(project: Project, prefix: str) -> Project:
    """The project with everything up."""
    project.program(PROGRAM.format(prefix=prefix, memory=64))
    output = project.up()
    assert "+ 4 created" in output
    assert diagnostics(output) == ""
    return project


def state(project: Project) -> dict[str, Any]:
    exported = json.loads(project.run("stack", "export"))
    return {found["urn"].rpartition("::")[2]: found for found in exported["deployment"]["resources"]}


def test_up_once_then_nothing_to_do_then_nothing_left(box: Project, docker_engine: Any, prefix: str) -> None:
    box.run("up", "--yes", "--skip-preview", "--expect-no-changes")
    box.run("preview", "--expect-no-changes")
    box.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    box.run("destroy", "--yes", "--skip-preview")
    assert docker_engine.containers.list(all=True, filters={"name": prefix}) == []
    assert docker_engine.networks.list(names=[prefix]) == []
    assert docker_engine.volumes.list(filters={"name": prefix}) == []


def test_secrets_stay_secret_in_the_state(box: Project) -> None:
    assert "hush-hush" not in box.run("stack", "export")
    found = state(box)["box"]
    assert "ciphertext" in found["inputs"]["uploads"]
    assert "ciphertext" in found["outputs"]["uploads"]


def test_the_state_is_one_that_the_official_provider_reads(box: Project) -> None:
    found = state(box)["box"]
    assert json.loads(found["outputs"]["__meta"]) == {"schema_version": "2"}
    assert {"mustRun", "start", "restart"} <= set(found["inputs"]["__defaults"])
    assert found["inputs"]["mustRun"] is True


def test_a_change_is_previewed_and_made_in_place(box: Project, prefix: str) -> None:
    box.program(PROGRAM.format(prefix=prefix, memory=128))
    preview = box.run("preview", "--diff")
    assert "~ docker:index/container:Container: (update)" in preview
    assert "~ memory    : 64 => 128" in preview
    assert "~ 1 updated" in box.up()


def test_what_was_removed_behind_its_back_is_made_again(box: Project, docker_engine: Any, prefix: str) -> None:
    docker_engine.containers.get(prefix).remove(force=True)
    assert "- 1 deleted" in box.run("refresh", "--yes", "--skip-preview")
    assert "+ 1 created" in box.up()


def test_an_error_of_docker_is_shown_on_its_resource(project: Project) -> None:
    project.program('import pulumi_docker as docker\ndocker.Container("box", image="nowhere:1")\n')
    found = diagnostics(project.up(fails=True))
    assert "docker:index:Container (box):\n    error: creating container 'box-" in found
    assert "failed: No such image: nowhere:1\n    HINT: build the image first" in found
    assert "Traceback" not in found


def test_a_refused_secret_is_not_printed(project: Project) -> None:
    project.program(
        "import pulumi\nimport pulumi_docker as docker\n"
        'docker.Container("box", image="x", restart=pulumi.Output.secret("hush-hush"))\n'
    )
    output = project.up(fails=True)
    assert "property 'restart' must be one of no, on-failure, always, unless-stopped" in output
    assert "hush-hush" not in output


def test_an_existing_container_is_imported(project: Project, docker_engine: Any, prefix: str) -> None:
    found = docker_engine.containers.create("debian:trixie-slim", ["sleep", "infinity"], name=prefix)
    try:
        project.program("")
        project.run(
            "import",
            "docker:index/container:Container",
            "box",
            found.id,
            "--yes",
            "--skip-preview",
            "--protect=false",
            "--generate-code=false",
        )
        assert state(project)["box"]["inputs"]["command"] == ["sleep", "infinity"]
    finally:
        found.remove(force=True)
