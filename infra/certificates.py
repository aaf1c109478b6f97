"""The stack's certificate authority and the certificates of its servers and of its operator.

Every certificate serves both sides: the same one answers clients and proves a member to etcd or to the repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pulumi
import pulumi_tls as tls

from infra.naming import Names
from infra.settings import Settings

HOURS_A_DAY = 24
ALGORITHM, CURVE = "ECDSA", "P256"


@dataclass(frozen=True)
class KeyPair:
    """A certificate with its private key (secret), both PEM, and the authority that signed it."""

    certificate: pulumi.Output[str]
    key: pulumi.Output[str]
    authority: pulumi.Output[str]


@dataclass(frozen=True)
class CertificatesArgs:
    """How long certificates hold, and under which names clients outside reach the stack."""

    names: Names
    settings: Settings


@dataclass(frozen=True)
class Ends:
    """Until when certificates hold, in UTC: the authority's, the first of all others, and from when that is renewed."""

    authority: datetime
    first: datetime
    renewal: datetime


def ends(authority: str, others: Sequence[str], renew_before_days: int) -> Ends:
    """Return when certificates end, given the end of each as the provider `tls` writes it."""
    first = min(_moment(text) for text in others)
    return Ends(_moment(authority), first, first - timedelta(days=renew_before_days))


class Certificates(pulumi.ComponentResource):
    """Creates the authority; :meth:`issue` signs one certificate. An `up` in the renewal window renews."""

    ca_certificate: pulumi.Output[str]
    ca_file: pulumi.Output[str]
    """Path of the authority's certificate below the project's directory, for programs that only take a file."""

    def __init__(self, name: str, args: CertificatesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:index:Certificates", name, None, opts)
        self._name, self._args = name, args
        self._ca_key = self._private_key("ca")
        authority = tls.SelfSignedCert(
            f"{name}-ca",
            private_key_pem=self._ca_key.private_key_pem,
            is_ca_certificate=True,
            set_subject_key_id=True,
            allowed_uses=["cert_signing", "crl_signing"],
            validity_period_hours=args.settings.certificates.ca_validity_days * HOURS_A_DAY,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"pipe {args.names.stack}", organization="pipe"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.ca_certificate = authority.cert_pem
        self._authority_end = authority.validity_end_time
        self._other_ends: list[pulumi.Output[str]] = []
        path = args.names.ca_file
        self.ca_file = self.ca_certificate.apply(lambda pem: _write(path, pem))
        self.register_outputs({})

    def issue(self, common_name: str, aliases: Sequence[str] = (), *, for_clients: bool = False) -> KeyPair:
        """Sign a certificate for the host `common_name`, its `aliases` and localhost.

        With `for_clients` it holds for the addresses that clients outside use as well.
        """
        network = self._args.settings.network
        outside = [*network.hostnames, network.bind_address] if for_clients else []
        addresses = [host for host in outside if _is_address(host)]
        key = self._private_key(common_name)
        request = tls.CertRequest(
            f"{self._name}-{common_name}",
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=common_name, organization="pipe"),
            dns_names=list(
                dict.fromkeys([common_name, *aliases, "localhost", *(h for h in outside if h not in addresses)])
            ),
            ip_addresses=list(dict.fromkeys(["127.0.0.1", "::1", *addresses])),
            opts=pulumi.ResourceOptions(parent=self),
        )
        settings = self._args.settings.certificates
        signed = tls.LocallySignedCert(
            f"{self._name}-{common_name}",
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=self._ca_key.private_key_pem,
            ca_cert_pem=self.ca_certificate,
            allowed_uses=["digital_signature", "server_auth", "client_auth"],
            set_subject_key_id=True,
            validity_period_hours=settings.validity_days * HOURS_A_DAY,
            early_renewal_hours=settings.renew_before_days * HOURS_A_DAY,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._other_ends.append(signed.validity_end_time)
        return KeyPair(signed.cert_pem, key.private_key_pem_pkcs8, self.ca_certificate)

    @property
    def ends(self) -> pulumi.Output[Ends]:
        """Until when the certificates hold that have been issued so far."""
        days = self._args.settings.certificates.renew_before_days
        return pulumi.Output.all(self._authority_end, *self._other_ends).apply(
            lambda known: ends(known[0], known[1:], days)
        )

    def _private_key(self, name: str) -> tls.PrivateKey:
        return tls.PrivateKey(
            f"{self._name}-{name}",
            algorithm=ALGORITHM,
            ecdsa_curve=CURVE,
            opts=pulumi.ResourceOptions(parent=self),
        )


def _moment(text: str) -> datetime:
    """Parse RFC 3339; Go writes nanoseconds, of which nobody needs any."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _write(path: str, pem: str) -> str:
    """Keep the file as the state has it; return `path`."""
    file = Path(path)
    if not file.exists() or file.read_text() != pem:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(pem)
    return path
