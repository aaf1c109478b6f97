"""The plugin process: `python -m airgap.docker ENGINE_ADDRESS`."""

from __future__ import annotations

from airgap.quickly import importing

with importing():
    from airgap.base.server import main
    from airgap.docker.provider import SPEC

if __name__ == "__main__":
    main(SPEC)
