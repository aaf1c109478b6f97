"""Builds an image with the engine's classic builder, unless it has been built from the same files already."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap.base import ProviderError
from airgap.docker.errors import explained

# On every image that is built here: the digest of all that it was built from.
LABEL = "airgap.build"
_TAIL_LINES = 15
_PROGRESS_EVERY_S = 0.05
_locks: dict[str, threading.Lock] = {}
_locks_lock = threading.Lock()


@dataclass(frozen=True)
class Build:
    """What an image is built from; paths are relative to the program's folder."""

    context: str = "."
    dockerfile: str | None = None
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict[str, str])
    network: str | None = None
    add_hosts: tuple[str, ...] = ()

    @property
    def dockerfile_path(self) -> str:
        """The Dockerfile, by default the one in the context."""
        return self.dockerfile or os.path.join(self.context, "Dockerfile")

    def context_digest(self) -> str:
        """The digest of the Dockerfile and of every file that the engine would be sent; OSError when one is missing."""
        digest = hashlib.sha256(Path(self.dockerfile_path).read_bytes())
        for name in _context_files(self.context, self.dockerfile_path):
            path = Path(self.context) / name
            found = path.lstat()
            digest.update(f"\0{name}\0{'x' if found.st_mode & stat.S_IXUSR else '-'}\0".encode())
            if path.is_symlink():
                digest.update(os.readlink(path).encode())
            elif path.is_file():
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def digest(self) -> str:
        """The digest of everything that decides what the image will be."""
        parts = [self.context_digest(), self.target or "", self.network or "", *sorted(self.add_hosts)]
        parts += [f"{name}={value}" for name, value in sorted(self.args.items())]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def ensure_image(client: Any, name: str, build: Build, progress: Callable[[str], None]) -> str:
    """Builds the image unless it exists as wanted; returns its id. ProviderError carries the builder's last lines."""
    import docker.errors

    wanted = build.digest()
    with _lock_for(build.dockerfile_path):
        # Targets of one Dockerfile share stages: one after the other, the later find the earlier ones' in the cache.
        with explained(f"reading image '{name}'"):
            try:
                found = client.inspect_image(name)
            except docker.errors.ImageNotFound:
                found = None
        if found is None or built_from(found) != wanted:
            progress(f"building {name}")
            _run(client, name, build, wanted, progress)
            with explained(f"reading image '{name}'"):
                found = client.inspect_image(name)
    return str(found["Id"])


def built_from(image: Mapping[str, Any]) -> str | None:
    """The digest of what an inspected image was built from, None when it was not built here."""
    return ((image.get("Config") or {}).get("Labels") or {}).get(LABEL)


def _run(client: Any, name: str, build: Build, digest: str, progress: Callable[[str], None]) -> None:
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    last = 0.0
    with explained(f"building image '{name}'"):
        events: Iterator[dict[str, Any]] = client.build(
            path=build.context,
            dockerfile=os.path.abspath(build.dockerfile_path),
            tag=name,
            target=build.target or "",
            buildargs=dict(build.args) or None,
            network_mode=build.network,
            extra_hosts=dict(host.split(":", 1) for host in build.add_hosts) or None,
            labels={LABEL: digest},
            rm=True,
            forcerm=True,
            decode=True,
        )
        for event in events:
            if "error" in event:
                raise ProviderError(_failure(name, event["error"], tail), f"the build's folder is '{build.context}'")
            line = str(event.get("stream") or event.get("status") or "").rstrip()
            if not line:
                continue
            tail.append(line)
            if line.startswith("Step ") or time.monotonic() - last > _PROGRESS_EVERY_S:
                last = time.monotonic()
                progress(line)


def _failure(name: str, error: str, tail: deque[str]) -> str:
    lines = "\n".join(f"  {line}" for line in tail)
    return f"building image '{name}' failed: {' '.join(error.split())}\n{lines}"


def _context_files(context: str, dockerfile: str) -> list[str]:
    """Every file of the context that `.dockerignore` does not exclude, sorted."""
    # First the whole library: a thread that begins with a part of it, while another one imports the whole, has both
    # find the other's half.
    import docker
    import docker.utils.build

    ignore = Path(context) / ".dockerignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if not Path(context).is_dir():
        raise NotADirectoryError(f"the build context '{context}' is no folder")
    found = docker.utils.build.exclude_paths(context, patterns, os.path.relpath(dockerfile, context))
    return sorted(str(name) for name in found)


def _lock_for(dockerfile: str) -> threading.Lock:
    with _locks_lock:
        return _locks.setdefault(os.path.abspath(dockerfile), threading.Lock())
