"""docs/configuration.md, made from the dataclasses: `python -m infra.settings.document` writes it.

With --check nothing is written, and the exit code is 1 when the file is stale.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from infra.settings import parameters, parse
from infra.settings.faults import NOT_SET, full_key, shown
from infra.settings.load import is_section, top_level
from infra.settings.model import NAMESPACE, Settings
from infra.settings.rulebook import RULES

TARGET = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

_HEAD = f"""<!-- Made by `python -m infra.settings.document`; change infra/settings/ instead. -->
# Configuration

A stack is configured in `stacks/Pulumi.<stack>.yaml`, by hand or with `bin/pulumi config set --path`:

```yaml
config:
  {NAMESPACE}:environment: dev
  {NAMESPACE}:network:
    port_base: 15400
  {NAMESPACE}:database:
    replicas: 2
    parameters:
      random_page_cost: 1.1
```

Only `environment` and `network.port_base` have to be set. Everything is checked before anything is changed, and one run
lists every wrong, missing and unknown key. `python -m infra.settings.check` does the same for the files without Pulumi.

What is encrypted is given without showing it: `bin/pulumi config set --secret --path 'pipe:s3.secret_key'` asks for it,
and takes a file of several lines by `< file`.
"""

_FORM_TEXTS = {
    "address": "an IPv4 address",
    "hostname": "a list of DNS names or addresses",
    "time_zone": "a zone of the time zone database",
    "cron": "five cron fields",
    "parameters": "a map of name: value",
    "word": "a text without blanks",
    "path": "a path from the root",
    "repository": "a list of volume, s3, sftp",
    "certificate": "a certificate as PEM",
    "private_key": "a private key as PEM",
    "fingerprint": "a fingerprint",
    "stack": "a stack's name",
    "moment": "a time with its offset from UTC",
    "restore_point": "a text of 1 to 63 bytes",
    "lsn": "two hexadecimal numbers with a slash between them",
    "passphrase": "a secret text",
}


def document() -> str:
    """The whole page."""
    fields = top_level()
    parts = [_HEAD]
    plain = [name for name in fields if not is_section(name)]
    parts.append(_table("Stack", "What the stack is.", Settings, [fields[name] for name in plain], ()))
    for name in fields:
        if is_section(name):
            cls = parse.hints(Settings)[name]
            parts.append(_table(name, cls.__doc__ or "", cls, list(dataclasses.fields(cls)), (name,)))
    parts += [_rules(), _owned()]
    return "\n".join(parts)


def _table(title: str, text: str, cls: type, fields: list[dataclasses.Field[Any]], path: tuple[str, ...]) -> str:
    lines = [f"## {title}", "", text, "", "| key | default | allowed | what it is |", "|---|---|---|---|"]
    return "\n".join([*lines, *_rows(cls, fields, path)]) + "\n"


def _rows(cls: type, fields: Iterable[dataclasses.Field[Any]], path: tuple[str, ...]) -> Iterator[str]:
    for item in fields:
        kind, here = parse.hints(cls)[item.name], (*path, parse.key_of(item))
        if dataclasses.is_dataclass(kind):
            names = ", ".join(parse.key_of(inner) for inner in dataclasses.fields(kind))
            yield f"| `{full_key(*here)}` | none | a map of {names} | {item.metadata['description']} |"
            continue
        allowed = _allowed(kind, item)
        if item.metadata["secret"]:
            allowed += ", encrypted"
        yield f"| `{full_key(*here)}` | {_default(item)} | {allowed} | {item.metadata['description']} |"


def _allowed(kind: Any, item: dataclasses.Field[Any]) -> str:
    form = item.metadata["form"]
    if form:
        return _FORM_TEXTS[form] + (", or null" if type(None) in typing.get_args(kind) else "")
    return parse.allowed_text(kind, item).removeprefix("must be ")


def _default(item: dataclasses.Field[Any]) -> str:
    default = parse.default_of(item, None)
    if default is NOT_SET:
        return "has to be set"
    value = default if isinstance(default, str | int | float | bool | None) else list(default) or "none"
    text = "none" if value == "none" else f"`{json.dumps(value)}`"
    special: dict[Any, list[str]] = {}
    for environment, other in item.metadata["by_environment"].items():
        special.setdefault(other, []).append(environment)
    return text + "".join(f" (`{shown(other)}` in {' and '.join(names)})" for other, names in special.items())


def _rules() -> str:
    lines = ["## Rules between settings", ""]
    return "\n".join([*lines, *(f"- {item.text}" for item in RULES)]) + "\n"


def _owned() -> str:
    lines = [
        "## PostgreSQL parameters",
        "",
        f"`{full_key('database', 'parameters')}` takes any parameter of PostgreSQL",
        f"{parameters.VERSION} that a configuration file can hold, checked by PostgreSQL's own table, except these:",
        "",
        "| parameter | instead |",
        "|---|---|",
    ]
    by_hint: dict[str, list[str]] = {}
    for name, hint in parameters.OWNED.items():
        by_hint.setdefault(hint, []).append(f"`{name}`")
    for prefix, hint in parameters.OWNED_PREFIXES.items():
        by_hint.setdefault(hint, []).append(f"`{prefix}…`")
    lines += [f"| {', '.join(names)} | {hint} |" for hint, names in by_hint.items()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or with --check compare it; the exit code."""
    text = document()
    stale = not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text
    if "--check" in arguments:
        if stale:
            print(f"{TARGET.name} is stale: run `python -m infra.settings.document`", file=sys.stderr)
        return int(stale)
    if stale:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
