"""`make setup` and `make doctor`: python3 -m setup [install|doctor] [--quiet]."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType

from setup import doctor, versions
from setup.console import Console
from setup.context import Context
from setup.errors import StepError
from setup.exclusive import exclusive
from setup.paths import checkout
from setup.process import Processes
from setup.runner import Step, missing, run
from setup.steps import base_image, engine, images, local, plugins, pulumi_cli, python_env

STEPS: list[Step] = [
    local.STEP,
    python_env.STEP,
    pulumi_cli.STEP,
    engine.STEP,
    base_image.STEP,
    images.STEP,
    plugins.STEP,
]
INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Run one of the two commands; returns the exit status."""
    parser = argparse.ArgumentParser(prog="setup", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("install", "doctor"), default="install")
    parser.add_argument("--quiet", action="store_true", help="say nothing when everything is there")
    options = parser.parse_args(arguments)
    paths = checkout()
    context = Context(paths, versions.load(paths.root), dict(os.environ), Console(), Processes())
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if options.command == "doctor":
            lines, complete = doctor.report(context, STEPS)
            print("\n".join(lines))
            return 0 if complete else 1
        return install(context, options.quiet)
    except StepError as error:
        print(f"\nset-up failed: {error.text()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up interrupted; the next run goes on from here", file=sys.stderr)
        return INTERRUPTED


def install(context: Context, quiet: bool) -> int:
    """Provide what is missing. Looks without the lock first, so that runs with nothing to do never wait."""
    if missing(STEPS, context):
        with exclusive(context.paths, context.console):
            failures = run(missing(STEPS, context), context)
        for error in failures.values():
            print(f"\nset-up failed: {error.text()}", file=sys.stderr)
        if failures:
            return 1
    elif quiet:
        return 0
    context.console.say("set-up", "complete")
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
