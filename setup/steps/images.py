"""The project's own images, built ahead of the first `up` and beside the build of Pulumi's command line."""

from __future__ import annotations

from setup import docker_api
from setup.context import Context
from setup.files import digest
from setup.runner import Step

NAME = "images"
LIST_NAMES = (
    "from infra.images import TARGETS, image_name, read_context\n"
    "for target in TARGETS: print(image_name(target, read_context()))"
)


def wanted(context: Context) -> str:
    """Stands for everything that the images are made from."""
    root = context.paths.root
    return digest([root / "images", root / "infra" / "images.py"])


def present(context: Context) -> bool:
    try:
        key, *names = (context.paths.stamps / NAME).read_text().split()
    except (OSError, ValueError):
        return False
    return key == wanted(context) and all(docker_api.has_image(name) for name in names)


def provide(context: Context) -> None:
    context.console.say(NAME, "building those that the engine lacks")
    log = context.log(NAME)
    # Taken before the build: a file that changes meanwhile leaves an outdated stamp, and the next run builds again.
    key = wanted(context)
    context.processes.run(
        [context.paths.python, "-m", "infra.images"],
        log=log,
        what="images: the build failed",
        fix="the lines above say which line of images/Dockerfile; `make setup` goes on from there.",
        cwd=context.paths.root,
        env=context.environ,
        progress=lambda line: context.console.say(NAME, line),
    )
    names = context.paths.tools / "images.txt"
    context.processes.run(
        [context.paths.python, "-c", LIST_NAMES],
        log=log,
        what="images: their names cannot be told",
        cwd=context.paths.root,
        env=context.environ,
        stdout=names,
    )
    context.stamp(NAME, f"{key}\n{names.read_text()}")


STEP = Step(NAME, present, provide, needs=("python", "base image"))
