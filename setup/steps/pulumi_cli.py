"""Pulumi's command line with the Python language host beside it: downloaded, or built from source with the stand-in."""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from setup import network, toolchain
from setup.context import Context
from setup.errors import Interrupted, StepError
from setup.files import digest, replace_directory
from setup.runner import Step
from setup.toolchain import Toolchain, archive_url, cli_version

NAME = "pulumi"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
CHUNK = 1 << 20


def wanted(context: Context, choice: Toolchain) -> str:
    """The stamp of a command line of this kind, version and place."""
    parts: list[str | Path] = [choice.kind, context.versions.pulumi, choice.cli]
    if choice.kind == "airgap":
        airgap = context.paths.root / "airgap"
        parts += [airgap / "cli" / "go.sum", airgap / "pack.py", str(context.paths.root)]
    return digest(parts)


def present(context: Context) -> bool:
    choice = toolchain.recorded(context.paths, toolchain.asked(context.environ))
    return choice is not None and context.stamped(NAME, wanted(context, choice)) and Path(choice.cli).exists()


def provide(context: Context) -> None:
    choice = toolchain.choose(context.paths, context.versions.pulumi, context.versions.providers, context.environ)
    context.console.say(NAME, f"{choice.kind} toolchain: {choice.why}")
    ours = Path(choice.cli).parent == context.paths.pulumi_dir
    if ours:
        context.paths.tools.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pulumi.", dir=context.paths.tools) as scratch:
            staged = Path(scratch) / "pulumi"
            if choice.kind == "airgap":
                _build(context, staged)
            else:
                _download(context, Path(scratch))
            found = cli_version(staged / "pulumi")
            if found != context.versions.pulumi:
                what = f"pulumi: got version {found} instead of {context.versions.pulumi}"
                raise StepError(what, log=context.log(NAME), fix="`make setup` tries again.")
            context.unstamp(NAME)
            replace_directory(staged, context.paths.pulumi_dir)
    elif cli_version(Path(choice.cli)) != context.versions.pulumi:
        # What was on PATH when the choice was made is gone or another version now: the choice is made anew.
        context.paths.toolchain.unlink(missing_ok=True)
        provide(context)
        return
    context.stamp(NAME, wanted(context, choice))


def _build(context: Context, staged: Path) -> None:
    version = context.versions.pulumi
    fix = "install Go 1.21 or newer and let it reach its module proxy (`go env GOPROXY`), or put pulumi on PATH."
    if shutil.which("go") is None:
        raise StepError(f"pulumi: Go is needed to build v{version}, and there is none", fix=fix)
    context.console.say(NAME, f"building v{version} with Go (some minutes when nothing is cached)")
    staged.mkdir()
    flags = f"-s -w -X {VERSION_VARIABLE}=v{version}"
    context.processes.run(
        ["go", "build", "-v", "-trimpath", "-ldflags", flags, "-o", staged / "pulumi", PACKAGE],
        log=context.log(NAME),
        what=f"pulumi: the build of v{version} failed",
        fix=fix,
        cwd=context.paths.root / "airgap" / "cli",
        # Without C: the machine may have no compiler. Read-only: a go.mod or go.sum that would change is an error.
        env={**context.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"},
        progress=lambda line: context.console.say(NAME, f"building: {line}"),
    )
    # The packer needs nothing but the standard library, so this step need not wait for the environment.
    context.processes.run(
        [sys.executable, "-m", "airgap.pack", "language", "--to", staged, "--python", context.paths.python],
        log=context.log(NAME),
        what="pulumi: the language host could not be put beside the command line",
        cwd=context.paths.root,
        env=context.environ,
    )


def _download(context: Context, scratch: Path) -> None:
    """The official archive holds one folder `pulumi` with the command line and the language hosts."""
    url = archive_url(context.versions.pulumi)
    context.console.say(NAME, f"downloading {url}")
    archive = scratch / "pulumi.tar.gz"
    try:
        with urllib.request.urlopen(url, timeout=network.TIMEOUT) as source, archive.open("wb") as target:
            while chunk := source.read(CHUNK):
                if context.processes.stopping:
                    raise Interrupted
                target.write(chunk)
        with tarfile.open(archive) as files:
            files.extractall(scratch, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise StepError(
            f"pulumi: {url} could not be downloaded",
            why=str(error),
            fix=f"install pulumi v{context.versions.pulumi} yourself, or set PIPE_TOOLCHAIN=airgap.",
        ) from error


STEP = Step(NAME, present, provide)
