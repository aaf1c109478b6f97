"""The bytes are those that Go's crypto/x509, which the official provider uses, gives for the same names and times.

`tests/fixtures/tls` holds an Ed25519 key, and the request and the certificate that Go 1.26 made with it: Ed25519
signatures are the same each time.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509

from airgap.base import Context
from airgap.base.schema import Schema
from airgap.tls.cert_request import CertRequest
from airgap.tls.self_signed_cert import SelfSignedCert
from airgap.tls.validity import Moment

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "tls"
NO_CONTEXT = cast(Context, None)  # neither resource has anything to say
ADDRESSES = ["127.0.0.1", "::1"]


@pytest.fixture
def key() -> str:
    return (FIXTURES / "key.pem").read_text()


def test_a_request_is_gos(key: str) -> None:
    subject: dict[str, Any] = {
        "commonName": "a*b",
        "organization": "Größe",
        "organizationalUnit": "unit",
        "country": "DE",
        "province": "BE",
        "locality": "Berlin",
        "postalCode": "10115",
        "serialNumber": "7",
        "streetAddresses": ["2 Way", "1 Way"],
        "emailAddress": "a@example.com",
    }
    names = {"dnsNames": ["member-0"], "ipAddresses": ADDRESSES, "uris": ["spiffe://x/y"]}
    resource = CertRequest(Schema.load("tls").resource("tls:index/certRequest:CertRequest"))
    created = resource.create(NO_CONTEXT, {"privateKeyPem": key, "subject": subject, **names})
    assert created.state["certRequestPem"] == (FIXTURES / "request.pem").read_text()


def test_a_certificate_is_gos(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = (FIXTURES / "certificate.pem").read_text()
    parsed = x509.load_pem_x509_certificate(expected.encode())
    start = Moment(parsed.not_valid_before_utc.astimezone(UTC), 0)
    monkeypatch.setattr(Moment, "now", lambda: start)
    monkeypatch.setattr("airgap.tls.certificate.secrets.randbelow", lambda _: parsed.serial_number - 1)
    resource = SelfSignedCert(Schema.load("tls").resource("tls:index/selfSignedCert:SelfSignedCert"))
    inputs = {
        "privateKeyPem": key,
        "subject": {"commonName": "pipe test", "organization": "pipe"},
        "dnsNames": ["a"],
        "ipAddresses": ADDRESSES,
        "isCaCertificate": True,
        "maxPathLength": 2,
        "setAuthorityKeyId": True,
        "setSubjectKeyId": True,
        "earlyRenewalHours": 0,
        "validityPeriodHours": 8760,
        "allowedUses": ["cert_signing", "crl_signing", "digital_signature", "server_auth", "ipsec_user"],
    }
    created = resource.create(NO_CONTEXT, inputs)
    assert created.state["certPem"] == expected
    assert created.id == str(parsed.serial_number)
