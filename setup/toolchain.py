"""Which programs run: Pulumi's own, or the stand-ins. Decided once for a checkout and written down with the reason."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from setup import network
from setup.errors import StepError
from setup.files import write_atomic
from setup.paths import Paths

Kind = Literal["official", "airgap"]
VARIABLE = "PIPE_TOOLCHAIN"
ALLOWED = (*get_args(Kind), "auto")
RELEASES = "https://get.pulumi.com/releases/sdk"


@dataclass(frozen=True)
class Toolchain:
    """The choice: `cli` is the path of the command line to run, `asked` what PIPE_TOOLCHAIN said when it was made."""

    kind: Kind
    why: str
    cli: str
    asked: str = "auto"


def archive_url(version: str, system: str | None = None, machine: str | None = None) -> str:
    """Where the official archive of the command line for this machine is published."""
    system = (system or platform.system()).lower()
    machine = (machine or platform.machine()).lower()
    architecture = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(machine, machine)
    return f"{RELEASES}/pulumi-v{version}-{system}-{architecture}.tar.gz"


def cli_version(cli: Path) -> str | None:
    """The version that a `pulumi` says it is; None when it cannot be run."""
    try:
        output = subprocess.run([cli, "version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return output.strip().removeprefix("v") or None


def on_path(paths: Paths, environ: Mapping[str, str]) -> Path | None:
    """The `pulumi` on PATH, unless it is one of this checkout: its own wrapper or its own build."""
    kept = [
        folder
        for folder in environ.get("PATH", "").split(":")
        if folder and not Path(folder).resolve().is_relative_to(paths.root)
    ]
    found = shutil.which("pulumi", path=":".join(kept))
    return Path(found) if found else None


def user_plugin(paths: Paths, environ: Mapping[str, str], name: str, version: str) -> Path | None:
    """The folder of a provider that the user has installed for Pulumi anywhere but in this checkout."""
    home = Path(environ.get("PULUMI_HOME") or Path(environ.get("HOME", "/")) / ".pulumi").resolve()
    folder = home / "plugins" / f"resource-{name}-v{version}"
    return folder if folder.is_dir() and not home.is_relative_to(paths.root) else None


def recorded(paths: Paths, asked: str) -> Toolchain | None:
    """The choice made earlier, as long as nobody asks for the other one; None when there is none."""
    try:
        choice = Toolchain(**json.loads(paths.toolchain.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return choice if asked in ("auto", choice.kind) else None


def asked(environ: Mapping[str, str]) -> str:
    """The value of PIPE_TOOLCHAIN; raises StepError when it is none of the allowed ones."""
    value = environ.get(VARIABLE) or "auto"
    if value not in ALLOWED:
        raise StepError(f"{VARIABLE} is {value!r}", fix=f"allowed: {', '.join(ALLOWED)}.")
    return value


def decide(
    want: str,
    version: str,
    own_cli: Path,
    path_cli: Path | None,
    path_version: str | None,
    plugins_at_hand: bool,
    unreachable: Callable[[], str | None],
) -> Toolchain:
    """Choose. `path_cli` is a pulumi found on PATH and `path_version` its version; `unreachable` asks the network.

    The official command line is of use only with its providers: installed by the user, or downloaded.
    """
    if want == "airgap":
        return Toolchain("airgap", f"{VARIABLE}=airgap", str(own_cli), want)
    asked_for = f"{VARIABLE}=official; " if want == "official" else ""
    on_path = path_cli is not None and path_version == version
    if on_path and plugins_at_hand:
        return Toolchain(
            "official", f"{asked_for}pulumi v{version} and its providers are installed", str(path_cli), want
        )
    reason = unreachable()
    if reason is None:
        if on_path:
            why = f"pulumi v{version} is on PATH and its providers can be downloaded"
            return Toolchain("official", asked_for + why, str(path_cli), want)
        return Toolchain("official", f"{asked_for}pulumi v{version} can be downloaded", str(own_cli), want)
    if on_path:
        found = f"pulumi v{version} is on PATH without its providers"
    else:
        found = f"the pulumi on PATH is v{path_version}" if path_cli else f"pulumi v{version} is not on PATH"
    if want == "official":
        raise StepError(
            f"pulumi: {VARIABLE}=official, but {found} and get.pulumi.com does not answer",
            why=reason,
            fix=f"install pulumi v{version} and its providers, or set {VARIABLE}=airgap to build it from source.",
        )
    return Toolchain("airgap", f"{found} and get.pulumi.com does not answer: {reason}", str(own_cli))


def choose(paths: Paths, version: str, providers: Mapping[str, str], environ: Mapping[str, str]) -> Toolchain:
    """The toolchain of this checkout: the recorded choice, or a new one, which is recorded."""
    want = asked(environ)
    choice = recorded(paths, want)
    if choice is None:
        found = on_path(paths, environ)
        choice = decide(
            want,
            version,
            paths.pulumi_dir / "pulumi",
            found,
            cli_version(found) if found else None,
            all(user_plugin(paths, environ, name, pinned) for name, pinned in providers.items()),
            lambda: network.failure(archive_url(version)),
        )
        write_atomic(paths.toolchain, json.dumps(asdict(choice), indent=2) + "\n")
    return choice
