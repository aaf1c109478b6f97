"""docker:index/image:Image, built here and never pushed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from airgap.base import (
    UNKNOWN,
    Context,
    Created,
    Failure,
    Found,
    Properties,
    ProviderError,
    Resource,
    has_unknown,
)
from airgap.docker.building import Build, built_from, ensure_image
from airgap.docker.errors import explained
from airgap.docker.waiting import missing

# Shown as the digest of a context that is not known, so that it differs from every real one.
_FOREIGN = "not built from this context"


class Image(Resource):
    """An image in the engine. Every change builds it again; deleting the resource leaves the image, as officially."""

    unsupported: ClassVar[Mapping[str, str]] = {
        "build.cacheFrom": "the engine's own cache is used",
        "build.platform": "images are built for the engine's own platform",
        "registry": "images are not pushed; load them elsewhere with `docker save` and `docker load`",
    }

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        failures: list[Failure] = []
        if inputs.get("skipPush") is False:
            failures.append(Failure("skipPush", "must be true: the air-gapped docker provider pushes no images"))
        if inputs.get("buildOnPreview") is True:
            failures.append(
                Failure("buildOnPreview", "must be false: the air-gapped docker provider previews without building")
            )
        build = inputs.get("build")
        if not isinstance(build, dict):
            return failures
        if build.get("builderVersion") == "BuilderBuildKit":
            failures.append(
                Failure("build.builderVersion", "must be BuilderV1: BuildKit needs a client that is not here")
            )
        for host in build.get("addHosts", []):
            if isinstance(host, str) and ":" not in host:
                failures.append(Failure("build.addHosts", 'must have the form "host:ip"'))
        if not failures and not has_unknown(build):
            try:
                digest = _build(inputs).context_digest()
            except OSError as error:
                return [Failure("build", f"cannot be read: {error}")]
            # As officially, the context's content is part of the inputs, so that a changed file is a difference.
            inputs["build"] = {**build, "contextDigest": digest}
        return failures

    def planned(self, state: Properties, inputs: Properties) -> Properties:
        name, build = inputs["imageName"], inputs.get("build", {})
        if build is UNKNOWN:
            build = {"context": UNKNOWN, "dockerfile": UNKNOWN}
        context = build.get("context", ".")
        dockerfile = build.get("dockerfile", UNKNOWN if context is UNKNOWN else Build(context).dockerfile_path)
        known = {"imageName": name, "baseImageName": name, "context": context, "dockerfile": dockerfile}
        return {**known, "registryServer": "", "repoDigest": UNKNOWN}

    def create(self, context: Context, inputs: Properties) -> Created:
        return Created(inputs["imageName"], self._ensure(context, inputs))

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        name = state.get("imageName", id)
        with explained(f"reading image '{name}'"), missing():
            found = context.client.inspect_image(name)
            return Found(
                {"context": "", "dockerfile": "", **state, **_names(name, found["Id"])},
                inputs=_inputs_of(found, name, inputs),
            )
        return None

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        return self._ensure(context, inputs)

    def delete(self, context: Context, id: str, state: Properties) -> None:
        """Leaves the image: other stacks and containers may use it."""

    def _ensure(self, context: Context, inputs: Properties) -> Properties:
        name, build = inputs["imageName"], _build(inputs)
        try:
            id = ensure_image(context.client, name, build, context.progress)
        except OSError as error:
            raise ProviderError(f"building image '{name}' failed: {error}") from error
        return {**_names(name, id), "context": build.context, "dockerfile": build.dockerfile_path}


def _build(inputs: Properties) -> Build:
    given = inputs.get("build", {})
    return Build(
        context=given.get("context", "."),
        dockerfile=given.get("dockerfile"),
        target=given.get("target"),
        args=given.get("args", {}),
        network=given.get("network"),
        add_hosts=tuple(given.get("addHosts", [])),
    )


def _names(name: str, id: str) -> Properties:
    return {"imageName": name, "baseImageName": name, "registryServer": "", "repoDigest": id}


def _inputs_of(found: dict[str, Any], name: str, inputs: Properties) -> Properties:
    """The inputs, with a context digest that differs when the name now belongs to another image than the one built."""
    if not inputs:
        return {"imageName": name, "skipPush": True}
    build = inputs.get("build")
    if build is None:
        return inputs
    try:
        same = built_from(found) == _build(inputs).digest()
    except OSError:
        same = True  # the files are gone or changed: the next check says so, the image itself is not to blame
    # When the files changed since the build, the digest in the inputs is the old one and shows that by itself.
    unchanged = same or (built_from(found) is not None and build.get("contextDigest") != _current_digest(inputs))
    return inputs if unchanged else {**inputs, "build": {**build, "contextDigest": _FOREIGN}}


def _current_digest(inputs: Properties) -> str | None:
    try:
        return _build(inputs).context_digest()
    except OSError:
        return None
