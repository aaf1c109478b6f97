"""The connection to the Docker engine: one for the whole process, used by all threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
from docker.tls import TLSConfig

from airgap.docker.errors import explained

DEFAULT_HOST = "unix:///var/run/docker.sock"
# The longest that the engine may be silent within one call; builds and stops send something or are bounded themselves.
_TIMEOUT_S = 600
_CONNECTIONS = 64


def connect(config: dict[str, Any]) -> docker.APIClient:
    """Connects to the engine that the provider's configuration or DOCKER_HOST names; ProviderError if none answers."""
    host = config.get("host") or DEFAULT_HOST
    with explained("connecting", host):
        return docker.APIClient(
            base_url=host,
            version="auto",
            timeout=_TIMEOUT_S,
            num_pools=_CONNECTIONS,
            max_pool_size=_CONNECTIONS,
            tls=_tls(config.get("certPath")),
        )


def _tls(folder: str | None) -> TLSConfig | bool:
    if not folder:
        return False
    path = Path(folder)
    return TLSConfig(
        client_cert=(str(path / "cert.pem"), str(path / "key.pem")), ca_cert=str(path / "ca.pem"), verify=True
    )
