"""Whether two texts are the same value of a parameter. Pure."""

from __future__ import annotations

import math
import re

_AMOUNT = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z]*)")
_BYTES = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_UNITS = {unit: (size, kind) for kind in (_BYTES, _MILLISECONDS) for unit, size in kind.items()}
_WORDS = {"true": "on", "yes": "on", "1": "on", "false": "off", "no": "off", "0": "off"}


def means(one: str, other: str, unit: str, kind: str) -> bool:
    """Say whether two texts are the same value of a parameter with this unit and kind (``pg_settings.vartype``).

    As PostgreSQL reads them: "5MB" and "5120kB" are one, "true" and "on" as well; an integer is rounded to its unit.
    """
    if one == other:
        return True
    match kind:
        case "bool":
            return _WORDS.get(one.lower(), one.lower()) == _WORDS.get(other.lower(), other.lower())
        case "enum":
            return one.lower() == other.lower()
        case "integer" | "real":
            first, second = _in_units(one, unit), _in_units(other, unit)
            if first is None or second is None:
                return False
            return round(first) == round(second) if kind == "integer" else math.isclose(first, second)
        case _:
            return False


def _in_units(text: str, unit: str) -> float | None:
    """Return a written amount as a multiple of the unit, such as "8kB" or "ms"; None where it is none."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    number, written = float(found[1]), found[2]
    if not written:
        return number
    base = _AMOUNT.fullmatch(unit if unit[:1].isdigit() else f"1{unit}")
    if base is None or written not in _UNITS or base[2] not in _UNITS:
        return None
    (size, kind), (base_size, base_kind) = _UNITS[written], _UNITS[base[2]]
    return number * size / (float(base[1]) * base_size) if kind is base_kind else None
