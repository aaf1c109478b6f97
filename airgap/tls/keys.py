"""Private and public keys in the notations of the official provider (pure)."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any, TypeAlias

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from airgap.base import Properties, ProviderError

Private: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P224": ec.SECP224R1,
    "P256": ec.SECP256R1,
    "P384": ec.SECP384R1,
    "P521": ec.SECP521R1,
}
ALGORITHMS = ("RSA", "ECDSA", "ED25519")
LEAST_RSA_BITS = 1024

_PEM_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
_PEM_LINE = 64
_PEM = re.compile(r"-----BEGIN ([A-Za-z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)


def generate(algorithm: str, rsa_bits: int, curve: str) -> Private:
    """A new key; `rsa_bits` and `curve` matter to their own algorithm only."""
    if algorithm == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
    if algorithm == "ECDSA":
        return ec.generate_private_key(CURVES[curve]())
    return ed25519.Ed25519PrivateKey.generate()


def pem_label(text: str) -> str | None:
    """The label of the first PEM block, or None."""
    found = _PEM.search(text)
    return found[1] if found else None


def parse(text: str, what: str) -> Private:
    """The private key in a PEM text; raises ProviderError that calls the input `what`, and never shows it."""
    label = pem_label(text)
    if label not in _PEM_LABELS:
        found = f"a PEM block of type {label}" if label else "no PEM block"
        raise ProviderError(f"{what} holds {found}, not a private key", f"it must be one of {', '.join(_PEM_LABELS)}")
    try:
        key = serialization.load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError) as error:
        raise ProviderError(f"{what} can't be read: {_first_line(error)}", "give an unencrypted private key") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise ProviderError(f"{what} is a key of an unsupported kind", f"use one of {', '.join(ALGORITHMS)}")
    return key


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__


def algorithm_of(key: Private) -> str:
    """The algorithm as the official provider calls it."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "ED25519"


def signature_hash(key: Private) -> Any:
    """The hash that Go chooses for a signature by this key; None where the algorithm has its own."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    size = key.curve.key_size if isinstance(key, ec.EllipticCurvePrivateKey) else 256
    return {384: hashes.SHA384(), 521: hashes.SHA512()}.get(size, hashes.SHA256())


def key_id(public: Any) -> bytes:
    """The key identifier (RFC 5280, 4.2.1.2), computed as the official provider does."""
    if isinstance(public, rsa.RSAPublicKey):
        material = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        material = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    else:
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        material = bytes([0x04, len(raw)]) + raw  # the official provider hashes the key as an ASN.1 octet string
    return hashlib.sha1(material, usedforsecurity=False).digest()


def state_id(der: bytes) -> str:
    """The id that the official provider gives a key or a request."""
    return hashlib.sha1(der.strip(), usedforsecurity=False).hexdigest()


def notations(key: Private) -> Properties:
    """All outputs of a private key."""
    private, public = serialization.PrivateFormat, key.public_key()
    traditional = private.PKCS8 if isinstance(key, ed25519.Ed25519PrivateKey) else private.TraditionalOpenSSL
    return {
        "privateKeyPem": _private_pem(key, traditional),
        "privateKeyPemPkcs8": _private_pem(key, private.PKCS8),
        "privateKeyOpenssh": _private_openssh(key),
        "publicKeyPem": public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode(),
        **_public_openssh(public),
    }


def public_der(key: Private) -> bytes:
    """The public key as SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _private_pem(key: Private, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _has_openssh(public: Any) -> bool:
    """OpenSSH knows no P-224."""
    return not (isinstance(public, ec.EllipticCurvePublicKey) and public.curve.key_size == 224)


def _private_openssh(key: Private) -> str:
    if not _has_openssh(key.public_key()):
        return ""
    lines = _private_pem(key, serialization.PrivateFormat.OpenSSH).splitlines()
    body = "".join(lines[1:-1])
    wrapped = [body[start : start + _PEM_LINE] for start in range(0, len(body), _PEM_LINE)]
    return "\n".join([lines[0], *wrapped, lines[-1], ""])


def _public_openssh(public: Any) -> Properties:
    if not _has_openssh(public):
        return {"publicKeyOpenssh": "", "publicKeyFingerprintMd5": "", "publicKeyFingerprintSha256": ""}
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    blob = base64.b64decode(line.split()[1])
    sha256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return {
        "publicKeyOpenssh": line + "\n",
        "publicKeyFingerprintMd5": hashlib.md5(blob, usedforsecurity=False).digest().hex(":"),
        "publicKeyFingerprintSha256": f"SHA256:{sha256}",
    }
