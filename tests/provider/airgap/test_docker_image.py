"""Images: built when they have to be, and only then."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.provider.airgap.fix_docker import Make
from tests.provider.airgap.harness import UNKNOWN, Failed, Plugin, Refused

DOCKERFILE = """\
FROM debian:trixie-slim AS first
COPY file /file
ARG WORD=none
RUN echo "$WORD" > /word
FROM first AS second
RUN echo second > /second
"""


@pytest.fixture
def folder(tmp_path: Path, prefix: str) -> Path:
    """A build context with a file that counts and one that does not.

    The first layer differs from test to test: removing an image takes layers away that another build may just count on.
    """
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "file").write_text(f"one of {prefix}")
    (tmp_path / "ignored").write_text("one")
    (tmp_path / ".dockerignore").write_text("# a comment\nignored\n")
    return tmp_path


@pytest.fixture
def image(folder: Path, prefix: str) -> dict[str, Any]:
    """The inputs of an image of that context."""
    build = {"context": str(folder), "target": "first", "args": {"WORD": "a"}, "builderVersion": "BuilderV1"}
    return {"imageName": f"{prefix}:1", "build": build, "skipPush": True}


def in_image(engine: Any, prefix: str, name: str, path: str) -> str:
    """Return a file of the image, without running anything of it."""
    reader = engine.containers.create(name, ["true"], name=f"{prefix}-reader")
    try:
        chunks, _ = reader.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            content = archive.extractfile(archive.getmembers()[0])
            assert content is not None
            return content.read().decode().strip()
    finally:
        reader.remove()


def test_an_image_is_built_once(live: Make, image: dict[str, Any], docker_engine: Any, prefix: str) -> None:
    built = live("image")
    assert built.up(image) == "create"
    assert built.state["imageName"] == f"{prefix}:1"
    assert built.state["baseImageName"] == f"{prefix}:1"
    assert built.state["repoDigest"] == docker_engine.images.get(f"{prefix}:1").id
    assert in_image(docker_engine, prefix, f"{prefix}:1", "/word") == "a"
    assert built.up(image) == "same"
    assert built.refresh() == "same"
    assert built.up(image) == "same"


def test_an_image_that_is_there_already_is_not_built_again(
    live: Make, image: dict[str, Any], docker_plugin: Plugin, prefix: str
) -> None:
    live("image").up(image)
    second = live("image", "-second")
    second.up(image)
    assert [message for name, message in docker_plugin.engine.lines if name == f"{prefix}-second"] == []


def test_the_build_is_seen_as_it_goes(live: Make, image: dict[str, Any], docker_plugin: Plugin, prefix: str) -> None:
    live("image").up(image)
    lines = [message for name, message in docker_plugin.engine.lines if name == prefix]
    assert lines[0] == f"building {prefix}:1"
    assert any(line.startswith("Step 1/") for line in lines)


def test_a_changed_file_builds_again_and_an_ignored_one_does_not(
    live: Make, image: dict[str, Any], folder: Path, docker_engine: Any, prefix: str
) -> None:
    built = live("image")
    built.up(image)
    (folder / "ignored").write_text("two")
    assert built.up(image) == "same"
    (folder / "file").write_text(f"two of {prefix}")
    assert built.diff(image).changes == {"build.contextDigest": "UPDATE"}
    before = built.state["repoDigest"]
    assert built.up(image) == "update"
    assert built.state["repoDigest"] != before
    assert in_image(docker_engine, prefix, f"{prefix}:1", "/file") == f"two of {prefix}"
    assert built.up(image) == "same"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"target": "second"}, "build.target"),
        ({"args": {"WORD": "b"}}, "build.args.WORD"),
        ({"network": "none"}, "build.network"),
    ],
)
def test_a_changed_setting_builds_again_in_place(
    live: Make, image: dict[str, Any], change: dict[str, Any], path: str
) -> None:
    built = live("image")
    built.up(image)
    changed = {**image, "build": {**image["build"], **change}}
    assert built.diff(changed).replaces == []
    assert path in built.diff(changed).changes
    assert built.up(changed) == "update"
    assert built.up(changed) == "same"


def test_a_new_name_is_built_under_it(live: Make, image: dict[str, Any], docker_engine: Any, prefix: str) -> None:
    built = live("image")
    built.up(image)
    assert built.up({**image, "imageName": f"{prefix}:2"}) == "update"
    assert docker_engine.images.get(f"{prefix}:2")
    assert built.state["imageName"] == f"{prefix}:2"


def test_removed_behind_its_back_it_is_gone_and_built_again(
    live: Make, image: dict[str, Any], docker_engine: Any
) -> None:
    built = live("image")
    built.up(image)
    docker_engine.images.remove(image["imageName"])
    assert built.refresh() == "gone"
    assert built.up(image) == "create"


def test_a_name_that_was_given_to_another_image_is_taken_back(
    live: Make, image: dict[str, Any], docker_engine: Any
) -> None:
    built = live("image")
    built.up(image)
    docker_engine.images.get("debian:trixie-slim").tag(image["imageName"])
    assert built.refresh() == "changed"
    assert built.diff(image).changes == {"build.contextDigest": "UPDATE"}
    assert built.up(image) == "update"
    assert built.refresh() == "same"


def test_destroying_leaves_the_image_to_others(live: Make, image: dict[str, Any], docker_engine: Any) -> None:
    built = live("image")
    built.up(image)
    built.destroy()
    assert docker_engine.images.get(image["imageName"])


def test_an_existing_image_is_imported(live: Make, image: dict[str, Any]) -> None:
    live("image").up(image)
    second = live("image")
    assert second.adopt(image["imageName"])
    assert second.inputs["imageName"] == image["imageName"]


def test_a_build_that_fails_shows_the_last_lines(live: Make, image: dict[str, Any], folder: Path, prefix: str) -> None:
    (folder / "Dockerfile").write_text("FROM debian:trixie-slim\nRUN echo about to fail && exit 7\n")
    broken = {**image, "build": {"context": str(folder)}}
    with pytest.raises(
        Failed, match=f"(?s)^building image '{prefix}:1' failed: .*returned a non-zero code: 7.*about to fail"
    ):
        live("image").up(broken)


def test_what_it_cannot_do_is_refused_by_name(live: Make, image: dict[str, Any]) -> None:
    build = {**image["build"], "builderVersion": "BuilderBuildKit", "platform": "linux/arm64"}
    with pytest.raises(Refused) as refused:
        live("image").up(
            {**image, "build": build, "skipPush": False, "buildOnPreview": True, "registry": {"server": "x"}}
        )
    assert refused.value.failures == {
        "build.platform": "is not supported by the air-gapped docker provider: "
        "images are built for the engine's own platform",
        "registry": "is not supported by the air-gapped docker provider: "
        "images are not pushed; load them elsewhere with `docker save` and `docker load`",
        "skipPush": "must be true: the air-gapped docker provider pushes no images",
        "buildOnPreview": "must be false: the air-gapped docker provider previews without building",
    }


def test_a_context_that_does_not_exist_is_refused(live: Make, image: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        live("image").up({**image, "build": {"context": str(tmp_path / "nowhere")}})
    assert "No such file or directory" in refused.value.failures["build"]


def test_a_preview_knows_the_name_but_not_the_digest(live: Make, image: dict[str, Any], prefix: str) -> None:
    planned = live("image").preview(image)
    assert planned["imageName"] == f"{prefix}:1"
    assert planned["repoDigest"] == UNKNOWN
