"""CertRequest: asks an authority for a certificate."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from airgap.base import Change, Context, Created, Failure, Properties
from airgap.base.immutable import Immutable
from airgap.tls import keys, names


class CertRequest(Immutable):
    """A request (PKCS #10) signed by the key that the certificate will belong to."""

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        """The names can be encoded."""
        return list(names.wrong_names(inputs))

    def replaces(self, change: Change, state: Properties) -> bool:
        """States of early versions hold a hash of the key, which is taken over."""
        return change.root != "privateKeyPem" or keys.pem_label(state.get("privateKeyPem", "")) is not None

    def create(self, context: Context, inputs: Properties) -> Created:
        """Builds and signs the request."""
        key = keys.parse(inputs["privateKeyPem"], "privateKeyPem")
        builder = x509.CertificateSigningRequestBuilder().subject_name(names.subject(inputs.get("subject")))
        alternatives = names.alternative_names(inputs)
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        request = builder.sign(key, keys.signature_hash(key))
        state = {
            "certRequestPem": request.public_bytes(serialization.Encoding.PEM).decode(),
            "keyAlgorithm": keys.algorithm_of(key),
        }
        return Created(keys.state_id(request.public_bytes(serialization.Encoding.DER)), state)
