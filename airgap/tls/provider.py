"""Which resources the stand-in has; each module is imported when the first of its kind is used."""

from __future__ import annotations

from airgap.base.provider import ProviderSpec

SPEC = ProviderSpec(
    "tls",
    "5.6.2",
    {
        "tls:index/privateKey:PrivateKey": "airgap.tls.private_key:PrivateKey",
        "tls:index/certRequest:CertRequest": "airgap.tls.cert_request:CertRequest",
        "tls:index/selfSignedCert:SelfSignedCert": "airgap.tls.self_signed_cert:SelfSignedCert",
        "tls:index/locallySignedCert:LocallySignedCert": "airgap.tls.locally_signed_cert:LocallySignedCert",
    },
    unsupported_config={"proxy": "remove it; nothing here uses a network"},
)
