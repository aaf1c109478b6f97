"""Packs a stand-in as a plugin archive, or lays the language host beside the CLI.

    python -m airgap.pack docker --to FOLDER     FOLDER/pulumi-resource-docker-v5.2.0-linux-amd64.tar.gz
    python -m airgap.pack language --to FOLDER   FOLDER/pulumi-language-python

An archive goes in by Pulumi's own command, `pulumi plugin install resource docker v5.2.0 --file ARCHIVE`, as an
official one does. It holds one small script that runs the stand-in from this checkout, so it stays valid while the
code changes. Printed is one line each: `NAME VERSION PATH`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import shlex
import sys
import tarfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PROVIDERS = ("docker", "postgresql", "random", "tls")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_EXECUTABLE = 0o755


def version_of(provider: str) -> str:
    """The official version that a stand-in stands in for, such as "5.2.0"."""
    schema = json.loads((CHECKOUT / "airgap" / "schemas" / f"{provider}.json").read_text(encoding="utf-8"))
    return str(schema["version"])


def launcher(module: str, python: str, checkout: Path = CHECKOUT) -> str:
    """A shell script that becomes `python -m module`."""
    root = shlex.quote(str(checkout))
    return (
        "#!/bin/sh\n"
        f"# Written by airgap/pack.py: runs {module} from {checkout}.\n"
        f'PYTHONPATH={root}"${{PYTHONPATH:+:$PYTHONPATH}}"\n'
        "export PYTHONPATH\n"
        f'exec {shlex.quote(python)} -m {module} "$@"\n'
    )


def pack_provider(provider: str, folder: Path, python: str) -> Path:
    """Writes the plugin archive of a stand-in into `folder` and returns its path."""
    system, machine = platform.system().lower(), platform.machine()
    name = f"pulumi-resource-{provider}-v{version_of(provider)}-{system}-{_MACHINES.get(machine, machine)}.tar.gz"
    script = launcher(f"airgap.{provider}", python).encode()
    entry = tarfile.TarInfo(f"pulumi-resource-{provider}")
    entry.mode, entry.size = _EXECUTABLE, len(script)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{name}.{os.getpid()}"
    with tarfile.open(unfinished, "w:gz") as archive:
        archive.addfile(entry, io.BytesIO(script))
    return unfinished.rename(folder / name)


def write_language_host(folder: Path, python: str) -> Path:
    """Writes `pulumi-language-python` into `folder`, where the CLI's own binary is, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".pulumi-language-python.{os.getpid()}"
    unfinished.write_text(launcher("airgap.language", python), encoding="utf-8")
    unfinished.chmod(_EXECUTABLE)
    return unfinished.rename(folder / "pulumi-language-python")


def main(args: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m airgap.pack", description="Packs the stand-ins for Pulumi.")
    parser.add_argument("what", nargs="+", choices=[*PROVIDERS, "language"])
    parser.add_argument("--to", type=Path, required=True, help="folder that the archives or the script go to")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter that runs the stand-ins (default: this one)"
    )
    given = parser.parse_args(args)
    for what in given.what:
        if what == "language":
            print("python", "-", write_language_host(given.to, given.python))
        else:
            print(what, version_of(what), pack_provider(what, given.to, given.python))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
