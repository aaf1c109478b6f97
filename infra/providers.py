"""The explicit providers: who reaches the cluster, with which right, and by which certificate."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_postgresql as postgresql
from pulumi.output import Unknown

from infra.access.matrix import DATABASE
from infra.certificates import Certificates
from infra.credentials import Passwords
from infra.naming import Names
from infra.settings import Settings
from provider import sdk as pipe

# Bound to every address, the ports answer on the loopback one too.
ANY_ADDRESS = ("0.0.0.0", "::")


def client_host(settings: Settings) -> str:
    """Return the host under which clients reach the endpoints; the certificates hold for it."""
    if settings.network.hostnames:
        return settings.network.hostnames[0]
    return "127.0.0.1" if settings.network.bind_address in ANY_ADDRESS else settings.network.bind_address


@dataclass(frozen=True)
class Providers:
    """`pipe` works as the migrator and as Patroni's operator, `postgresql` as the provisioner (a superuser)."""

    pipe: pipe.PipeProvider
    postgresql: postgresql.Provider


def connect(settings: Settings, names: Names, certificates: Certificates, passwords: Passwords) -> Providers:
    """Declare the providers. Neither connects before a resource needs it."""
    host, port = client_host(settings), names.ports.read_write()
    operator = certificates.issue("operator")
    return Providers(
        pipe=pipe.PipeProvider(
            "pipe",
            host=host,
            port=port,
            database=DATABASE,
            username="pipe_migrator",
            password=pulumi.Output.secret(_known_even_before_it_changes(passwords.migrator)),
            ca_certificate=_known_even_before_it_changes(certificates.ca_certificate),
            patroni_ca=_known_even_before_it_changes(certificates.ca_certificate),
            patroni_client_certificate=_known_even_before_it_changes(operator.certificate),
            patroni_client_key=pulumi.Output.secret(_known_even_before_it_changes(operator.key)),
        ),
        postgresql=postgresql.Provider(
            "postgresql",
            host=host,
            port=port,
            database="postgres",
            username="pipe_provisioner",
            password=passwords.provisioner,
            sslmode="verify-full",
            sslrootcert=certificates.ca_file,
            superuser=True,
            connect_timeout=60,
            max_connections=4,
        ),
    )


def _known_even_before_it_changes(value: pulumi.Output[str]) -> pulumi.Output[str]:
    """Return the value, or an empty one in a preview, when it is not made yet: a first password, a rotated one.

    An unknown setting of a provider would have every one of its resources previewed as changed, members and migrations
    included, and none of them asked. With an empty one it compares what it is given, just doesn't log in, and refuses
    a restore that cannot be before anything is made.
    """
    return value.apply(lambda known: "" if isinstance(known, Unknown) else known, run_with_unknowns=True)
