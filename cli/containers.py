"""Running a program inside a stack's containers: bin/patronictl and bin/pgbackrest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from cli import engine
from cli.errors import UserError

COMPONENT = "pipe.component"


def running(api: Any, stack: str, component: str) -> list[Mapping[str, Any]]:
    """The running containers of a component, by name. Raises UserError when there is none."""
    labels = [f"{engine.LABEL}={stack}", f"{COMPONENT}={component}"]
    found = api.containers(filters={"label": labels, "status": "running"})
    if not found:
        raise UserError(
            f'stack "{stack}" has no running container of component "{component}"',
            f"see `docker ps -a --filter label={engine.LABEL}={stack}`; `make up STACK={stack}` mends it.",
        )
    return sorted(found, key=lambda container: str(container["Names"][0]))


def name_of(container: Mapping[str, Any]) -> str:
    return str(container["Names"][0]).lstrip("/")


def image_of(container: Mapping[str, Any]) -> str:
    return str(container["Image"])


def defaults(stack: str) -> dict[str, str]:
    """What the tools would otherwise have to be told with every command; their own options still win."""
    return {"PATRONICTL_CONFIG_FILE": "/etc/pipe/patroni.yml", "PGBACKREST_STANZA": stack}


def exec_command(container: str, command: Sequence[str], env: Mapping[str, str], terminal: bool) -> list[str]:
    """The `docker exec` that hands everything through: input, output, exit status, and the terminal if there is one."""
    options = [word for key, value in env.items() for word in ("--env", f"{key}={value}")]
    return ["docker", "exec", "--interactive", *(["--tty"] if terminal else []), *options, container, *command]


def become(stack: str, component: str, command: Sequence[str]) -> NoReturn:
    """Turn this process into the command inside the first running container of the component."""
    if shutil.which("docker") is None:
        raise UserError("the docker command is missing", "`make setup` installs it.")
    container = name_of(running(engine.client(), stack, component)[0])
    argv = exec_command(container, command, defaults(stack), os.isatty(0) and os.isatty(1))
    os.execvp(argv[0], argv)
