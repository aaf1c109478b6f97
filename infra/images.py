"""The images of the cluster's programs, built from ``images/`` and tagged by what they are built from.

The tag is a digest of all that an image is made from: its stages of the Dockerfile and the files that these copy. So an
unchanged image is an unchanged tag on every machine, a changed one replaces just the containers that run it, and stacks
of one engine share their images. They stay when a stack goes. The resources of the images stand for the whole folder:
any change of it updates them, and no container runs on another image for that.

``python -m infra.images`` builds those that are missing, ahead of the first ``up``.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import pulumi

Target = Literal["consensus", "proxy", "repository", "member", "scheduler"]
TARGETS: tuple[Target, ...] = get_args(Target)
CONTEXT = Path("images")


Context = Mapping[str, tuple[bool, bytes]]
"""Each file's path, executable bit and content."""
# The comment above a stage is no part of it, nor of the one before.
_STAGE = re.compile(r"(?:^#.*\n)*^(?P<begin>FROM) (?P<parent>\S+) AS (?P<name>\S+)$", re.MULTILINE)
_COPY = re.compile(r"^COPY (?P<sources>.+) \S+$", re.MULTILINE)


def stages_of(dockerfile: str, target: str) -> str:
    """Return the part of a Dockerfile that makes a target: its own stage, behind those that it is made from."""
    marks = [*_STAGE.finditer(dockerfile)]
    ends = [*(mark.start() for mark in marks[1:]), len(dockerfile)]
    stages = {
        mark["name"]: (mark["parent"], dockerfile[mark.start("begin") : end])
        for mark, end in zip(marks, ends, strict=True)
    }
    text = ""
    while target in stages:
        target, own = stages[target]
        text = own + text
    return text


def digest_of(target: Target, context: Context) -> str:
    """Return 12 hexadecimal digits that stand for all that an image is made from."""
    stages = stages_of(context["Dockerfile"][1].decode(), target)
    sources = tuple(source for line in _COPY.finditer(stages) for source in line["sources"].split())
    digest = hashlib.sha256(stages.encode())
    for path, (executable, content) in sorted(context.items()):
        if path in sources or path.startswith(tuple(f"{source}/" for source in sources)):
            digest.update(f"{path}\0{int(executable)}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:12]


def image_name(target: Target, context: Context) -> str:
    """Return the name of the image of `target`, built from this context."""
    return f"pipe-{target}:{digest_of(target, context)}"


def read_context(directory: Path = CONTEXT) -> dict[str, tuple[bool, bytes]]:
    """Read the build context from disk."""
    return {
        path.relative_to(directory).as_posix(): (bool(path.stat().st_mode & 0o100), path.read_bytes())
        for path in directory.rglob("*")
        # What Python leaves where it imports from is no part of it, here and in images/.dockerignore.
        if path.is_file() and "__pycache__" not in path.parts
    }


@dataclass(frozen=True)
class ImageNames:
    """The image of each program, as ``name:tag``."""

    consensus: pulumi.Output[str]
    proxy: pulumi.Output[str]
    repository: pulumi.Output[str]
    member: pulumi.Output[str]
    scheduler: pulumi.Output[str]


class Images(pulumi.ComponentResource):
    """Builds the images with the engine's classic builder; pushes nothing."""

    names: ImageNames

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:index:Images", name, None, opts)
        import pulumi_docker as docker

        context = read_context()
        built = {
            target: docker.Image(
                f"{name}-{target}",
                image_name=image_name(target, context),
                build=docker.DockerBuildArgs(
                    context=str(CONTEXT),
                    dockerfile=str(CONTEXT / "Dockerfile"),
                    target=target,
                    builder_version=docker.BuilderVersion.BUILDER_V1,
                ),
                skip_push=True,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for target in TARGETS
        }
        self.names = ImageNames(**{target: image.image_name for target, image in built.items()})
        self.register_outputs({})


def build_missing() -> int:
    """Build the images that the engine lacks; return the builder's exit code."""
    context = read_context()
    for target in TARGETS:
        name = image_name(target, context)
        if subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0:
            continue
        print(f"building {name}", flush=True)
        command = ["docker", "build", "--target", target, "--tag", name, str(CONTEXT)]
        result = subprocess.run(command, env=_classic_builder(), check=False)
        if result.returncode:
            return result.returncode
    return 0


def _classic_builder() -> dict[str, str]:
    return {**os.environ, "DOCKER_BUILDKIT": "0"}


if __name__ == "__main__":
    sys.exit(build_missing())
