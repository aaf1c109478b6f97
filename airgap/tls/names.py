"""Subjects and alternative names, encoded as the official provider does (pure)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from airgap.base import Failure, Properties
from airgap.base.values import UNKNOWN

# In the order in which Go writes them.
_ATTRIBUTES = (
    ("country", NameOID.COUNTRY_NAME),
    ("province", NameOID.STATE_OR_PROVINCE_NAME),
    ("locality", NameOID.LOCALITY_NAME),
    ("streetAddresses", NameOID.STREET_ADDRESS),
    ("postalCode", NameOID.POSTAL_CODE),
    ("organization", NameOID.ORGANIZATION_NAME),
    ("organizationalUnit", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("commonName", NameOID.COMMON_NAME),
    ("serialNumber", NameOID.SERIAL_NUMBER),
    ("emailAddress", NameOID.EMAIL_ADDRESS),
)
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")


def subject(values: Properties | None) -> x509.Name:
    """The distinguished name; values that are empty are left out."""
    given = values or {}
    names = []
    for key, oid in _ATTRIBUTES:
        texts = given.get(key) or []
        attributes = [_attribute(oid, text) for text in ([texts] if isinstance(texts, str) else texts) if text]
        if attributes:
            names.append(x509.RelativeDistinguishedName(attributes))
    return x509.Name(names)


def _attribute(oid: x509.ObjectIdentifier, text: str) -> x509.NameAttribute[str]:
    if oid == NameOID.EMAIL_ADDRESS:
        return x509.NameAttribute(oid, text, _ASN1Type.IA5String)
    kind = _ASN1Type.PrintableString if _PRINTABLE.fullmatch(text) else _ASN1Type.UTF8String
    return x509.NameAttribute(oid, text, kind)


def alternative_names(inputs: Properties) -> x509.SubjectAlternativeName | None:
    """The alternative names in Go's order, or None when there are none."""
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in inputs.get("dnsNames") or []]
    names += [x509.IPAddress(ipaddress.ip_address(text)) for text in inputs.get("ipAddresses") or []]
    names += [x509.UniformResourceIdentifier(uri) for uri in inputs.get("uris") or []]
    return x509.SubjectAlternativeName(names) if names else None


def wrong_names(inputs: Properties) -> Iterator[Failure]:
    """The names that no certificate can hold."""
    for key in ("dnsNames", "uris"):
        for index, text in enumerate(_known_list(inputs.get(key))):
            if text is not UNKNOWN and (not text or not text.isascii()):
                yield Failure(f"{key}[{index}]", "must be ASCII and not empty; write international names in punycode")
    for index, text in enumerate(_known_list(inputs.get("ipAddresses"))):
        if text is not UNKNOWN and not _is_address(text):
            yield Failure(f"ipAddresses[{index}]", "must be an IPv4 or IPv6 address")
    given = inputs.get("subject")
    country = given.get("country") if isinstance(given, dict) else None
    if country and country is not UNKNOWN and len(country) != 2:
        yield Failure("subject.country", "must be a country code of two letters")


def _known_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
