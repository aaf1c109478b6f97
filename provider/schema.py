"""The package's schema for Pulumi's tools, derived from what the resources declare."""

from __future__ import annotations

import json
from typing import Any

from provider import config
from provider.provider import RESOURCES, resource
from provider.resource import Field
from provider.version import VERSION

_TYPES: dict[type, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    list: {"type": "array", "items": {"type": "string"}},
    dict: {"type": "object", "additionalProperties": {"$ref": "pulumi.json#/Any"}},
}


def schema() -> dict[str, Any]:
    """Return the schema as plain data."""
    settings = {
        name: {"type": "string", "description": text} | ({"secret": True} if name in config.SECRETS else {})
        for name, text in config.FIELDS.items()
    }
    return {
        "name": "pipe",
        "version": VERSION,
        "description": "Migrations, Patroni's dynamic configuration and membership, and pgBackRest's stanza.",
        "config": {"variables": settings},
        "provider": {"inputProperties": settings},
        "resources": {token: _resource(token) for token in RESOURCES},
    }


def schema_text() -> str:
    """Return the schema as JSON."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _resource(token: str) -> dict[str, Any]:
    made = resource(token)
    inputs = {name: _property(declared) for name, declared in made.inputs.items()}
    outputs = {name: _TYPES[kind] | {"description": text} for name, (kind, text) in made.outputs.items()}
    required = [name for name, declared in made.inputs.items() if declared.required]
    return {
        "description": made.description,
        "inputProperties": inputs,
        "requiredInputs": required,
        "properties": inputs | outputs,
        "required": required + list(outputs),
    }


def _property(declared: Field) -> dict[str, Any]:
    result = _TYPES[declared.type] | {"description": declared.description}
    if declared.of_objects:
        result["items"] = _TYPES[dict]
    if declared.secret:
        result["secret"] = True
    if declared.replaces:
        result["willReplaceOnChanges"] = True
    return result
