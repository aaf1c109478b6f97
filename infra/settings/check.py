"""Checks stack files without Pulumi: `python -m infra.settings.check [stack ...]`, by default all of `stacks/`.

Exit code 1 and every fault of every stack on standard error when something is wrong.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.settings.faults import Fault, SettingsError
from infra.settings.load import load
from infra.settings.model import NAMESPACE, Settings
from infra.settings.parse import ENCRYPTED

STACKS = Path(__file__).resolve().parents[2] / "stacks"
_BOOLEAN, _TIME = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"


class _Reader(yaml.SafeLoader):
    """YAML as Pulumi reads it: an unquoted on, off or time is a text."""


_Reader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in (_BOOLEAN, _TIME)]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Reader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def read(stack: str, folder: Path = STACKS) -> dict[str, Any]:
    """The values of a stack file; ENCRYPTED stands for those that can't be checked here.

    Raises SettingsError when the file is not readable YAML. A file that is missing has no values.
    """
    path = folder / f"Pulumi.{stack}.yaml"
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Reader)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(stack, [Fault(f"stacks/{path.name}", "(unreadable)", reason, "mend the file")]) from None
    config = content.get("config") if isinstance(content, Mapping) else None
    if not isinstance(config, Mapping):
        return {}
    mine = {}
    for key, value in config.items():
        namespace, separator, name = str(key).partition(":")
        if namespace == NAMESPACE or not separator:
            mine[name if separator else namespace] = value
    return {name: _marked(value) for name, value in mine.items()}


def _marked(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"secure"}:
        return ENCRYPTED
    return {key: _marked(item) for key, item in value.items()}


def check(stack: str, folder: Path = STACKS) -> Settings:
    """The settings of a stack file. Raises SettingsError."""
    return load(stack, read(stack, folder))


def main(stacks: list[str], folder: Path = STACKS) -> int:
    """Check the stacks; the exit code."""
    wrong = 0
    for stack in stacks or sorted(path.name.split(".")[1] for path in folder.glob("Pulumi.*.yaml")):
        try:
            check(stack, folder)
        except SettingsError as error:
            print(error, file=sys.stderr)
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
