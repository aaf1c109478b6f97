"""One version for everything: what set-up installs is what the lock and the Go module say."""

from __future__ import annotations

import tomllib
from pathlib import Path

from setup import versions

ROOT = Path(__file__).parents[2]


def locked() -> dict[str, str]:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return {package["name"]: package["version"] for package in packages if "version" in package}


def test_pulumi_is_the_same_in_python_go_and_set_up() -> None:
    pinned = versions.load(ROOT)
    assert locked()["pulumi"] == pinned.pulumi
    assert f"github.com/pulumi/pulumi/pkg/v3 v{pinned.pulumi}\n" in (ROOT / "airgap" / "cli" / "go.mod").read_text()


def test_each_provider_is_of_the_version_of_its_sdk() -> None:
    pinned = versions.load(ROOT)
    assert {name: locked()[f"pulumi-{name}"] for name in pinned.providers} == pinned.providers


def test_the_base_image_is_the_one_that_the_images_start_from() -> None:
    pinned = versions.load(ROOT)
    assert f"FROM {pinned.base_image} " in (ROOT / "images" / "Dockerfile").read_text()
    assert pinned.base_suite in pinned.base_image
