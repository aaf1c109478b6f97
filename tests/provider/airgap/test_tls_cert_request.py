"""CertRequest: what it holds, how it is encoded, what replaces it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.provider.airgap.harness import UNKNOWN, Failed, Live, Plugin, Refused, Secret
from tests.provider.airgap.tls_samples import KEY, REQUEST, Samples, made, openssl


@pytest.fixture(scope="module")
def samples() -> Iterator[Samples]:
    plugin = Plugin("tls")
    yield Samples(plugin)
    plugin.stop()


@pytest.fixture
def request_(samples: Samples) -> Live:
    return Live(samples.plugin, REQUEST, "request")


def test_a_request_holds_names_and_is_signed(samples: Samples, request_: Live) -> None:
    assert request_.up(samples.request_inputs) == "create"
    parsed = x509.load_pem_x509_csr(request_.state["certRequestPem"].encode())
    assert parsed.is_signature_valid
    assert parsed.subject.rfc4514_string() == "CN=member-0"
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["member-0", "localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert request_.state["keyAlgorithm"] == "ED25519"
    assert isinstance(request_.state["privateKeyPem"], Secret)
    assert request_.id == hashlib.sha1(parsed.public_bytes(serialization.Encoding.DER).strip()).hexdigest()
    openssl("req", "-verify", "-noout", given=request_.state["certRequestPem"])


def test_a_subject_is_encoded_as_go_does(samples: Samples, request_: Live) -> None:
    subject = {
        "commonName": "a*b",
        "organization": "Größe",
        "organizationalUnit": "unit",
        "country": "DE",
        "province": "BE",
        "locality": "Berlin",
        "postalCode": "10115",
        "serialNumber": "7",
        "streetAddresses": ["1 Way"],
        "emailAddress": "a@example.com",
    }
    request_.up({**samples.request_inputs, "subject": subject})
    printed = openssl("asn1parse", given=request_.state["certRequestPem"])
    kinds = {}
    for line in printed.splitlines():
        if "STRING" in line and "prim" in line and ":" in line.split("prim:")[1]:
            kind, _, text = line.split("prim:")[1].partition(":")
            kinds[text.strip()] = kind.strip()
    assert kinds["a*b"] == "UTF8STRING"
    assert kinds["unit"] == kinds["DE"] == kinds["10115"] == kinds["7"] == "PRINTABLESTRING"
    assert kinds["a@example.com"] == "IA5STRING"
    parsed = x509.load_pem_x509_csr(request_.state["certRequestPem"].encode())
    order = [attribute.oid._name for attribute in parsed.subject]
    assert order == [
        "countryName",
        "stateOrProvinceName",
        "localityName",
        "streetAddress",
        "postalCode",
        "organizationName",
        "organizationalUnitName",
        "commonName",
        "serialNumber",
        "emailAddress",
    ]


def test_a_request_without_names_is_one(samples: Samples, request_: Live) -> None:
    request_.up({"privateKeyPem": samples.server_key})
    parsed = x509.load_pem_x509_csr(request_.state["certRequestPem"].encode())
    assert not list(parsed.subject)
    assert not list(parsed.extensions)


@pytest.mark.parametrize(
    ("algorithm", "curve", "hashed"),
    [("RSA", "P224", "sha256"), ("ECDSA", "P224", "sha256"), ("ECDSA", "P384", "sha384"), ("ECDSA", "P521", "sha512")],
)
def test_the_hash_follows_the_key(samples: Samples, request_: Live, algorithm: str, curve: str, hashed: str) -> None:
    key = made(samples.plugin, KEY, "k", {"algorithm": algorithm, "ecdsaCurve": curve})
    for form in ("privateKeyPem", "privateKeyPemPkcs8"):
        request_.up({"privateKeyPem": key[form]})
        parsed = x509.load_pem_x509_csr(request_.state["certRequestPem"].encode())
        assert parsed.signature_hash_algorithm is not None
        assert parsed.signature_hash_algorithm.name == hashed
        assert request_.state["keyAlgorithm"] == algorithm


CHANGES: dict[str, dict[str, Any]] = {
    "dnsNames": {"dnsNames": ["member-0"]},
    "ipAddresses": {"ipAddresses": None},
    "uris": {"uris": ["spiffe://pipe/member"]},
    "subject": {"subject": {"commonName": "member-1"}},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_every_change_makes_a_new_request(samples: Samples, request_: Live, change: dict[str, Any]) -> None:
    inputs = samples.request_inputs
    request_.up(inputs)
    assert request_.up(inputs) == "same"
    assert request_.refresh() == "same"
    assert request_.diff({**inputs, **change}).replaces == list(change)
    assert request_.up({**inputs, **change}) == "replace"


def test_a_new_key_makes_a_new_request_also_before_it_is_known(samples: Samples, request_: Live) -> None:
    request_.up(samples.request_inputs)
    for key in (samples.ca_key, UNKNOWN):
        assert request_.diff({**samples.request_inputs, "privateKeyPem": key}).replaces == ["privateKeyPem"]


def test_a_key_that_an_early_version_stored_as_a_hash_is_taken_over(samples: Samples, request_: Live) -> None:
    request_.up(samples.request_inputs)
    request_.state["privateKeyPem"] = "4e1243bd22c66e76c2ba9eddc1f91394e57f9f83"
    assert request_.up(samples.request_inputs) == "update"
    assert request_.state["privateKeyPem"] == Secret(samples.server_key)


@pytest.mark.parametrize(
    ("change", "failures"),
    [
        (
            {"dnsNames": ["ok", "größe"]},
            {"dnsNames[1]": "must be ASCII and not empty; write international names in punycode"},
        ),
        ({"ipAddresses": ["10.0.0.0/8"]}, {"ipAddresses[0]": "must be an IPv4 or IPv6 address"}),
        ({"subject": {"country": "Germany"}}, {"subject.country": "must be a country code of two letters"}),
        (
            {"subject": {"comonName": "x"}},
            {"subject.comonName": "is not a property of this resource; did you mean 'commonName'?"},
        ),
    ],
)
def test_what_can_not_be_is_refused(
    samples: Samples, request_: Live, change: dict[str, Any], failures: dict[str, str]
) -> None:
    with pytest.raises(Refused) as caught:
        request_.check({**samples.request_inputs, **change})
    assert caught.value.failures == failures


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        ("nothing", "privateKeyPem holds no PEM block, not a private key"),
        (
            "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
            "privateKeyPem holds a PEM block of type CERTIFICATE, not a private key",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n", "privateKeyPem can't be read"),
    ],
)
def test_what_is_no_key_is_named_but_not_shown(request_: Live, pem: str, message: str) -> None:
    with pytest.raises(Failed) as caught:
        request_.up({"privateKeyPem": pem})
    assert str(caught.value).startswith(message)
    assert "MA==" not in str(caught.value)
