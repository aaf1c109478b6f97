"""``pipe:tls:Renewal``: a running program reads the certificate that was put in place of its old one."""

from __future__ import annotations

import ssl
import time
from typing import ClassVar

from provider import engine
from provider.errors import PipeError
from provider.resource import Context, Field, Resource
from provider.values import Properties

# Patroni looks for the signal once in its loop, which may be as long as a minute.
WAIT_SECONDS = 90
POLL_SECONDS = 0.3
_CONNECT_SECONDS = 2.0


class Renewal(Resource):
    """A signal. Its id is the container's name. A new container has read the certificate when it started.

    The signal goes through Docker's engine: with a certificate that has expired nobody could be asked over TLS.
    """

    token = "pipe:tls:Renewal"
    description = "Makes a running program read its certificate anew (SIGHUP) when that changed and its container not."
    inputs: ClassVar[dict[str, Field]] = {
        "container": Field(str, "Name of the container.", replaces=True),
        "containerId": Field(str, "The container; a new one needs no signal."),
        "certificate": Field(str, "PEM of the certificate that lies in the container's files now."),
        "address": Field(str, "Where the program shows it, as host:port; it is waited for there.", required=False),
    }

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Nothing to do: what starts reads it."""
        del context
        return new["container"], new

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """Send the signal and wait until the certificate is shown; raises PipeError when it is not."""
        renewed = old.get("containerId") == new["containerId"] and old.get("certificate") != new["certificate"]
        if renewed and _signalled(context, id_) and new.get("address"):
            _await_shown(context, id_, new["address"], new["certificate"])
        return new


def _signalled(context: Context, container: str) -> bool:
    """Send SIGHUP; False where nothing runs that could read it."""
    with engine.api(context.config) as api:
        running = bool(api.inspect_container(container)["State"]["Running"])
        if running:
            api.kill(container, "SIGHUP")
        else:
            context.warning(f'container "{container}" does not run; it reads its new certificate when it starts')
        return running


def _await_shown(context: Context, container: str, address: str, certificate: str) -> None:
    started = time.monotonic()
    while not shows(address, certificate):
        if time.monotonic() - started > WAIT_SECONDS:
            raise PipeError(
                f'"{container}" does not show its new certificate at {address} within {WAIT_SECONDS} s',
                f"its log says why: docker logs {container}",
            )
        context.progress(f'"{container}" does not show its new certificate yet')
        context.cancellation.pause(POLL_SECONDS, f'waiting for the certificate of "{container}"')


def shows(address: str, certificate: str) -> bool:
    """Say whether a server shows this certificate. It is compared, not verified: the old one may have expired."""
    host, _, port = address.rpartition(":")
    try:
        shown = ssl.get_server_certificate((host, int(port)), timeout=_CONNECT_SECONDS)
    except OSError:
        return False
    return ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(certificate)
