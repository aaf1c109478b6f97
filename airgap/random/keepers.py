"""What all resources of this provider share: values that, when they change, make a new object."""

from __future__ import annotations

from airgap.base.immutable import Immutable
from airgap.base.values import Properties


class Keeping(Immutable):
    """An object with `keepers`."""

    def normalise(self, values: Properties) -> Properties:
        """A keeper that is null is one that is not there."""
        keepers = values.get("keepers")
        if not isinstance(keepers, dict):
            return values
        return {**values, "keepers": {key: value for key, value in keepers.items() if value is not None}}
