"""The stand-ins take what the installed SDKs send: the same resources' inputs and outputs, name by name."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import json
from typing import Any

import pulumi
import pytest
from pulumi._types import input_type_py_to_pulumi_names

from airgap.base.schema import SCHEMAS, Schema

PROVIDERS = [path.stem for path in sorted(SCHEMAS.glob("*.json"))]

# What the SDKs have beyond the published schemas that ours are cut from. The stand-ins refuse these by name.
NEWER = {
    "docker:index/container:Container": {"deviceCgroupRules"},
    "tls:index/certRequest:CertRequest": {"privateKeyPemWo", "privateKeyPemWoVersion"},
    "tls:index/locallySignedCert:LocallySignedCert": {"caPrivateKeyPemWo", "caPrivateKeyPemWoVersion"},
    "tls:index/selfSignedCert:SelfSignedCert": {"privateKeyPemWo", "privateKeyPemWoVersion"},
}


def resources() -> list[tuple[str, str]]:
    """(provider, type token) of everything that the stand-ins have."""
    return [(provider, token) for provider in PROVIDERS for token in Schema.load(provider).tokens]


def sdk_class(provider: str, token: str) -> type[pulumi.CustomResource]:
    found: type[pulumi.CustomResource] = getattr(
        importlib.import_module(f"pulumi_{provider}"), token.rpartition(":")[2]
    )
    return found


def wire_names(cls: type) -> set[str]:
    """The names that the SDK's typed properties have on the wire."""
    return {
        getattr(value.fget, "_pulumi_name", name)
        for name, value in inspect.getmembers(cls, lambda member: isinstance(member, property))
    }


@pytest.mark.parametrize(("provider", "token"), resources())
def test_the_inputs_are_those_of_the_sdk(provider: str, token: str) -> None:
    cls = sdk_class(provider, token)
    arguments = importlib.import_module(cls.__module__).__dict__[f"{cls.__name__}Args"]
    sent = set(input_type_py_to_pulumi_names(arguments).values())
    assert set(Schema.load(provider).resource(token).inputs) == sent - NEWER.get(token, set())


@pytest.mark.parametrize(("provider", "token"), resources())
def test_the_outputs_are_those_of_the_sdk(provider: str, token: str) -> None:
    from_resource = {"id", "urn", "pulumi_resource_name", "pulumi_resource_type"}
    read = wire_names(sdk_class(provider, token)) - from_resource
    assert set(Schema.load(provider).resource(token).outputs) == read - NEWER.get(token, set())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_version_is_that_of_the_sdk(provider: str) -> None:
    version = importlib.metadata.version(f"pulumi-{provider}")
    assert json.loads(Schema.load(provider).text)["version"] == version


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_type_that_is_referred_to_is_there(provider: str) -> None:
    raw = json.loads(Schema.load(provider).text)

    def references(value: Any) -> set[str]:
        if isinstance(value, list):
            return {found for item in value for found in references(item)}
        if not isinstance(value, dict):
            return set()
        own = {str(value["$ref"])} if "$ref" in value else set()
        return own | {found for item in value.values() for found in references(item)}

    internal = {name.removeprefix("#/types/") for name in references(raw) if name.startswith("#/types/")}
    assert internal <= raw["types"].keys()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_resource_class_names_is_in_the_schema(provider: str) -> None:
    """Defaults, sets, and refusals that no schema knows would be typing mistakes."""
    spec = importlib.import_module(f"airgap.{provider}.provider").SPEC
    schema = Schema.load(provider)
    assert set(spec.resources) == set(schema.tokens)
    for token, where in spec.resources.items():
        module, _, name = where.partition(":")
        cls = getattr(importlib.import_module(module), name)
        inputs = set(schema.resource(token).inputs)
        assert {*cls.defaults, *cls.computed, *cls.unordered} <= inputs, token
        assert {path.partition(".")[0] for path in cls.unsupported} <= inputs, token
        assert cls.volatile <= set(schema.resource(token).outputs), token
        assert cls.autoname is None or cls.autoname in inputs, token
