"""The pinned versions of setup/versions.toml, typed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Versions:
    uv: str
    pulumi: str
    providers: Mapping[str, str]
    base_image: str
    base_suite: str


def load(root: Path) -> Versions:
    """Read the versions of the checkout at `root`. A missing key is a programming error and raises KeyError."""
    raw = tomllib.loads((root / "setup" / "versions.toml").read_text())
    return Versions(
        uv=raw["uv"],
        pulumi=raw["pulumi"],
        providers=dict(raw["providers"]),
        base_image=raw["base_image"]["reference"],
        base_suite=raw["base_image"]["suite"],
    )
