"""What the classes of the SDK have in common."""

from __future__ import annotations

from typing import Any, TypeVar

import pulumi

T = TypeVar("T")


class Resource(pulumi.CustomResource):
    """A resource whose properties are kept under their wire names, so that keys inside a map are never renamed."""

    def _output(self, wire_name: str) -> pulumi.Output[Any]:
        value: pulumi.Output[Any] = self.__dict__[wire_name]
        return value


def secret(value: pulumi.Input[T] | None) -> pulumi.Output[T] | None:
    """Mark a value as secret where there is one."""
    return None if value is None else pulumi.Output.secret(value)


def with_secret_outputs(opts: pulumi.ResourceOptions | None, names: list[str]) -> pulumi.ResourceOptions:
    """Add that these outputs are secrets to a resource's options."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=names))
