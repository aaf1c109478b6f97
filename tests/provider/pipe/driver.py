"""Runs the provider `pipe` as the engine would: its own process, the real protocol, an engine that listens."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from tests.provider.airgap.harness import CHECKOUT, FakeEngine, Live, Plugin


class PipePlugin(Plugin):
    """One running provider `pipe`."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        self.name = "pipe"
        self.engine = FakeEngine()
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "provider", self.engine.address],
            cwd="/",
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        port = self.process.stdout.readline().strip()
        assert port, self.process.communicate()[1]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub: Any = provider_pb2_grpc.ResourceProviderStub(self.channel)
        self.configure(config or {})

    def live(self, token: str, name: str = "one") -> Live:
        """A resource that does not exist yet."""
        return Live(self, f"pipe:{token}", name)

    @property
    def messages(self) -> list[str]:
        """What the provider told the engine, without the resource's name."""
        return [message for _, message in self.engine.lines]
