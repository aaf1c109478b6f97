"""Starts the provider's process: ``python -m provider ENGINE_ADDRESS``, as the engine does."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Serve the engine whose address is the first argument that is not a flag."""
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    if not addresses:
        print("python -m provider is started by Pulumi, with the engine's address", file=sys.stderr)
        print("HINT: run: make up", file=sys.stderr)
        raise SystemExit(2)
    # Nothing is garbage yet: to look for it while importing takes a tenth of the start.
    gc.disable()
    from provider.provider import PipeProvider
    from provider.runtime import serve
    from provider.version import VERSION

    gc.freeze()
    gc.enable()
    serve(PipeProvider(addresses[0]), VERSION, addresses[0])


if __name__ == "__main__":
    main()
