"""RandomString and RandomPassword: characters of chosen kinds; they differ in secrecy, id and the password's hash."""

from __future__ import annotations

import secrets
import string
from typing import Any, ClassVar

from airgap.base import Context, Created, Failure, Found, Properties
from airgap.base.values import has_unknown
from airgap.random.keepers import Keeping

SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
# What bcrypt looks at; the official provider cuts longer passwords, too.
_BCRYPT_BYTES = 72
_BCRYPT_COST = 10


class RandomString(Keeping):
    """A text that is no secret."""

    state_version = 2
    defaults: ClassVar[dict[str, Any]] = {
        "special": True,
        "upper": True,
        "lower": True,
        "minNumeric": 0,
        "minUpper": 0,
        "minLower": 0,
        "minSpecial": 0,
    }

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        """`number` is the old name of `numeric`; there are characters to choose from, and room for those asked for."""
        number, numeric = inputs.get("number"), inputs.get("numeric")
        if number is not None and numeric is not None and not has_unknown([number, numeric]) and number != numeric:
            return [Failure("number", "is the old name of numeric and must not differ from it; use numeric alone")]
        if number is None and numeric is None:
            numeric = True
        inputs["number"] = inputs["numeric"] = number if numeric is None else numeric
        return [] if has_unknown(inputs) else list(_impossible(inputs))

    def create(self, context: Context, inputs: Properties) -> Created:
        """Draws the text."""
        result = random_text(inputs)
        return Created(self.id_of(result), {"result": result, **self.derived(result)})

    def imported(self, id: str) -> Found:
        """By the text itself."""
        state = {**self.defaults, "number": True, "numeric": True, "length": len(id.encode()), "result": id}
        return Found({**state, **self.derived(id)}, id=self.id_of(id))

    def id_of(self, result: str) -> str:
        """The resource's id."""
        return result

    def derived(self, result: str) -> Properties:
        """Outputs that follow from the text."""
        return {}


class RandomPassword(RandomString):
    """A text that is a secret, with its bcrypt hash. The id says nothing, because ids are not encrypted."""

    state_version = 3

    def id_of(self, result: str) -> str:
        return "none"

    def derived(self, result: str) -> Properties:
        import bcrypt

        salt = bcrypt.gensalt(_BCRYPT_COST, prefix=b"2a")
        return {"bcryptHash": bcrypt.hashpw(result.encode()[:_BCRYPT_BYTES], salt).decode()}


def _alphabets(inputs: Properties) -> dict[str, str]:
    """The characters of each kind, by the input that turns the kind on."""
    return {
        "upper": string.ascii_uppercase,
        "lower": string.ascii_lowercase,
        "numeric": string.digits,
        "special": inputs.get("overrideSpecial") or SPECIAL,
    }


def _least(inputs: Properties, kind: str) -> int:
    return int(inputs.get(f"min{kind.capitalize()}") or 0)


def _impossible(inputs: Properties) -> list[Failure]:
    kinds = _alphabets(inputs)
    if not any(inputs.get(kind) for kind in kinds):
        return [Failure("special", "at least one of special, upper, lower and numeric must be true")]
    if inputs["length"] < 1:
        return [Failure("length", "must be at least 1")]
    least = sum(_least(inputs, kind) for kind in kinds)
    if inputs["length"] < least:
        return [
            Failure("length", f"must be at least {least}, the sum of minUpper, minLower, minNumeric and minSpecial")
        ]
    return []


def random_text(inputs: Properties) -> str:
    """A text with the least number of characters of each kind, the rest from all kinds that are on, shuffled."""
    kinds = _alphabets(inputs)
    characters = [secrets.choice(letters) for kind, letters in kinds.items() for _ in range(_least(inputs, kind))]
    everything = "".join(letters for kind, letters in kinds.items() if inputs.get(kind))
    characters += [secrets.choice(everything) for _ in range(inputs["length"] - len(characters))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)
