"""python -m cli COMMAND [options]: what the Makefile and bin/ call. STACK names the stack (dev without it)."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cli import connect, environment
from cli.errors import UserError
from cli.session import Session

COMMANDS = (
    "up",
    "preview",
    "drift",
    "destroy",
    "status",
    "restore-drill",
    "rehearse",
    "env",
    "seed",
    "adopt",
    "export-months",
    "attach-month",
    "migration",
    "restore",
    "restore-in-place",
    "pulumi",
    "psql",
    "patronictl",
    "pgbackrest",
    "rebuild-consensus",
)

UP = frozenset({"up", "update"})
# What talks to the database before, or without, the program that writes the authority's certificate for it.
WITHOUT_PROGRAM = frozenset({"refresh", "destroy", "down", "--refresh", "-r"})

REMOVES = frozenset({"destroy", "down"})


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status."""
    if not arguments or arguments[0] not in COMMANDS:
        print(f"usage: python -m cli {{{','.join(COMMANDS)}}}", file=sys.stderr)
        return 2
    try:
        return dispatch(arguments[0], arguments[1:])
    except UserError as error:
        print(error.text(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def dispatch(command: str, options: Sequence[str]) -> int:
    # Each command imports what it needs, so that none waits for another's libraries.
    session = Session.current(stack_option(options) if command == "pulumi" else None)
    # Options of Pulumi that were given to make: `make up ARGS=--diff`.
    extra = [*options, *shlex.split(os.environ.get("ARGS", ""))]
    match command:
        case "up":
            from cli import up

            return up.run(session, os.environ.get("LIKE"), extra)
        case "preview":
            return session.pulumi(["preview", "--stack", session.stack, *extra])
        case "drift":
            connect.provide_known_authority(session)
            flags = ["--preview-only", "--expect-no-changes", "--diff"]
            return session.pulumi(["refresh", "--stack", session.stack, *flags, *extra])
        case "destroy":
            from cli import destroy

            return destroy.run(session, extra)
        case "status":
            from cli.status import report

            return report.run(session)
        case "restore-drill":
            from cli import drill

            return drill.run(session)
        case "rehearse":
            from cli.rehearse import run as rehearse

            return rehearse.run(session, *(os.environ.get(name) for name in ("FILE", "OUT", "SIZE")))
        case "env":
            if environment.without_empty(session.environ) != session.environ:
                print(f"unset {environment.PASSPHRASE}")
            print("\n".join(f"export {key}={shlex.quote(value)}" for key, value in session.variables.items()))
            return 0
        case "seed":
            from cli.seed import run as seed

            return seed.run(session, extra)
        case "adopt":
            from cli.adopt import run as adopt

            return adopt.run(session, extra)
        case "export-months":
            from cli.export import run as months

            return months.export(session, extra)
        case "attach-month":
            from cli.export import run as months

            return months.come_back(session, extra)
        case "migration":
            from cli import migration

            return migration.run(session.paths.root, " ".join(options))
        case "restore":
            from cli import restore

            return restore.run(session, options, os.environ.get("LIKE"))
        case "restore-in-place":
            from cli.inplace import run as inplace

            return inplace.run(session, options)
        case "rebuild-consensus":
            from cli import consensus

            return consensus.run(session)
        case "psql":
            role, target = os.environ.get("ROLE", "app"), os.environ.get("TARGET", "read_write")
            return connect.psql(session, role, target, options)
        case "patronictl":
            from cli import containers

            containers.become(session.stack, "member", ["patronictl", *options])
        case "pgbackrest":
            from cli import containers

            containers.become(session.stack, "scheduler", ["pgbackrest", *options])
        case _:
            become_pulumi(session, options)


def stack_option(options: Sequence[str]) -> str | None:
    """The stack that Pulumi's own option names: the rules for that stack hold, not those of STACK."""
    for index, option in enumerate(options):
        if option == "--stack" and index + 1 < len(options):
            return options[index + 1]
        # "-sprod", "-s=prod", "-ys prod" and "-ysprod" all name it: what comes before "s" are switches.
        if match := re.fullmatch(r"--stack=(.*)|-[Qdefijry]*s=?(.*)", option, re.DOTALL):
            name = match[1] or match[2]
            return name or (options[index + 1] if "=" not in option and index + 1 < len(options) else None)
    return None


def become_pulumi(session: Session, options: Sequence[str]) -> NoReturn:
    """Turn this process into Pulumi, its options untouched."""
    if not UP.isdisjoint(options):
        from cli.obstacles import look

        look.refuse(session)
    if not WITHOUT_PROGRAM.isdisjoint(options):
        connect.provide_known_authority(session)
    if not REMOVES.isdisjoint(options):
        warn_of_losses(session)
    if not Path.cwd().resolve().is_relative_to(session.paths.root):
        os.chdir(session.paths.root)
    os.execve(session.toolchain.cli, ["pulumi", *options], session.env)


def warn_of_losses(session: Session) -> None:
    """Say what is in a protected stack before Pulumi asks, or refuses."""
    from cli import losses, state

    known = state.read(session)
    if known is not None and known.protected:
        print(f'stack "{session.stack}" is protected; lost would be {losses.of(session)}', file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
