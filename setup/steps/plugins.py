"""The providers, put into the project's own PULUMI_HOME with Pulumi's own command."""

from __future__ import annotations

import tempfile
from pathlib import Path

from setup import toolchain
from setup.context import Context
from setup.files import digest
from setup.runner import Step
from setup.toolchain import Toolchain

NAME = "providers"


def folder(context: Context, name: str) -> Path:
    """Where Pulumi keeps the plugin."""
    return context.paths.pulumi_home / "plugins" / f"resource-{name}-v{context.versions.providers[name]}"


def wanted(context: Context, choice: Toolchain) -> str:
    """The stamp of this set of providers. A stand-in names the checkout it runs from, so the place counts too."""
    parts: list[str | Path] = [choice.kind, *(f"{k}={v}" for k, v in sorted(context.versions.providers.items()))]
    if choice.kind == "airgap":
        parts += [str(context.paths.root), context.paths.root / "airgap" / "pack.py"]
    return digest(parts)


def present(context: Context) -> bool:
    choice = toolchain.recorded(context.paths, toolchain.asked(context.environ))
    return (
        choice is not None
        and context.stamped(NAME, wanted(context, choice))
        and all(folder(context, name).is_dir() for name in context.versions.providers)
    )


def provide(context: Context) -> None:
    choice = toolchain.choose(context.paths, context.versions.pulumi, context.versions.providers, context.environ)
    context.console.say(NAME, f"installing the {choice.kind} ones")
    context.unstamp(NAME)
    context.paths.tools.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".providers.", dir=context.paths.tools) as scratch:
        archives = Path(scratch)
        if choice.kind == "airgap":
            context.processes.run(
                [context.paths.python, "-m", "airgap.pack", *context.versions.providers, "--to", archives],
                log=context.log(NAME),
                what="providers: the stand-ins could not be packed",
                cwd=context.paths.root,
                env=context.environ,
            )
        for name, version in context.versions.providers.items():
            _install(context, choice, name, version, archives)
    context.stamp(NAME, wanted(context, choice))


def _install(context: Context, choice: Toolchain, name: str, version: str, archives: Path) -> None:
    command: list[str | Path] = [choice.cli, "plugin", "install", "resource", name, f"v{version}"]
    # --reinstall: what lies there may be the other kind, or half of one.
    command += ["--exact", "--reinstall"]
    if choice.kind == "airgap":
        command += ["--file", *archives.glob(f"pulumi-resource-{name}-v{version}-*.tar.gz")]
    elif folder := toolchain.user_plugin(context.paths, context.environ, name, version):
        command += ["--file", folder]
    context.processes.run(
        command,
        log=context.log(NAME),
        what=f"providers: {name} v{version} could not be installed",
        fix=f"see what `{choice.cli} plugin install resource {name} v{version}` says, or set PIPE_TOOLCHAIN=airgap.",
        # From the tools' folder: below the project, Pulumi would look its plugins up in Pulumi.yaml first.
        cwd=archives,
        env={**context.environ, "PULUMI_HOME": str(context.paths.pulumi_home), "PULUMI_SKIP_UPDATE_CHECK": "true"},
    )


def installed(context: Context) -> dict[str, str]:
    """For `make doctor`: each provider with its version, and whether it is there."""
    return {
        name: f"v{version}" + ("" if folder(context, name).is_dir() else " (missing)")
        for name, version in context.versions.providers.items()
    }


STEP = Step(NAME, present, provide, needs=("python", "pulumi"))
