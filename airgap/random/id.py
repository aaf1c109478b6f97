"""RandomId: random bytes in several notations."""

from __future__ import annotations

import base64
import binascii
import secrets

from airgap.base import Context, Created, Failure, Found, Properties, ProviderError
from airgap.base.values import UNKNOWN
from airgap.random.keepers import Keeping


class RandomId(Keeping):
    """Bytes as base64, hexadecimal and decimal, each behind an optional prefix."""

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        """There is at least one byte."""
        length = inputs["byteLength"]
        return [Failure("byteLength", "must be at least 1")] if length is not UNKNOWN and length < 1 else []

    def create(self, context: Context, inputs: Properties) -> Created:
        """Draws the bytes."""
        value = secrets.token_bytes(inputs["byteLength"])
        return Created(_url_safe(value), notations(value, inputs.get("prefix") or ""))

    def imported(self, id: str) -> Found:
        """By `[prefix,]bytes` in URL-safe base64 without padding."""
        prefix, _, text = id.rpartition(",")
        try:
            value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise ProviderError(
                "the id to import is not URL-safe base64",
                "import by [prefix,]bytes, such as p-9hUg or my-prefix-,p-9hUg",
            ) from None
        state: Properties = {"byteLength": len(value), **notations(value, prefix)}
        if prefix:
            state["prefix"] = prefix
        return Found(state, id=_url_safe(value))


def notations(value: bytes, prefix: str) -> Properties:
    """The outputs for these bytes."""
    return {
        "b64Url": prefix + _url_safe(value),
        "b64Std": prefix + base64.b64encode(value).decode(),
        "hex": prefix + value.hex(),
        "dec": prefix + str(int.from_bytes(value, "big")),
    }


def _url_safe(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
