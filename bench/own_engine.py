"""A second Docker engine on this machine that may be killed: its own data, socket and network, gone at the end.

Two engines in one network would take each other's bridge away, and the rules of the packet filter. So whoever wants
one runs `in_own_network` first: its network is its own from then on, and ports of 127.0.0.1 are those of the second
engine alone. As root on Linux, with `dockerd` on PATH.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException

ANSWERS_SECONDS = 90
ENDS_SECONDS = 30
# Containers get as long as each needs to end by itself, then the engine kills them.
STOPS_SECONDS = 120
POLL_SECONDS = 0.1
CLIENT_SECONDS = 300
# Set for the process that has a network of its own.
INSIDE = "PIPE_BENCH_OWN_NETWORK"
# What containers run under, in a process of its own as on most machines, so that it outlives a killed engine.
CONTAINERD = """
version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
address = "{folder}/containerd.sock"
"""


@dataclass
class OwnEngine:
    """`folder` is short, for the path of a socket has a limit."""

    folder: Path
    _containerd: subprocess.Popen[bytes] | None = None
    _daemon: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """Return its address, for DOCKER_HOST."""
        return f"unix://{self.folder}/docker.sock"

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._daemon is not None

    def start(self) -> None:
        """Start it and wait until it answers; containers that were to stay up are started by it."""
        if self._containerd is None:
            (self.folder / "containerd.toml").write_text(CONTAINERD.format(folder=self.folder))
            self._containerd = self._run("containerd", f"--config={self.folder}/containerd.toml")
        (self.folder / "docker.pid").unlink(missing_ok=True)
        self._daemon = self._run(
            "dockerd",
            f"--host={self.host}",
            f"--containerd={self.folder}/containerd.sock",
            f"--data-root={self.folder}/data",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/docker.pid",
        )
        end = time.monotonic() + ANSWERS_SECONDS
        while True:
            try:
                self.client().close()
                return
            except DockerException as error:
                if self._daemon.poll() is not None or time.monotonic() > end:
                    said = (self.folder / "dockerd.log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"the second engine does not answer: {error}\n{said}") from None
            time.sleep(POLL_SECONDS)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{command[0]}.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def client(self) -> docker.DockerClient:
        """Return a client of it; the caller closes it."""
        return docker.DockerClient(base_url=self.host, version="auto", timeout=CLIENT_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the engine alone: the containers go on, and nobody answers for them."""
        _kill(self._daemon)
        self._daemon = None

    def stop(self) -> None:
        """SIGTERM to the engine, as when the machine starts anew: it stops its containers and ends."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(STOPS_SECONDS)
        self._daemon = None

    def cut(self) -> None:
        """SIGKILL to the engine and to all that runs under it, as when the power goes."""
        self.kill()
        _kill(self._containerd)
        self._containerd = None
        end = time.monotonic() + ENDS_SECONDS
        while found := self._processes():
            if time.monotonic() > end:
                raise RuntimeError(f"processes {found} of the second engine do not end")
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def _processes(self) -> list[int]:
        """Return containerd, the shims, the proxies of ports, and what runs in containers."""
        shims = {pid for pid, line in _command_lines() if str(self.folder).encode() in line}
        found, fresh = set(shims), set(shims)
        while fresh:
            fresh = {pid for pid, parent in _parents() if parent in fresh} - found
            found |= fresh
        return sorted(found)


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()


def _command_lines() -> Iterator[tuple[int, bytes]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield int(entry.name), (entry / "cmdline").read_bytes()


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The name may hold blanks; the parent is the second field after it.
            yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])


@contextlib.contextmanager
def own_engine(images: list[str]) -> Iterator[OwnEngine]:
    """Give a running second engine with these images of the first one, and leave nothing of it behind."""
    folder = Path(tempfile.mkdtemp(prefix="pipe-engine-"))
    engine = OwnEngine(folder)
    try:
        engine.start()
        _copy(images, engine)
        yield engine
    finally:
        engine.cut()
        _unmount(folder)
        shutil.rmtree(folder)


def in_own_network(module: str, arguments: Sequence[str]) -> int | None:
    """Run this module again in a network and with mounts of its own; None when this is that run already."""
    if os.geteuid() or not shutil.which("dockerd"):
        print("error: an engine of its own takes root, and dockerd on PATH", file=sys.stderr)
        return 1
    if INSIDE not in os.environ:
        again = [sys.executable, "-m", module, *arguments]
        return subprocess.call(["unshare", "--net", "--mount", *again], env={**os.environ, INSIDE: "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return None


def _copy(images: list[str], engine: OwnEngine) -> None:
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
        subprocess.run(["docker", "--host", engine.host, "load", "--quiet"], stdin=saved.stdout, check=True)
    if saved.returncode:
        raise RuntimeError(f"the images could not be copied: docker save ended with {saved.returncode}")


def _unmount(folder: Path) -> None:
    """Unmount what the killed engine left mounted, the deepest first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    for place in sorted((line.split()[1] for line in lines if line.split()[1].startswith(str(folder))), reverse=True):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
