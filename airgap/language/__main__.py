"""The process `pulumi-language-python`: `python -m airgap.language ENGINE_ADDRESS`."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from airgap.quickly import importing

with importing():
    import grpc
    from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS as GRPC_OPTIONS
    from pulumi.runtime.proto import language_pb2_grpc

    from airgap.language.host import LanguageHost
    from airgap.process import exit_quietly_on_signals, exit_with_parent

# One thread runs the program, the others answer the engine meanwhile.
_THREADS = 4


def main(args: list[str]) -> None:
    """Prints the port, then serves until the engine ends."""
    addresses = [arg for arg in args if not arg.startswith("-")]
    exit_with_parent()
    exit_quietly_on_signals()
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=GRPC_OPTIONS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(addresses[0] if addresses else ""), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1:])
