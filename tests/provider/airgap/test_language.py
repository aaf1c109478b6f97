"""The language host under the real CLI: programs that end well, badly, and early."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.provider.airgap.fix_cli import Project, diagnostics


def test_a_program_runs_with_its_folder_its_configuration_and_its_output(project: Project) -> None:
    (project.folder / "beside.py").write_text("WORD = 'beside'\n")
    project.run("config", "set", "plain", "one")
    project.run("config", "set", "--secret", "hidden", "hush")
    project.program(
        "import os, pulumi\n"
        "from beside import WORD\n"
        "config = pulumi.Config()\n"
        "print('printed', WORD)\n"
        "pulumi.export('folder', os.getcwd())\n"
        "pulumi.export('plain', config.require('plain'))\n"
        "pulumi.export('hidden', config.require_secret('hidden'))\n"
        "pulumi.export('stack', pulumi.get_stack())\n"
    )
    output = project.up()
    assert "printed beside" in output
    assert f'folder: "{project.folder}"' in output
    assert 'plain : "one"' in output
    assert "hidden: [secret]" in output
    assert 'stack : "test"' in output
    assert "warning" not in output


def test_a_foreseen_error_is_its_message_and_nothing_else(project: Project) -> None:
    project.program("import pulumi\nraise pulumi.RunError('replicas must be 0 to 5, but is 9')\n")
    found = diagnostics(project.up(fails=True))
    assert found == "pulumi:pulumi:Stack (conformance-test):\n    error: replicas must be 0 to 5, but is 9"


def test_configuration_that_is_missing_is_asked_for_without_a_traceback(project: Project) -> None:
    project.program("import pulumi\npulumi.Config().require('colour')\n")
    found = diagnostics(project.up(fails=True))
    assert "Missing required configuration variable 'conformance:colour'" in found
    assert "Traceback" not in found


def test_a_bug_is_shown_with_the_programs_own_frames(project: Project) -> None:
    project.program("def f():\n    return {}['nope']\n\nf()\n")
    found = diagnostics(project.up(fails=True))
    assert "the program failed:\n" in found
    assert found.count('File "') == 2
    assert f'File "{project.folder}/__main__.py", line 2, in f' in found
    assert found.endswith("KeyError: 'nope'")


def test_a_bug_in_an_apply_is_shown_as_well(project: Project) -> None:
    project.program("import pulumi\npulumi.export('x', pulumi.Output.from_input(0).apply(lambda value: 1 / value))\n")
    found = diagnostics(project.up(fails=True))
    assert found.endswith("ZeroDivisionError: division by zero")
    assert "site-packages" not in found


def test_a_failure_is_shown_although_another_output_never_comes(project: Project) -> None:
    project.program(
        "import asyncio, pulumi\n"
        "never = pulumi.Output.from_input(asyncio.get_event_loop().create_future())\n"
        "pulumi.Output.from_input(0).apply(lambda value: 1 / value)\n"
    )
    found = diagnostics(project.up(fails=True))
    assert found.endswith("ZeroDivisionError: division by zero")


def test_debug_lines_of_the_program_are_shown(project: Project) -> None:
    project.program("import pulumi\npulumi.log.debug('said once')\npulumi.log.info('said aloud')\n")
    assert "said once" not in project.up()
    assert "said once" in project.up("--debug")


def test_a_syntax_error_says_where(project: Project) -> None:
    project.program("def broken(:\n")
    found = diagnostics(project.up(fails=True))
    assert f'File "{project.folder}/__main__.py", line 1' in found
    assert "SyntaxError" in found


def test_a_project_without_a_program_is_one_sentence(project: Project) -> None:
    found = diagnostics(project.up(fails=True))
    assert found.endswith(f"there is no program: {project.folder}/__main__.py does not exist")


def test_a_program_that_ends_itself_is_told_so(project: Project) -> None:
    project.program("raise SystemExit(3)\n")
    assert diagnostics(project.up(fails=True)).endswith("the program ended itself with exit code 3")


def test_about_names_the_interpreter(project: Project) -> None:
    project.program("")
    output = project.run("about")
    assert "python" in output
    assert "error" not in output.lower().replace("errors", "")


SLOW = """
import pulumi_docker as docker

docker.Container(
    "slow",
    name="{prefix}",
    image="debian:trixie-slim",
    command=["sleep", "infinity"],
    wait=True,
    wait_timeout=60,
    healthcheck=docker.ContainerHealthcheckArgs(tests=["CMD", "false"], interval="1s"),
)
"""
# From Ctrl-C to the end of the CLI, and from its death to that of its plugins: both take a fraction of a second.
END_WITHIN_S = 60.0


def wait_for(condition: Callable[[], bool], seconds: float = END_WITHIN_S) -> None:
    """Polls until the condition holds; AssertionError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert condition()


@pytest.mark.usefixtures("live")  # what a killed CLI leaves behind goes with it
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_it_ends_soon_and_quietly(
    project: Project, docker_engine: Any, prefix: str, number: signal.Signals
) -> None:
    def containers() -> list[Any]:
        return list(docker_engine.containers.list(all=True, filters={"name": prefix}))

    project.program(SLOW.format(prefix=prefix))
    process = project.start("up", "--yes", "--skip-preview")
    wait_for(lambda: any(found.status == "running" for found in containers()), 60)
    plugins = children(process.pid)
    assert len(plugins) >= 2
    process.send_signal(number)
    output, _ = process.communicate(timeout=END_WITHIN_S)
    wait_for(lambda: not any(is_running(plugin) for plugin in plugins))
    assert process.returncode != 0
    assert "Traceback" not in output
    if number == signal.SIGINT:
        assert f"error: waiting for container '{prefix}' was cancelled" in output
        assert containers() == []


def children(parent: int) -> list[int]:
    """The process ids of a process's children, whichever of its threads started them."""
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def is_running(pid: int) -> bool:
    """Whether the process still does anything; one that nobody has waited for yet does not."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_state_remembers_where_a_resource_was_declared_and_not_how_it_came_there(project: Project) -> None:
    (project.folder / "beside.py").write_text(
        "import pulumi\n\n\nclass Group(pulumi.ComponentResource):\n"
        "    def __init__(self, name):\n        super().__init__('conformance:index:Group', name)\n"
    )
    project.program("from beside import Group\n\n\ndef make():\n    Group('one')\n\n\nmake()\n")
    project.up()
    exported = json.loads(project.run("stack", "export"))
    (made,) = (one for one in exported["deployment"]["resources"] if one["type"] == "conformance:index:Group")
    assert made["sourcePosition"] == "project:///__main__.py#5"
    assert "stackTrace" not in made
