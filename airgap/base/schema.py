"""The official schemas, trimmed to the resources that a stand-in has: `airgap/schemas/<provider>.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parent.parent / "schemas"


@dataclass(frozen=True)
class Property:
    """What the schema says about one property: type, default, whether it is secret, whether changing it replaces."""

    spec: Mapping[str, Any]
    types: Mapping[str, Any] = field(repr=False)

    @property
    def replaces(self) -> bool:
        """Whether a change of this property replaces the resource."""
        return bool(self.spec.get("willReplaceOnChanges") or self.spec.get("replaceOnChanges"))

    @property
    def secret(self) -> bool:
        """Whether the value is always secret."""
        return bool(self.spec.get("secret"))

    @property
    def default(self) -> Any:
        """The default that the schema states, or None."""
        return self.spec.get("default")

    @property
    def environment(self) -> list[str]:
        """Environment variables that stand in for a value that was not given."""
        return list(self.spec.get("defaultInfo", {}).get("environment", []))

    @cached_property
    def _referred(self) -> Mapping[str, Any]:
        reference = str(self.spec.get("$ref", ""))
        return self.types.get(reference.removeprefix("#/types/"), {}) if reference.startswith("#/types/") else {}

    @property
    def kind(self) -> str:
        """One of string, integer, number, boolean, array, object (fixed properties), map, any."""
        if self._referred:
            return "object" if "properties" in self._referred else str(self._referred.get("type", "any"))
        kind = str(self.spec.get("type", "any"))
        return "map" if kind == "object" else kind

    @property
    def choices(self) -> list[Any]:
        """The allowed values of an enumeration, else an empty list."""
        return [choice["value"] for choice in self._referred.get("enum", [])]

    @property
    def element(self) -> Property:
        """The type of an array's elements or of a map's values."""
        inner = self.spec.get("items") or self.spec.get("additionalProperties") or {}
        return Property(inner, self.types)

    @cached_property
    def fields(self) -> dict[str, Property]:
        """The properties of an object, by name."""
        return {name: Property(spec, self.types) for name, spec in self._referred.get("properties", {}).items()}

    @property
    def required(self) -> list[str]:
        """The properties that an object must have."""
        return list(self._referred.get("required", []))


@dataclass(frozen=True)
class ResourceSchema:
    """One resource: what goes in, what comes out."""

    token: str
    inputs: Mapping[str, Property]
    required: tuple[str, ...]
    outputs: Mapping[str, Property]

    @cached_property
    def secret_inputs(self) -> frozenset[str]:
        """Inputs that are always secret."""
        return frozenset(name for name, found in self.inputs.items() if found.secret)

    @cached_property
    def secret_outputs(self) -> frozenset[str]:
        """Outputs that are always secret."""
        return frozenset(name for name, found in self.outputs.items() if found.secret)


class Schema:
    """A provider's whole schema, parsed only as far as it is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._raw: dict[str, Any] = json.loads(text)
        self._types: dict[str, Any] = self._raw.get("types", {})

    @classmethod
    def load(cls, name: str) -> Schema:
        """Reads `airgap/schemas/<name>.json`."""
        return cls((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))

    @property
    def tokens(self) -> list[str]:
        """The type tokens of all resources."""
        return list(self._raw.get("resources", {}))

    @cached_property
    def config(self) -> dict[str, Property]:
        """The provider's own configuration."""
        found = {
            **self._raw.get("config", {}).get("variables", {}),
            **self._raw.get("provider", {}).get("inputProperties", {}),
        }
        return {name: Property(spec, self._types) for name, spec in found.items()}

    def resource(self, token: str) -> ResourceSchema:
        """One resource by its type token; KeyError when the schema has no such type."""
        raw = self._raw["resources"][token]
        return ResourceSchema(
            token=token,
            inputs={name: Property(spec, self._types) for name, spec in raw.get("inputProperties", {}).items()},
            required=tuple(raw.get("requiredInputs", [])),
            outputs={name: Property(spec, self._types) for name, spec in raw.get("properties", {}).items()},
        )
