"""Which resources there are, and where."""

from __future__ import annotations

from airgap.base import ProviderSpec

SPEC = ProviderSpec(
    name="docker",
    version="5.2.0",
    resources={
        "docker:index/container:Container": "airgap.docker.container:Container",
        "docker:index/image:Image": "airgap.docker.image:Image",
        "docker:index/network:Network": "airgap.docker.network:Network",
        "docker:index/volume:Volume": "airgap.docker.volume:Volume",
    },
    connect="airgap.docker.client:connect",
    libraries=("docker",),
    unsupported_config={
        "context": "set `host` instead",
        "sshOpts": "forward the engine's socket and set `host` to it",
        "registryAuth": "images are built here, none is pulled or pushed",
        "caMaterial": "put ca.pem, cert.pem and key.pem in a folder and set `certPath`",
        "certMaterial": "put ca.pem, cert.pem and key.pem in a folder and set `certPath`",
        "keyMaterial": "put ca.pem, cert.pem and key.pem in a folder and set `certPath`",
    },
)
