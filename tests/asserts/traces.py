"""Nothing of a stack is left."""

from __future__ import annotations

import docker


def traces(stack: str) -> list[str]:
    """Return what the engine still has of the stack."""
    labelled: dict[str, str | list[str] | bool] = {"label": f"pipe.stack={stack}"}
    engine = docker.from_env()
    try:
        return [
            *(
                f"container {found.name}"
                for found in engine.containers.list(all=True, filters=labelled, ignore_removed=True)
            ),
            *(f"volume {found.name}" for found in engine.volumes.list(filters=labelled)),
            *(f"network {found.name}" for found in engine.networks.list(filters=labelled)),
        ]
    finally:
        engine.close()


def assert_no_trace(stack: str) -> None:
    assert traces(stack) == []
