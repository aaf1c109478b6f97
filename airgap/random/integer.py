"""RandomInteger: a number from a range."""

from __future__ import annotations

import secrets
from typing import ClassVar

from airgap.base import Context, Created, Failure, Found, Properties, ProviderError
from airgap.base.values import has_unknown
from airgap.random.keepers import Keeping


class RandomInteger(Keeping):
    """A number from `min` to `max`, both included."""

    # The official provider derives the number from the seed by Go's own generator.
    unsupported: ClassVar[dict[str, str]] = {"seed": "leave it out; the number stays until the resource is replaced"}

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        """The range holds a number."""
        low, high = inputs["min"], inputs["max"]
        if has_unknown([low, high]) or low <= high:
            return []
        return [Failure("min", f"must not be greater than max ({low} > {high})")]

    def create(self, context: Context, inputs: Properties) -> Created:
        """Draws the number."""
        low, high = inputs["min"], inputs["max"]
        number = low + secrets.randbelow(high - low + 1)
        return Created(str(number), {"result": number})

    def imported(self, id: str) -> Found:
        """By `result,min,max`."""
        try:
            result, low, high = (int(part) for part in id.split(","))
        except ValueError:
            raise ProviderError(
                "the id to import is not result,min,max", "give three whole numbers, such as 15390,10000,19999"
            ) from None
        return Found({"result": result, "min": low, "max": high}, id=str(result))
