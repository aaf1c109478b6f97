"""`python -m airgap.random <engine address>`: the plugin's process."""

from __future__ import annotations

from airgap.quickly import importing

with importing():
    from airgap.base.server import main
    from airgap.random.provider import SPEC

if __name__ == "__main__":
    main(SPEC)
