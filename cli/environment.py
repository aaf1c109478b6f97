"""The environment in which Pulumi runs for a stack: which backend, whose passphrase, which programs. Pure.

Local stacks need no question answered: the checkout has a file backend and a random passphrase of its own. Staging and
prod belong to more than one machine, so their backend and secrets come from the caller, and the local ones are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.errors import UserError
from setup.paths import Paths
from setup.toolchain import Toolchain

SHARED = ("staging", "prod")
ALLOW_LOCAL = "PIPE_ALLOW_LOCAL_STATE"
SECRETS_PROVIDER = "PIPE_SECRETS_PROVIDER"
BACKEND = "PULUMI_BACKEND_URL"
PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"


@dataclass(frozen=True)
class Target:
    """A stack as far as its environment goes.

    `kind` is its pipe:environment; `secrets_provider` what its file or the caller names instead of a passphrase.
    """

    stack: str
    kind: str
    secrets_provider: str | None = None


def file_backend(folder: Path) -> str:
    """The URL of a folder as a backend.

    Its files get no companion with their checksum: nobody reads that, and to make it is a fifth of a checkpoint's work.
    """
    return f"file://{folder}?metadata=skip"


def folder_of(backend: str) -> Path | None:
    """The folder behind a backend's URL; None for another kind."""
    return Path(backend.removeprefix("file://").partition("?")[0]) if backend.startswith("file:///") else None


def local_backend(paths: Paths) -> str:
    """The URL of the checkout's own backend."""
    return file_backend(paths.state)


def variables(target: Target, paths: Paths, toolchain: Toolchain, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables to set for `target` on top of `environ`. Raises UserError when a shared stack would run locally."""
    check(target, paths, environ)
    result = {
        "PULUMI_HOME": str(paths.pulumi_home),
        "PULUMI_STACK": target.stack,
        BACKEND: environ.get(BACKEND) or local_backend(paths),
        "PATH": path(paths, toolchain, environ.get("PATH", "")),
        # Set-up looks after the programs: another release or another plugin on PATH is neither told of nor used.
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        # Pulumi, a Go program, writes its whole state before and after each step, and most of that is garbage at once.
        # Collected less often it costs a tenth less time and a hundred megabytes more.
        "GOGC": environ.get("GOGC") or "300",
        # A stack's salt is in its state too: found there when its file came fresh from git.
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
    }
    if toolchain.kind == "airgap":
        # Nothing that is missing can be downloaded: say so at once instead of trying for minutes.
        result["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    if not passphrase_given(environ):
        result[PASSPHRASE_FILE] = str(paths.passphrase)
    return result


def check(target: Target, paths: Paths, environ: Mapping[str, str]) -> None:
    """Refuse to run a shared stack with what belongs to this checkout alone."""
    if target.kind not in SHARED or environ.get(ALLOW_LOCAL) == "1":
        return
    lacking = []
    if folder_of(environ.get(BACKEND) or local_backend(paths)) == paths.state:
        lacking.append(BACKEND)
    own = environ.get(PASSPHRASE_FILE) == str(paths.passphrase)
    if not target.secrets_provider and (own or not passphrase_given(environ)):
        lacking.append(f"{PASSPHRASE}, {PASSPHRASE_FILE} or {SECRETS_PROVIDER}")
    if lacking:
        raise UserError(
            f'stack "{target.stack}" ({target.kind}) does not run with this checkout\'s own state and passphrase: '
            f"{' and '.join(lacking)} must be set",
            f"set what everyone who runs the stack shares; to try it with local ones, set {ALLOW_LOCAL}=1.",
        )


def passphrase_given(environ: Mapping[str, str]) -> bool:
    """Whether the caller says which passphrase to use. An empty one is none: so a secret that CI lacks arrives."""
    return bool(environ.get(PASSPHRASE) or environ.get(PASSPHRASE_FILE))


def without_empty(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without an empty passphrase: Pulumi would take it and not look at the file."""
    return {key: value for key, value in environ.items() if value or key != PASSPHRASE}


def path(paths: Paths, toolchain: Toolchain, present: str) -> str:
    """PATH with the chosen Pulumi, the checkout's uv and its Python in front; each folder once."""
    first = [toolchain.cli.rpartition("/")[0], str(paths.uv.parent), str(paths.venv / "bin")]
    return ":".join(dict.fromkeys([*first, *(folder for folder in present.split(":") if folder)]))
