"""Durations as the engine's language writes them: "1m30s" is 90 s."""

from __future__ import annotations

import re

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str) -> int:
    """Nanoseconds; ValueError when the text is no duration."""
    if text in ("", "0"):
        return 0
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"'{text}' is not a duration such as 500ms, 10s or 1m30s")
    return round(sum(float(number) * _UNITS_NS[unit] for number, unit in parts))


def format_duration(nanoseconds: int) -> str:
    """The form that the official provider stores: `0s`, `500ms`, `10s`, `1m0s`, `1h0m0s`."""
    if nanoseconds < 1_000_000_000:
        for unit in ("ms", "us"):
            if nanoseconds and nanoseconds >= _UNITS_NS[unit]:
                return f"{_number(nanoseconds / _UNITS_NS[unit])}{'µs' if unit == 'us' else unit}"
        return f"{nanoseconds}ns" if nanoseconds else "0s"
    minutes, rest = divmod(nanoseconds, _UNITS_NS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_number(rest / _UNITS_NS['s'])}s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _number(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")
