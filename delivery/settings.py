"""Pulumi's configuration as flat text, from the two shapes in which the CLI prints it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

SECRET = "[secret]"


def flatten_digest(config: Mapping[str, str]) -> dict[str, str]:
    """The `config` of `pulumi preview --json`: key -> text, where an object is its JSON and a secret is "[secret]"."""
    return dict(leaf for key, text in config.items() for leaf in _leaves(key, _parsed(text)))


def flatten_history(config: Mapping[str, Any]) -> dict[str, str]:
    """The `config` of `pulumi stack history --json`: key -> {value, secret}; a secret has no value there."""
    flat: dict[str, str] = {}
    for key, entry in config.items():
        if entry.get("secret"):
            flat[key] = SECRET
        else:
            flat.update(_leaves(key, _parsed(str(entry.get("value", "")))))
    return flat


def _parsed(text: str) -> Any:
    """Only objects and lists are JSON: a plain setting such as `010` stays the text that it is."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _leaves(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield from _leaves(f"{key}.{name}", inner)
    else:
        yield key, value if isinstance(value, str) else json.dumps(value)
