"""The base image: pulled from a registry that answers, otherwise made from Debian's own packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from setup import docker_api, network
from setup.context import Context
from setup.runner import Step
from setup.steps import packages

NAME = "base image"
REGISTRY = "https://registry-1.docker.io/v2/"
FIX = (
    "load the image yourself (`docker pull debian:trixie-slim` through a mirror, or `docker load`), "
    "or run `make setup` as root on Debian or Ubuntu, where it can be made with mmdebstrap."
)


def present(context: Context) -> bool:
    return docker_api.has_image(context.versions.base_image)


def provide(context: Context) -> None:
    reference = context.versions.base_image
    reason = network.failure(REGISTRY)
    if reason is None and shutil.which("docker"):
        context.console.say(NAME, f"pulling {reference}")
        context.processes.run(
            ["docker", "pull", "--quiet", reference],
            log=context.log("base-image"),
            what=f"base image: {reference} could not be pulled",
            fix=FIX,
        )
        return
    context.console.say(NAME, f"no registry ({reason}): making {reference} with mmdebstrap")
    _make(context)


def _make(context: Context) -> None:
    log = context.log("base-image")
    if shutil.which("mmdebstrap") is None:
        packages.install(context, "base image", ["mmdebstrap"], FIX)
    context.paths.tools.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".base.", dir=context.paths.tools) as scratch:
        archive = Path(scratch) / "base.tar"
        # mmdebstrap unpacks as another user below TMPDIR: the private folder of tempfile would be closed to it.
        os.chmod(scratch, 0o755)
        context.processes.run(
            ["mmdebstrap", "--variant=minbase", "--include=ca-certificates", context.versions.base_suite, archive],
            log=log,
            what="base image: mmdebstrap failed",
            fix=FIX,
            env={**context.environ, "TMPDIR": scratch},
        )
        context.processes.run(
            ["docker", "import", "--change", 'CMD ["bash"]', archive, context.versions.base_image],
            log=log,
            what="base image: docker import failed",
            fix=FIX,
        )


STEP = Step(NAME, present, provide, needs=("docker",))
