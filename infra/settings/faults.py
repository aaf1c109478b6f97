"""What is wrong with a stack's configuration, as text for the person who has to mend it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.settings.model import NAMESPACE

NOT_SET = object()
_LONGEST_VALUE = 60
_SENSITIVE = re.compile(r"pass|secret|token|credential|conninfo|private|(^|[_.])key($|_)|api_?key", re.IGNORECASE)
_URI_WITH_PASSWORD = re.compile(r"://[^/\s:@]*:[^@\s]+@")


@dataclass(frozen=True)
class Fault:
    """One wrong, missing or unknown key: what it is, what is allowed, and how to mend it."""

    key: str
    value: str
    allowed: str
    fix: str

    def __str__(self) -> str:
        return f"{self.key} = {self.value}: {self.allowed}; {self.fix}"


class SettingsError(Exception):
    """Every fault of a stack's configuration at once. Nothing has been changed when it is raised."""

    def __init__(self, stack: str, faults: Iterable[Fault]) -> None:
        self.stack = stack
        self.faults = tuple(faults)
        super().__init__(self._text())

    def _text(self) -> str:
        count = len(self.faults)
        what = "1 setting is wrong" if count == 1 else f"{count} settings are wrong"
        lines = [f'stack "{self.stack}": {what}, nothing was changed']
        lines += [f"  {fault}" for fault in self.faults]
        lines.append(f"  Settings are in stacks/Pulumi.{self.stack}.yaml and explained in docs/configuration.md.")
        return "\n".join(lines)


def full_key(*path: str) -> str:
    """The key as it stands in a stack file: ("database", "replicas") -> "pipe:database.replicas"."""
    return f"{NAMESPACE}:" + ".".join(path)


def shown(value: Any, *, key: str = "", secret: bool = False) -> str:
    """A value as it may be printed: one line, bounded, and never one that could be a secret."""
    if value is NOT_SET:
        return "(not set)"
    if secret or _SENSITIVE.search(key) or _holds_secret(value):
        return "[secret]"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False) if value != value.strip() or not value else value
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    text = text.replace("\n", " ")
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _holds_secret(value: Any) -> bool:
    """Whether something inside a value is named like a secret, is an encrypted value, or is a URI with a password."""
    if isinstance(value, Mapping):
        return any(key == "secure" or _SENSITIVE.search(str(key)) or _holds_secret(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(_holds_secret(item) for item in value)
    return isinstance(value, str) and bool(_URI_WITH_PASSWORD.search(value))


def closest(name: str, known: Collection[str]) -> str | None:
    """The known name that `name` is most likely a slip of, or None."""
    matches = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def unknown(path: tuple[str, ...], value: Any, known: Collection[str], *, secret: bool = False) -> Fault:
    """The fault of a key that does not exist; `known` are the names that exist at its place."""
    match = closest(path[-1], known)
    fix = f"did you mean {full_key(*path[:-1], match)}?" if match else f"known here: {', '.join(sorted(known))}"
    key = full_key(*path)
    return Fault(key, shown(value, key=key, secret=secret), "no such setting", fix)
