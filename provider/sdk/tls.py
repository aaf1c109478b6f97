"""Resources about certificates in running programs."""

from __future__ import annotations

import pulumi

from provider.sdk.base import Resource


class Renewal(Resource):
    """Makes a running program read its certificate anew when that changed and its container did not.

    It comes after what puts the certificate in place.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        container: pulumi.Input[str],
        container_id: pulumi.Input[str],
        certificate: pulumi.Input[str],
        address: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the renewal.

        :param container: name of the container.
        :param container_id: the container; a new one needs no signal.
        :param certificate: PEM of the certificate that lies in the container's files now.
        :param address: where the program shows it, as host:port; it is waited for there.
        """
        super().__init__(
            "pipe:tls:Renewal",
            resource_name,
            {"container": container, "containerId": container_id, "certificate": certificate, "address": address},
            opts,
        )

    @property
    def certificate(self) -> pulumi.Output[str]:
        """The certificate, once the program has read it."""
        return self._output("certificate")
