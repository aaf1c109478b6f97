"""PrivateKey: a key pair in the usual notations."""

from __future__ import annotations

from typing import Any, ClassVar

from airgap.base import Context, Created, Failure, Properties
from airgap.base.immutable import Immutable
from airgap.base.values import UNKNOWN
from airgap.tls import keys


class PrivateKey(Immutable):
    """A key that stays in the state, encrypted."""

    state_version = 1
    defaults: ClassVar[dict[str, Any]] = {"rsaBits": 2048, "ecdsaCurve": "P224"}

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        """The algorithm and the curve exist."""
        failures = []
        for name, choices in (("algorithm", keys.ALGORITHMS), ("ecdsaCurve", tuple(keys.CURVES))):
            if inputs[name] is not UNKNOWN and inputs[name] not in choices:
                failures.append(Failure(name, f"must be one of {', '.join(choices)}"))
        bits = inputs["rsaBits"]
        if inputs["algorithm"] == "RSA" and bits is not UNKNOWN and bits < keys.LEAST_RSA_BITS:
            failures.append(Failure("rsaBits", f"must be at least {keys.LEAST_RSA_BITS}"))
        return failures

    def create(self, context: Context, inputs: Properties) -> Created:
        """Generates the key."""
        key = keys.generate(inputs["algorithm"], inputs["rsaBits"], inputs["ecdsaCurve"])
        return Created(keys.state_id(keys.public_der(key)), keys.notations(key))
