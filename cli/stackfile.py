"""The file of a stack, stacks/Pulumi.<stack>.yaml: what it says, and how that of another stack is made from it.

Pure but for the functions that take a folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from cli.errors import UserError

NAME = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")
# Files that belong to everyone; every other one lives and goes with its stack.
KEPT = frozenset({"dev", "test", "staging", "prod"})
NETWORK = "pipe:network"
# What a stack began with is its own, and so are the places that it keeps its backups in, with their keys.
RESTORE = "pipe:restore"
PLACES = ("pipe:s3", "pipe:sftp")
BACKUP, REPOSITORIES = "pipe:backup", "repositories"
# What ties a file to the passphrase or the key of one stack.
SECRETS = ("encryptionsalt", "encryptedkey", "secretsprovider")
SALT = re.compile(r"^encryptionsalt:.*\n?", re.MULTILINE)

StackFile = dict[str, Any]


def path_of(root: Path, stack: str) -> Path:
    return root / "stacks" / f"Pulumi.{stack}.yaml"


def check_name(stack: str) -> None:
    """Raise UserError unless containers, volumes and a database cluster can bear the stack's name."""
    if not NAME.fullmatch(stack):
        raise UserError(
            f'"{stack}" cannot be the name of a stack',
            "use 1 to 30 lower-case letters, digits and inner dashes, beginning with a letter.",
        )


def read(root: Path, stack: str) -> StackFile | None:
    """The stack's file; None when there is none. Raises UserError when it is not YAML with a map at the top."""
    path = path_of(root, stack)
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise UserError(
            f'"{path.relative_to(root)}" is not YAML: {" ".join(str(error).split())}', "mend the file."
        ) from None
    if not isinstance(content, dict):
        raise UserError(f'"{path.relative_to(root)}" holds no map', 'begin it with "config:".')
    return content


def config(content: Mapping[str, Any]) -> dict[str, Any]:
    """The values below `config:`, keys with their namespace."""
    values = content.get("config")
    return cast(dict[str, Any], values) if isinstance(values, dict) else {}


def kind(content: Mapping[str, Any] | None, stack: str) -> str:
    """The stack's environment. Without a readable one, its name decides: a mistake must not open a shared stack."""
    value = config(content or {}).get("pipe:environment")
    if isinstance(value, str) and value:
        return value
    return stack if stack in KEPT else "dev"


def port_base(content: Mapping[str, Any]) -> int | None:
    """The first port of the stack, where its file says one."""
    network = config(content).get(NETWORK)
    value = network.get("port_base") if isinstance(network, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def used_ports(root: Path) -> set[int]:
    """The first ports that the checkout's stacks have."""
    bases: set[int] = set()
    for file in (root / "stacks").glob("Pulumi.*.yaml"):
        content = read(root, file.name.removeprefix("Pulumi.").removesuffix(".yaml"))
        base = port_base(content) if content else None
        if base is not None:
            bases.add(base)
    return bases


def copy(content: Mapping[str, Any], source: str, base: int) -> str:
    """The text of a file like `content`, with its own ports and without what ties the other to its secrets.

    Its backups go to the volume: a bucket or a server of the other's is for the other's keys alone. Raises UserError
    when another value is encrypted: only the stack that it was encrypted for can read it.
    """
    values = {key: value for key, value in config(content).items() if key not in (RESTORE, *PLACES)}
    if isinstance(backup := values.get(BACKUP), dict):
        values[BACKUP] = {key: value for key, value in backup.items() if key != REPOSITORIES}
    secret = sorted(key for key, value in values.items() if _is_secret(value))
    if secret:
        raise UserError(
            f'stack "{source}" has encrypted values ({", ".join(secret)}) that no other stack can read',
            "copy a stack without them, or write the file by hand and set them with `bin/pulumi config set`.",
        )
    network = values.get(NETWORK)
    values[NETWORK] = {**(network if isinstance(network, dict) else {}), "port_base": base}
    body = {**{key: value for key, value in content.items() if key not in SECRETS}, "config": values}
    return f"# A throw-away copy of Pulumi.{source}.yaml; goes with `make destroy`.\n" + yaml.safe_dump(
        body, sort_keys=False
    )


def without_salt(text: str) -> str:
    """The text of a stack's file without the salt that a removed stack left there."""
    return SALT.sub("", text)


def _is_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) == {"secure"} or any(_is_secret(part) for part in value.values())
    return isinstance(value, list) and any(_is_secret(part) for part in value)
