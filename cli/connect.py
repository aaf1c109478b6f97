"""Reaching the database: what `up` prints at its end, and bin/psql."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cli.errors import UserError
from cli.session import Session

TARGETS = ("read_write", "read_only")
# What the outputs' URIs say beyond host and login.
_VARIABLES = {"sslmode": "PGSSLMODE", "target_session_attrs": "PGTARGETSESSIONATTRS"}


def instructions(stack: str, outputs: Mapping[str, Any]) -> str:
    """How to connect; without any password."""
    endpoints = outputs.get("endpoints", {})
    prefix = f"STACK={stack} "
    return (
        f"\nread-write  {endpoints.get('read_write')}    read-only  {endpoints.get('read_only')}\n"
        f"connect     {prefix}ROLE=app TARGET=read_write bin/psql\n"
        f"URIs        {prefix}bin/pulumi stack output connections --show-secrets\n"
        f"authority   .pipe/{stack}/ca.pem (sslrootcert of every client)\n"
        f"status      make status STACK={stack}"
    )


def choose(outputs: Mapping[str, Any], role: str, target: str) -> str:
    """The URI of a role and target. Raises UserError that lists what there is."""
    connections = outputs.get("connections") or {}
    if role not in connections:
        raise UserError(f'there is no role "{role}" to connect as', f"ROLE is one of {', '.join(sorted(connections))}.")
    if target not in connections[role]:
        raise UserError(f'there is no target "{target}"', f"TARGET is one of {', '.join(TARGETS)}.")
    return str(connections[role][target])


def settings(uri: str, authority: Path) -> tuple[dict[str, str], str]:
    """libpq's variables for a URI, and its password, which belongs in none of them.

    Of several hosts each has its port, as the stack's outputs give it; libpq takes both as lists.
    """
    parts = urlsplit(uri)
    addresses = [address.rpartition(":") for address in parts.netloc.rpartition("@")[2].split(",")]
    variables = {
        "PGHOST": ",".join(host.strip("[]") for host, _, _ in addresses),
        "PGPORT": ",".join(port for _, _, port in addresses),
        "PGUSER": unquote(parts.username or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
        "PGSSLROOTCERT": str(authority),
    }
    for parameter, value in parse_qsl(parts.query):
        variables[_VARIABLES[parameter]] = value
    return variables, unquote(parts.password or "")


def passfile_text(variables: Mapping[str, str], password: str) -> str:
    """The password file, a line for each host. Colons and backslashes part and escape there."""
    hosts = zip(variables["PGHOST"].split(","), variables["PGPORT"].split(","), strict=True)
    return "".join(_line(host, port, "*", variables["PGUSER"], password) for host, port in hosts)


def _line(*fields: str) -> str:
    return ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields) + "\n"


def psql(session: Session, role: str, target: str, arguments: Sequence[str]) -> int:
    """Run psql as `role` with its own options untouched; returns its exit status."""
    outputs = session.outputs()
    authority = session.runtime / "ca.pem"
    provide_authority(authority, outputs)
    variables, password = settings(choose(outputs, role, target), authority)
    with tempfile.TemporaryDirectory(prefix="pipe-psql-") as scratch:
        passfile = Path(scratch) / "pass"
        passfile.touch(mode=0o600)
        passfile.write_text(passfile_text(variables, password))
        if shutil.which("psql"):
            env = {**os.environ, **variables, "PGPASSFILE": str(passfile)}
            return _wait(subprocess.Popen(["psql", *arguments], env=env))
        return _inside(session, variables, passfile, target, arguments)


def _inside(session: Session, variables: dict[str, str], passfile: Path, target: str, arguments: Sequence[str]) -> int:
    """Without a psql on the machine: the one of a member, in a container that shares the host's network."""
    from cli import engine
    from cli.containers import image_of, running

    member = running(engine.client(), session.stack, "member")[0]
    mounts = ["--volume", f"{passfile.parent}:/run/psql:ro", "--volume", f"{session.runtime}:/run/pipe:ro"]
    inside = {
        **variables,
        "PGPASSFILE": "/run/psql/pass",
        "PGSSLROOTCERT": "/run/pipe/ca.pem",
        "PSQL_HISTORY": "/dev/null",
    }
    options = [word for key, value in inside.items() for word in ("--env", f"{key}={value}")]
    terminal = ["--interactive", *(["--tty"] if os.isatty(0) and os.isatty(1) else [])]
    command = ["docker", "run", "--rm", "--network", "host", "--user", f"{os.getuid()}", *terminal, *mounts, *options]
    return _wait(subprocess.Popen([*command, "--entrypoint", "psql", image_of(member), *arguments]))


def provide_authority(file: Path, outputs: Mapping[str, Any]) -> None:
    """Write the authority's certificate where clients look for it; the program does so too, but perhaps elsewhere."""
    text = str(outputs.get("ca_certificate", ""))
    if text and (not file.exists() or file.read_text() != text):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def provide_known_authority(session: Session) -> None:
    """The same for a run without the program, as a fresh clone begins with one. A stack without outputs needs none."""
    try:
        outputs = session.outputs()
    except UserError:
        return
    provide_authority(session.runtime / "ca.pem", outputs)


def _wait(child: subprocess.Popen[bytes]) -> int:
    """Ctrl-C in psql ends a query, not the session: it is psql's to handle."""
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def each(uri: str) -> dict[str, str]:
    """Return of a URI that names several endpoints one for each, by the endpoint."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts = conninfo_to_dict(uri)
    pairs = zip(str(parts["host"]).split(","), str(parts["port"]).split(","), strict=True)
    return {f"{host}:{port}": make_conninfo(uri, host=host, port=port) for host, port in pairs}
