"""LocallySignedCert: a certificate for a request, signed by an authority whose key is at hand."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from airgap.base import Context, Created, Properties, ProviderError
from airgap.tls import keys
from airgap.tls.certificate import Certificate, Holder, Issuer, issue


class LocallySignedCert(Certificate):
    """A certificate whose subject and names come from a request."""

    pem_inputs = frozenset({"caCertPem", "caPrivateKeyPem", "certRequestPem"})

    def create(self, context: Context, inputs: Properties) -> Created:
        """Signs the certificate; warns, as the official provider does, when the authority is none."""
        request = _request(inputs["certRequestPem"])
        key = keys.parse(inputs["caPrivateKeyPem"], "caPrivateKeyPem")
        authority = _certificate(inputs["caCertPem"])
        if _public_bytes(authority.public_key()) != _public_bytes(key.public_key()):
            raise ProviderError("caPrivateKeyPem is not the key of caCertPem", "give the two of the same authority")
        if not _is_authority(authority):
            context.warning("caCertPem is not the certificate of an authority: clients may refuse what it signs")
        if inputs["isCaCertificate"] and not list(_subject(request)):
            raise ProviderError("the subject of certRequestPem is empty", "an authority needs at least one name")
        holder = Holder(_subject(request), _alternatives(request), request.public_key())
        # Go refers to the issuer's key unless the names of both are the same.
        key_id = _key_id(authority) if authority.subject != holder.subject else None
        created = issue(inputs, holder, Issuer(authority.subject, key, key_id))
        return Created(created.id, {**created.state, "caKeyAlgorithm": keys.algorithm_of(key)})


def _request(text: str) -> x509.CertificateSigningRequest:
    _expect(text, "CERTIFICATE REQUEST", "certRequestPem")
    try:
        return x509.load_pem_x509_csr(text.encode())
    except ValueError as error:
        raise ProviderError(
            f"certRequestPem can't be read: {error}", "give the certRequestPem of a CertRequest"
        ) from None


def _certificate(text: str) -> x509.Certificate:
    _expect(text, "CERTIFICATE", "caCertPem")
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError as error:
        raise ProviderError(f"caCertPem can't be read: {error}", "give the certPem of the authority") from None


def _expect(text: str, label: str, what: str) -> None:
    found = keys.pem_label(text)
    if found != label:
        held = f"a PEM block of type {found}" if found else "no PEM block"
        raise ProviderError(f"{what} holds {held}, not a {label.lower()}")


def _public_bytes(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined, no-any-return]


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _key_id(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _subject(request: x509.CertificateSigningRequest) -> x509.Name:
    """The request's subject without its e-mail address, which Go does not take over."""
    return x509.Name([part for part in request.subject.rdns if not part.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)])


def _alternatives(request: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    try:
        return request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
