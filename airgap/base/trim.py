"""Cuts an official schema down to some resources: `python -m airgap.base.trim OFFICIAL.json NAME VERSION TOKEN...`.

Kept are facts only: names, types, defaults, secrecy, what replaces. Descriptions, functions and language settings go.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_RESOURCE_KEYS = ("inputProperties", "requiredInputs", "properties", "required", "aliases")
_PREFIX = "#/types/"


def trim(official: dict[str, Any], name: str, version: str, tokens: list[str]) -> dict[str, Any]:
    """The part of the schema that the named resources and the provider itself need; KeyError for an unknown token."""
    resources = {
        token: {key: value for key, value in official["resources"][token].items() if key in _RESOURCE_KEYS}
        for token in tokens
    }
    trimmed: dict[str, Any] = {
        "name": name,
        "version": version,
        "config": official.get("config", {}),
        "provider": {"inputProperties": official.get("provider", {}).get("inputProperties", {})},
        "resources": resources,
        "types": {},
    }
    missing = _references(trimmed)
    while missing:
        for reference in sorted(missing):
            trimmed["types"][reference] = official["types"][reference]
        missing = _references(trimmed) - trimmed["types"].keys()
    trimmed["types"] = dict(sorted(trimmed["types"].items()))
    cut: dict[str, Any] = _without_descriptions(trimmed)
    return cut


def _references(value: Any) -> set[str]:
    """The names of all types that a part of a schema refers to."""
    if isinstance(value, list):
        return {found for item in value for found in _references(item)}
    if not isinstance(value, dict):
        return set()
    own = {str(value["$ref"]).removeprefix(_PREFIX)} if str(value.get("$ref", "")).startswith(_PREFIX) else set()
    return own | {found for item in value.values() for found in _references(item)}


def _without_descriptions(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_descriptions(item) for item in value]
    if isinstance(value, dict):
        # A property may itself be called "description": only the texts of that key go.
        return {
            key: _without_descriptions(item)
            for key, item in value.items()
            if not (key in ("description", "deprecationMessage", "language") and isinstance(item, str))
        }
    return value


if __name__ == "__main__":
    source, new_name, new_version, *wanted = sys.argv[1:]
    text = json.loads(Path(source).read_text(encoding="utf-8"))
    print(json.dumps(trim(text, new_name, new_version, wanted), indent=1, sort_keys=False))
