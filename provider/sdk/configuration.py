"""The provider itself: where and as whom it works."""

from __future__ import annotations

import pulumi

from provider.sdk.base import secret


class PipeProvider(pulumi.ProviderResource):
    """Where and as whom the provider works. Nothing is contacted until a resource needs it.

    A resource that talks to PostgreSQL needs ``host`` to ``ca_certificate``, one that talks to Patroni the
    ``patroni_*`` arguments, one that runs a program in a container ``docker_host`` (by default DOCKER_HOST or the local
    socket).
    """

    def __init__(
        self,
        resource_name: str,
        *,
        host: pulumi.Input[str] | None = None,
        port: pulumi.Input[int] | None = None,
        database: pulumi.Input[str] | None = None,
        username: pulumi.Input[str] | None = None,
        password: pulumi.Input[str] | None = None,
        ca_certificate: pulumi.Input[str] | None = None,
        patroni_ca: pulumi.Input[str] | None = None,
        patroni_client_certificate: pulumi.Input[str] | None = None,
        patroni_client_key: pulumi.Input[str] | None = None,
        docker_host: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the connections.

        :param host: PostgreSQL's host as clients see it; the server's certificate must name it (sslmode=verify-full).
        :param port: the read-write port.
        :param database: the database in which migrations run.
        :param username: the login role, a member of the owners that migrations run as.
        :param password: its password; stored and passed on as a secret.
        :param ca_certificate: PEM of the authority that signed PostgreSQL's certificate.
        :param patroni_ca: PEM of the authority that signed the certificate of Patroni's REST API.
        :param patroni_client_certificate: PEM of the client certificate that Patroni accepts for changes.
        :param patroni_client_key: PEM of its private key; stored and passed on as a secret.
        :param docker_host: Docker engine's address, as in DOCKER_HOST.
        """
        # A provider's configuration travels as strings: numbers are written out here.
        port_text = None if port is None else pulumi.Output.from_input(port).apply(_digits)
        super().__init__(
            "pipe",
            resource_name,
            {
                "host": host,
                "port": port_text,
                "database": database,
                "username": username,
                "password": secret(password),
                "caCertificate": ca_certificate,
                "patroniCa": patroni_ca,
                "patroniClientCertificate": patroni_client_certificate,
                "patroniClientKey": secret(patroni_client_key),
                "dockerHost": docker_host,
            },
            opts,
        )


def _digits(number: int) -> str:
    return str(int(number))
