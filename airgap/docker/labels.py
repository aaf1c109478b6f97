"""Labels: the provider's inputs have a list of {label, value}, the engine has a map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def from_labels(labels: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """The engine's form."""
    return {item["label"]: item["value"] for item in labels or ()}


def to_labels(labels: Mapping[str, str] | None) -> list[dict[str, str]]:
    """The provider's form, sorted."""
    return [{"label": name, "value": value} for name, value in sorted((labels or {}).items())]
