"""The names of what a certificate may be used for, and their encoding (pure)."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

# The official provider's name -> that of RFC 5280's bit in the cryptography package.
KEY_USAGES = {
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
    "encipher_only": "encipher_only",
    "decipher_only": "decipher_only",
}
EXTENDED_KEY_USAGES = {
    "any_extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec_end_system": ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec_tunnel": ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec_user": ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft_server_gated_crypto": ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape_server_gated_crypto": ObjectIdentifier("2.16.840.1.113730.4.1"),
    "microsoft_commercial_code_signing": ObjectIdentifier("1.3.6.1.4.1.311.2.1.22"),
    "microsoft_kernel_code_signing": ObjectIdentifier("1.3.6.1.4.1.311.61.1.1"),
}
NAMES = tuple(sorted({**KEY_USAGES, **EXTENDED_KEY_USAGES}))


def key_usage(allowed: list[str]) -> x509.KeyUsage | None:
    """The key usage extension, or None when no bit is set."""
    chosen = {KEY_USAGES[name] for name in allowed if name in KEY_USAGES}
    if not chosen:
        return None
    return x509.KeyUsage(**{bit: bit in chosen for bit in KEY_USAGES.values()})


def extended_key_usage(allowed: list[str]) -> x509.ExtendedKeyUsage | None:
    """The extended key usage extension in the order given, or None when there is none."""
    chosen = [EXTENDED_KEY_USAGES[name] for name in allowed if name in EXTENDED_KEY_USAGES]
    return x509.ExtendedKeyUsage(chosen) if chosen else None
