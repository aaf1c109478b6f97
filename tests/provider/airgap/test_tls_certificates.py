"""SelfSignedCert and LocallySignedCert: the chain, its extensions, and what replaces a certificate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.provider.airgap.harness import UNKNOWN, Failed, Live, Plugin, Refused, Secret
from tests.provider.airgap.tls_samples import (
    KEY,
    LOCALLY_SIGNED,
    REQUEST,
    SELF_SIGNED,
    Samples,
    certificate,
    extension,
    made,
    openssl,
    verified,
)


@pytest.fixture(scope="module")
def samples() -> Iterator[Samples]:
    plugin = Plugin("tls")
    yield Samples(plugin)
    plugin.stop()


@pytest.fixture
def own(samples: Samples) -> Live:
    return Live(samples.plugin, SELF_SIGNED, "ca")


@pytest.fixture
def signed(samples: Samples) -> Live:
    return Live(samples.plugin, LOCALLY_SIGNED, "server")


def test_an_authority_signs_itself(samples: Samples, own: Live, tmp_path: Path) -> None:
    assert own.up(samples.ca_inputs) == "create"
    pem = own.state["certPem"]
    parsed = certificate(pem)
    assert parsed.subject == parsed.issuer
    assert parsed.subject.rfc4514_string() == "CN=pipe test,O=pipe"
    assert str(parsed.serial_number) == own.id
    basic = parsed.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, None)
    usage = parsed.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.key_encipherment
    assert extension(pem, x509.SubjectKeyIdentifier) == x509.SubjectKeyIdentifier.from_public_key(parsed.public_key())
    assert extension(pem, x509.AuthorityKeyIdentifier) is None
    assert own.state["keyAlgorithm"] == "ECDSA"
    assert isinstance(own.state["privateKeyPem"], Secret)
    assert verified(tmp_path, pem, pem)


def test_a_chain_holds(samples: Samples, signed: Live, tmp_path: Path) -> None:
    assert signed.up(samples.server_inputs) == "create"
    pem = signed.state["certPem"]
    parsed = certificate(pem)
    parsed.verify_directly_issued_by(certificate(samples.ca))
    assert verified(tmp_path, samples.ca, pem, "-verify_hostname", "member-0", "-purpose", "sslserver")
    assert verified(tmp_path, samples.ca, pem, "-verify_ip", "127.0.0.1", "-purpose", "sslclient")
    assert extension(pem, x509.BasicConstraints) == x509.BasicConstraints(False, None)
    authority = extension(samples.ca, x509.SubjectKeyIdentifier)
    assert extension(pem, x509.AuthorityKeyIdentifier).key_identifier == authority.digest
    assert extension(pem, x509.SubjectKeyIdentifier) is None
    assert [item._name for item in extension(pem, x509.ExtendedKeyUsage)] == ["serverAuth", "clientAuth"]
    assert signed.state["caKeyAlgorithm"] == "ECDSA"
    assert str(parsed.serial_number) == signed.id
    assert {name for name, value in signed.state.items() if isinstance(value, Secret)} == {"caPrivateKeyPem"}


def test_validity_is_rfc_3339_and_what_the_certificate_says(samples: Samples, signed: Live) -> None:
    signed.up(samples.server_inputs)
    parsed = certificate(signed.state["certPem"])
    start = datetime.fromisoformat(signed.state["validityStartTime"])
    end = datetime.fromisoformat(signed.state["validityEndTime"])
    assert end - start == timedelta(hours=48)
    assert abs(start - datetime.now().astimezone()) < timedelta(minutes=1)
    assert parsed.not_valid_before_utc == start.replace(microsecond=0)
    assert parsed.not_valid_after_utc == end.replace(microsecond=0)
    assert signed.state["readyForRenewal"] is False


def test_an_intermediate_authority_has_a_path_length(samples: Samples, tmp_path: Path) -> None:
    key = made(samples.plugin, KEY, "middle", {"algorithm": "RSA"})["privateKeyPem"]
    request = {"privateKeyPem": key, "subject": {"commonName": "middle", "emailAddress": "a@example.com"}}
    asked = made(samples.plugin, REQUEST, "middle", request)["certRequestPem"]
    middle_inputs = {
        **samples.server_inputs,
        "certRequestPem": asked,
        "isCaCertificate": True,
        "maxPathLength": 1,
        "allowedUses": ["cert_signing"],
    }
    middle = made(samples.plugin, LOCALLY_SIGNED, "middle", middle_inputs)["certPem"]
    assert extension(middle, x509.BasicConstraints) == x509.BasicConstraints(True, 1)
    assert certificate(middle).subject.rfc4514_string() == "CN=middle"
    leaf_inputs = {**samples.server_inputs, "caCertPem": middle, "caPrivateKeyPem": key}
    leaf = made(samples.plugin, LOCALLY_SIGNED, "leaf", leaf_inputs)["certPem"]
    (tmp_path / "middle.pem").write_text(middle)
    assert verified(tmp_path, samples.ca, leaf, "-untrusted", str(tmp_path / "middle.pem"))


@pytest.mark.parametrize("algorithm", ["RSA", "ECDSA", "ED25519"])
def test_a_key_identifier_is_gos(samples: Samples, own: Live, algorithm: str) -> None:
    key = made(samples.plugin, KEY, "k", {"algorithm": algorithm, "ecdsaCurve": "P521"})["privateKeyPem"]
    inputs = {**samples.ca_inputs, "privateKeyPem": key, "isCaCertificate": False}
    own.up({**inputs, "setSubjectKeyId": True, "setAuthorityKeyId": True})
    pem = own.state["certPem"]
    found = extension(pem, x509.SubjectKeyIdentifier).digest
    assert extension(pem, x509.AuthorityKeyIdentifier).key_identifier == found
    public = certificate(pem).public_key()
    standard = x509.SubjectKeyIdentifier.from_public_key(public).digest
    assert (found == standard) == (algorithm != "ED25519")
    assert len(found) == 20
    assert openssl("x509", "-noout", "-subject", given=pem)


def test_names_without_a_subject_are_critical(samples: Samples, own: Live) -> None:
    inputs = {**samples.ca_inputs, "isCaCertificate": False, "subject": None, "dnsNames": ["a"], "uris": ["spiffe://x"]}
    own.up(inputs)
    names = certificate(own.state["certPem"]).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert [name.value for name in names.value] == ["a", "spiffe://x"]


def test_every_usage_has_its_code(samples: Samples, own: Live) -> None:
    from airgap.tls.usages import NAMES

    own.up({**samples.ca_inputs, "allowedUses": list(NAMES)})
    usage = extension(own.state["certPem"], x509.KeyUsage)
    assert all(getattr(usage, bit) for bit in ("content_commitment", "decipher_only", "data_encipherment"))
    assert len(list(extension(own.state["certPem"], x509.ExtendedKeyUsage))) == 14


REPLACING: dict[str, dict[str, Any]] = {
    "validityPeriodHours": {"validityPeriodHours": 49},
    "allowedUses": {"allowedUses": ["server_auth"]},
    "isCaCertificate": {"isCaCertificate": True},
    "setSubjectKeyId": {"setSubjectKeyId": True},
    "maxPathLength": {"maxPathLength": 3},
    "certRequestPem": {"certRequestPem": UNKNOWN},
    "caPrivateKeyPem": {"caPrivateKeyPem": UNKNOWN},
    "caCertPem": {"caCertPem": UNKNOWN},
}


@pytest.mark.parametrize("change", REPLACING.values(), ids=list(REPLACING))
def test_a_change_makes_a_new_certificate(samples: Samples, signed: Live, change: dict[str, Any]) -> None:
    signed.up(samples.server_inputs)
    assert signed.up(samples.server_inputs) == "same"
    assert signed.refresh() == "same"
    diff = signed.diff({**samples.server_inputs, **change})
    assert diff.replaces == list(change)
    assert not diff.delete_before_replace
    if UNKNOWN not in change.values():
        before = signed.id
        assert signed.up({**samples.server_inputs, **change}) == "replace"
        assert signed.id != before


def test_a_change_of_names_makes_a_new_self_signed_certificate(samples: Samples, own: Live) -> None:
    own.up(samples.ca_inputs)
    for change in ({"dnsNames": ["a"]}, {"ipAddresses": ["::1"]}, {"setAuthorityKeyId": True}):
        assert own.diff({**samples.ca_inputs, **change}).replaces == list(change)
    renamed = {**samples.ca_inputs, "subject": {"commonName": "other", "organization": "pipe"}}
    assert own.diff(renamed).changes == {"subject.commonName": "UPDATE_REPLACE"}


@pytest.mark.parametrize(
    ("change", "failures"),
    [
        ({"validityPeriodHours": -1}, {"validityPeriodHours": "must be at least 0"}),
        ({"earlyRenewalHours": -1}, {"earlyRenewalHours": "must be at least 0"}),
        ({"maxPathLength": -2}, {"maxPathLength": "must be at least -1"}),
        (
            {"allowedUses": ["encipher_only"]},
            {"allowedUses": "encipher_only and decipher_only need key_agreement"},
        ),
        (
            {"subject": {}, "isCaCertificate": True},
            {"subject": "must have at least one name when isCaCertificate is true"},
        ),
        (
            {"setAuthorityKeyId": True, "isCaCertificate": False},
            {"setAuthorityKeyId": "needs setSubjectKeyId or isCaCertificate"},
        ),
    ],
)
def test_what_can_not_be_is_refused(
    samples: Samples, own: Live, change: dict[str, Any], failures: dict[str, str]
) -> None:
    with pytest.raises(Refused) as caught:
        own.check({**samples.ca_inputs, **change})
    assert caught.value.failures == failures


def test_an_unknown_use_lists_those_that_are(samples: Samples, own: Live) -> None:
    with pytest.raises(Refused) as caught:
        own.check({**samples.ca_inputs, "allowedUses": ["cert_signing", "serverAuth"]})
    (reason,) = caught.value.failures.values()
    assert list(caught.value.failures) == ["allowedUses[1]"]
    assert reason.startswith("must be one of any_extended, cert_signing, client_auth")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("certRequestPem", "x", "certRequestPem holds no PEM block, not a certificate request"),
        ("caCertPem", "request", "caCertPem holds a PEM block of type CERTIFICATE REQUEST, not a certificate"),
        ("caPrivateKeyPem", "server key", "caPrivateKeyPem is not the key of caCertPem"),
    ],
)
def test_what_does_not_fit_is_named(samples: Samples, signed: Live, name: str, value: str, message: str) -> None:
    given = {"request": samples.request, "server key": samples.server_key}.get(value, value)
    with pytest.raises(Failed) as caught:
        signed.up({**samples.server_inputs, name: given})
    assert str(caught.value).startswith(message)


def test_an_issuer_that_is_no_authority_is_warned_of(samples: Samples, signed: Live) -> None:
    issuer = {**samples.ca_inputs, "isCaCertificate": False}
    leaf = made(samples.plugin, SELF_SIGNED, "leaf", issuer)["certPem"]
    signed.up({**samples.server_inputs, "caCertPem": leaf})
    warning = "caCertPem is not the certificate of an authority: clients may refuse what it signs"
    assert ("server", warning) in samples.plugin.engine.lines


@pytest.mark.parametrize("token", [SELF_SIGNED, LOCALLY_SIGNED, REQUEST])
def test_a_certificate_can_not_be_imported(samples: Samples, token: str) -> None:
    with pytest.raises(Failed, match="can't be imported"):
        Live(samples.plugin, token, "x").adopt("1")


def test_the_request_names_the_key_of_the_certificate(samples: Samples, signed: Live) -> None:
    signed.up(samples.server_inputs)
    asked = x509.load_pem_x509_csr(samples.request.encode()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    got = certificate(signed.state["certPem"]).public_key()
    assert got.public_bytes(serialization.Encoding.DER, form) == asked.public_bytes(serialization.Encoding.DER, form)
