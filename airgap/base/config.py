"""A provider's own configuration: from what the engine sends to typed values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from airgap.base.schema import Property, ResourceSchema
from airgap.base.values import Properties

# Options that Pulumi itself adds to the inputs of a provider resource.
ENGINE_KEYS = frozenset({"version", "pluginDownloadURL"})


def parse_config(given: Properties, schema: Mapping[str, Property]) -> Properties:
    """Provider configuration as typed values: the SDKs send everything but strings as JSON text."""
    from_environment = {
        name: os.environ[variable]
        for name, found in schema.items()
        for variable in reversed(found.environment)
        if os.environ.get(variable)
    }
    parsed: Properties = {name: found.default for name, found in schema.items() if found.default is not None}
    for name, value in {**from_environment, **given}.items():
        kind = schema[name].kind if name in schema else "string"
        if isinstance(value, str) and kind != "string":
            with suppress(ValueError):  # the check says what is wrong with it, in words
                value = json.loads(value)
        if name not in ENGINE_KEYS:
            parsed[name] = value
    return parsed


def config_schema(config: Mapping[str, Property]) -> ResourceSchema:
    """The configuration as if it were a resource, so that it is checked like one."""
    return ResourceSchema("", config, (), {})
