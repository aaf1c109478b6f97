"""Configuration and certificates for the floor: what Pulumi would put into the containers, laid out as files.

    python -m bench.materials DIRECTORY STACK PORT_BASE

One directory for each container. None of this is part of the measured time: the floor is to be as low as it can be.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra.cluster.config import Logins, bootstrap_sql, bootstrap_yml, etcd_yml, haproxy_cfg, member_hosts, patroni_yml
from infra.credentials import scram_verifier
from infra.settings import Settings, load

VALIDITY = timedelta(days=1)


def main(directory: Path, stack: str, port_base: int) -> None:
    """Writes the files of all containers below `directory`."""
    settings = load(stack, {"environment": "test", "network": {"port_base": port_base}})
    for container, files in layout(settings).items():
        folder = directory / container
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)


def layout(settings: Settings) -> dict[str, dict[str, str]]:
    """Container -> file name -> content."""
    authority = Authority()
    members = member_hosts(settings.database.replicas)
    logins = Logins("replicator", "rewind", scram_verifier("provisioner", b"0123456789abcdef"))
    etcd = {"etcd.yml": etcd_yml("etcd-0", ["etcd-0"], settings.stack), **authority.issue("etcd-0")}
    # Nothing is in a repository yet, so a replica is copied from the primary straight away.
    patroni = {
        member: {
            "patroni.yml": patroni_yml(settings, member, ["etcd-0"], logins).replace('"pgbackrest",', "", 1),
            "bootstrap.yml": bootstrap_yml(settings),
            "bootstrap.sql": bootstrap_sql(logins),
            **authority.issue(member),
        }
        for member in members
    }
    proxy = {"haproxy.cfg": haproxy_cfg(settings, members), "ca.pem": authority.pem}
    return {"etcd-0": etcd, **patroni, "proxy": proxy}


class Authority:
    """A certificate authority for one run."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "floor")])
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = _pem(self._certificate)

    def issue(self, host: str) -> dict[str, str]:
        """The files of one host: ca.pem, cert.pem and key.pem."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(host), x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {"ca.pem": self.pem, "cert.pem": _pem(certificate), "key.pem": private.decode()}

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + VALIDITY)
        )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
