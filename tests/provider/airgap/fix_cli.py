"""A Pulumi project of a test's own: real CLI, language host and plugin archives, in folders that go with the test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap.pack import pack_provider, version_of, write_language_host
from tests.provider.airgap.harness import CHECKOUT

CLI = CHECKOUT / ".tools" / "pulumi" / "pulumi"
# No command of these small projects takes longer; one that hangs fails its test.
COMMAND_TIMEOUT_S = 120.0


class Project:
    """A folder with a program, a stack `test`, and the CLI to run it."""

    def __init__(self, folder: Path, bin: Path, home: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
            "PATH": f"{bin}:{os.environ['PATH']}",
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{folder}",
            "PULUMI_CONFIG_PASSPHRASE": "for tests only",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "NO_COLOR": "1",
        }
        self.cli = str(bin / "pulumi")
        (folder / "Pulumi.yaml").write_text("name: conformance\nruntime: python\n")
        self.run("stack", "init", "test")

    def program(self, text: str) -> None:
        """Writes the program."""
        (self.folder / "__main__.py").write_text(text)

    def command(self, *arguments: str) -> list[str]:
        """The whole command line."""
        return [self.cli, "--non-interactive", "--color=never", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts the CLI and does not wait for it."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Runs the CLI and returns all that it printed; AssertionError when it should have ended otherwise."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
        assert (process.returncode != 0) == fails, output
        return output

    def up(self, *arguments: str, fails: bool = False) -> str:
        """`pulumi up`."""
        return self.run("up", "--yes", "--skip-preview", *arguments, fails=fails)


def diagnostics(output: str) -> str:
    """The part that begins with "Diagnostics:", up to the next part; empty when there is none."""
    found = re.search(r"^Diagnostics:\n(.*?)^(?:Outputs|Resources|Duration):", output, re.DOTALL | re.MULTILINE)
    return found[1].strip() if found else ""


@pytest.fixture(scope="session")
def pulumi_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CLI with the language host beside it, as set-up lays them."""
    if not CLI.exists():
        pytest.fail(f"{CLI} is missing\nHINT: run `make setup`")
    folder = tmp_path_factory.mktemp("bin")
    # A copy, not a link: the CLI looks for the language host beside its real path.
    shutil.copy2(CLI, folder)
    write_language_host(folder, sys.executable)
    return folder


@pytest.fixture(scope="session")
def pulumi_home(tmp_path_factory: pytest.TempPathFactory, pulumi_bin: Path) -> Path:
    """A PULUMI_HOME into which the packed docker stand-in was installed by Pulumi's own command."""
    home = tmp_path_factory.mktemp("home")
    archive = pack_provider("docker", home, sys.executable)
    install = ["plugin", "install", "resource", "docker", f"v{version_of('docker')}", "--file", str(archive)]
    environment = {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    subprocess.run([pulumi_bin / "pulumi", *install], env=environment, check=True, capture_output=True)
    return home


@pytest.fixture
def project(tmp_path: Path, pulumi_bin: Path, pulumi_home: Path) -> Iterator[Project]:
    """A new project with a stack; whatever its program made is destroyed afterwards."""
    found = Project(tmp_path, pulumi_bin, pulumi_home)
    yield found
    if list(tmp_path.glob(".pulumi/locks/**/*.json")):
        found.run("cancel", "--yes")
    found.program("")
    found.run("destroy", "--yes", "--skip-preview")
