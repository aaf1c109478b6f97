"""What self-signed and locally signed certificates share: rules, renewal, and the certificate itself."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from airgap.base import Change, Context, Created, Diff, Failure, Found, Properties
from airgap.base.immutable import Immutable
from airgap.base.values import UNKNOWN
from airgap.tls import keys, usages
from airgap.tls.validity import Moment, is_due, is_due_at_once

_SERIAL_BITS = 128


@dataclass(frozen=True)
class Holder:
    """Whom a certificate is for."""

    subject: x509.Name
    alternatives: x509.SubjectAlternativeName | None
    public_key: Any


@dataclass(frozen=True)
class Issuer:
    """Who signs it. `key_id` is None when the issuer's certificate names none, or when it is not to be referred to."""

    subject: x509.Name
    key: keys.Private
    key_id: bytes | None


class Certificate(Immutable):
    """A certificate that is replaced when it is due."""

    defaults: ClassVar[dict[str, Any]] = {
        "earlyRenewalHours": 0,
        "isCaCertificate": False,
        "setSubjectKeyId": False,
    }
    computed = frozenset({"maxPathLength"})
    in_place = frozenset({"earlyRenewalHours", "readyForRenewal"})
    pem_inputs: ClassVar[frozenset[str]] = frozenset()

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        """Numbers are in range, and usages exist."""
        return list(_wrong(inputs))

    def replaces(self, change: Change, state: Properties) -> bool:
        """States of early versions hold hashes of PEM texts, which are taken over."""
        if change.root in self.pem_inputs:
            return keys.pem_label(state.get(change.root, "")) is not None
        return super().replaces(change, state)

    def diff(self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties) -> Diff:
        """As the inputs say, and a replacement when the certificate is due."""
        changes = super().diff(context, id, state, old_inputs, inputs).changes
        early = inputs["earlyRenewalHours"]
        if early is not UNKNOWN and is_due(state, early):
            changes = (*changes, Change("readyForRenewal", replace=True))
        elif state.get("readyForRenewal"):
            changes = (*changes, Change("readyForRenewal"))
        return Diff(changes)

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        """The state, with readyForRenewal once it is due."""
        if state and is_due(state, state.get("earlyRenewalHours") or 0):
            state = {**state, "readyForRenewal": True}
        return super().read(context, id, state, inputs)

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        """An update in place happens only to a certificate that is not due."""
        return {"readyForRenewal": is_due_at_once(inputs)}


def _wrong(inputs: Properties) -> Iterator[Failure]:
    for name, least in (("validityPeriodHours", 0), ("earlyRenewalHours", 0), ("maxPathLength", -1)):
        number = inputs.get(name)
        if number is not None and number is not UNKNOWN and number < least:
            yield Failure(name, f"must be at least {least}")
    allowed = inputs["allowedUses"]
    for index, use in enumerate(allowed if isinstance(allowed, list) else []):
        if use is not UNKNOWN and use not in usages.NAMES:
            yield Failure(f"allowedUses[{index}]", f"must be one of {', '.join(usages.NAMES)}")
    uses = {use for use in allowed if isinstance(use, str)} if isinstance(allowed, list) else set()
    if uses & {"encipher_only", "decipher_only"} and "key_agreement" not in uses:
        yield Failure("allowedUses", "encipher_only and decipher_only need key_agreement")


def issue(inputs: Properties, holder: Holder, issuer: Issuer) -> Created:
    """Makes the certificate: its id is the serial number."""
    start = Moment.now()
    end = start.after(inputs["validityPeriodHours"])
    serial = 1 + secrets.randbelow(2**_SERIAL_BITS - 1)
    builder = (
        x509.CertificateBuilder()
        .serial_number(serial)
        .subject_name(holder.subject)
        .issuer_name(issuer.subject)
        .public_key(holder.public_key)
        .not_valid_before(start.second.astimezone(UTC))
        .not_valid_after(end.second.astimezone(UTC))
    )
    for extension, critical in _extensions(inputs, holder, issuer):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(issuer.key, keys.signature_hash(issuer.key))
    state = {
        "certPem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "validityStartTime": str(start),
        "validityEndTime": str(end),
        "readyForRenewal": is_due_at_once(inputs),
    }
    return Created(str(serial), state)


def _extensions(inputs: Properties, holder: Holder, issuer: Issuer) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """The extensions and whether each is critical, in Go's order."""
    usage = usages.key_usage(inputs["allowedUses"])
    if usage is not None:
        yield usage, True
    extended = usages.extended_key_usage(inputs["allowedUses"])
    if extended is not None:
        yield extended, False
    authority = bool(inputs["isCaCertificate"])
    longest = inputs.get("maxPathLength")
    # Go takes 0 for "not set", and so does the official provider.
    yield x509.BasicConstraints(authority, longest if authority and longest and longest > 0 else None), True
    if authority or inputs["setSubjectKeyId"]:
        yield x509.SubjectKeyIdentifier(keys.key_id(holder.public_key)), False
    if issuer.key_id is not None:
        yield x509.AuthorityKeyIdentifier(issuer.key_id, None, None), False
    if holder.alternatives is not None:
        yield holder.alternatives, not list(holder.subject)
