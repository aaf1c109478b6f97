"""What the tests of the tls stand-in share: an authority, a request, and questions to `cryptography` and `openssl`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509 import ExtensionType

from tests.provider.airgap.harness import Live, Plugin, bare

KEY = "tls:index/privateKey:PrivateKey"
REQUEST = "tls:index/certRequest:CertRequest"
SELF_SIGNED = "tls:index/selfSignedCert:SelfSignedCert"
LOCALLY_SIGNED = "tls:index/locallySignedCert:LocallySignedCert"

CA_USES = ["cert_signing", "crl_signing", "digital_signature"]
SERVER_USES = ["digital_signature", "key_encipherment", "server_auth", "client_auth"]


def made(plugin: Plugin, token: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs of a new resource, without secret marks."""
    live = Live(plugin, token, name)
    assert live.up(inputs) == "create"
    return dict(bare(live.state))


@dataclass
class Samples:
    """An authority and a server's request, made by the stand-in itself."""

    plugin: Plugin

    @cached_property
    def ca_key(self) -> str:
        return str(made(self.plugin, KEY, "ca", {"algorithm": "ECDSA", "ecdsaCurve": "P256"})["privateKeyPem"])

    @cached_property
    def ca_inputs(self) -> dict[str, Any]:
        return {
            "privateKeyPem": self.ca_key,
            "subject": {"commonName": "pipe test", "organization": "pipe"},
            "isCaCertificate": True,
            "allowedUses": CA_USES,
            "validityPeriodHours": 24 * 365,
        }

    @cached_property
    def ca(self) -> str:
        return str(made(self.plugin, SELF_SIGNED, "ca", self.ca_inputs)["certPem"])

    @cached_property
    def server_key(self) -> str:
        return str(made(self.plugin, KEY, "server", {"algorithm": "ED25519"})["privateKeyPem"])

    @cached_property
    def request_inputs(self) -> dict[str, Any]:
        return {
            "privateKeyPem": self.server_key,
            "subject": {"commonName": "member-0"},
            "dnsNames": ["member-0", "localhost"],
            "ipAddresses": ["127.0.0.1", "::1"],
        }

    @cached_property
    def request(self) -> str:
        return str(made(self.plugin, REQUEST, "server", self.request_inputs)["certRequestPem"])

    @cached_property
    def server_inputs(self) -> dict[str, Any]:
        return {
            "certRequestPem": self.request,
            "caPrivateKeyPem": self.ca_key,
            "caCertPem": self.ca,
            "allowedUses": SERVER_USES,
            "validityPeriodHours": 48,
        }


def certificate(pem: str) -> x509.Certificate:
    """The parsed certificate."""
    return x509.load_pem_x509_certificate(pem.encode())


def extension(pem: str, kind: type[ExtensionType]) -> Any:
    """An extension's value, or None."""
    try:
        return certificate(pem).extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def openssl(*arguments: str, given: str = "") -> str:
    """What openssl prints; an error fails the test."""
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def verified(folder: Path, ca: str, leaf: str, *options: str) -> bool:
    """Whether openssl accepts the chain, and strictly."""
    (folder / "ca.pem").write_text(ca)
    (folder / "leaf.pem").write_text(leaf)
    printed = openssl("verify", "-x509_strict", *options, "-CAfile", str(folder / "ca.pem"), str(folder / "leaf.pem"))
    return printed.strip().endswith(": OK")
