"""Small things that several resources do with their values. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airgap.base import Failure

# PostgreSQL cuts longer names off with no more than a notice; the object would then never be found again.
MAX_NAME_BYTES = 63


def in_order_of(known: Sequence[str], actual: Iterable[str]) -> list[str]:
    """The actual set as a list: in the known order where both are the same set, else sorted."""
    found = set(actual)
    return list(known) if set(known) == found and len(known) == len(found) else sorted(found)


def hashed(names: Iterable[str]) -> list[str]:
    """A set in the order that the official provider lists it in, which its ids show."""
    return sorted(set(names), key=lambda name: str(zlib.crc32(name.encode())))


def name_failures(inputs: Mapping[str, Any], *names: str) -> list[Failure]:
    """Refuses empty and over-long identifiers among the named inputs."""
    found: list[Failure] = []
    for name in names:
        value = inputs.get(name)
        if not isinstance(value, str):
            continue
        if not value:
            found.append(Failure(name, "must not be empty"))
        elif len(value.encode()) > MAX_NAME_BYTES:
            found.append(
                Failure(name, f"is {len(value.encode())} bytes long, but PostgreSQL keeps {MAX_NAME_BYTES} of a name")
            )
    return found


def at_least(inputs: Mapping[str, Any], least: int, *names: str) -> list[Failure]:
    """Refuses numbers below `least` among the named inputs."""
    return [
        Failure(name, f"must be {least} or more, but is {inputs[name]}")
        for name in names
        if isinstance(inputs.get(name), int) and inputs[name] < least
    ]


def marker(urn: str) -> str:
    """The comment on a role or database that says which resource made it.

    An `up` that is killed after the object was made, but before its state was written, finds it again by this.
    """
    return f"made by Pulumi as {urn}"
