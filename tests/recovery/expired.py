"""Lets every certificate of a running stack end in the past, as if nobody had run `up` for long."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tests.asserts.replication import leader
from tests.fixtures.stacks import Stack

CERTIFICATE = "tls:index/locallySignedCert:LocallySignedCert"
KEY = "tls:index/privateKey:PrivateKey"
VALIDITY = timedelta(days=90)


def expire(stack: Stack, end: datetime, file: Path) -> None:
    """Put certificates that ended then in place of all, in the state as well, and restart every program with them.

    The leader restarts last: then no other member may lead without it.

    :param file: where the changed state is kept for Pulumi to read.
    """
    last = stack.container(leader(stack)).id
    exported = json.loads(stack.pulumi("stack", "export", "--show-secrets"))
    resources = exported["deployment"]["resources"]
    authority = next(plain(r["outputs"]["privateKeyPem"]) for r in resources if named(r, KEY) == "ca")
    swapped: dict[str, str] = {}
    for resource in resources:
        if name := named(resource, CERTIFICATE):
            old = resource["outputs"]["certPem"]
            swapped[old] = aged(old, authority, end)
            resource["outputs"]["validityEndTime"] = end.isoformat()
            lay(stack, name, swapped[old])
    file.write_text(json.dumps(swap(exported, swapped)))
    stack.pulumi("stack", "import", "--file", str(file))
    for container in sorted(stack.containers(), key=lambda container: container.id == last):
        container.restart(timeout=30)


def named(resource: Mapping[str, Any], kind: str) -> str:
    """Return whose certificate or key it is; empty when it is none of that type."""
    return str(resource["urn"]).rpartition("::certificates-")[2] if resource["type"] == kind else ""


def plain(value: Any) -> str:
    """Return a text of the state, secret or not."""
    return str(json.loads(value["plaintext"]) if isinstance(value, dict) else value)


def aged(pem: str, authority: str, end: datetime) -> str:
    """Return the same certificate with another end, signed again by the authority's key."""
    old = x509.load_pem_x509_certificate(pem.encode())
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - VALIDITY)
        .not_valid_after(end)
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    key: Any = serialization.load_pem_private_key(authority.encode(), None)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def lay(stack: Stack, host: str, pem: str) -> None:
    """Put a certificate into the configuration volume of a component; the operator's is in none."""
    if host == "operator":
        return
    archive, content = io.BytesIO(), pem.encode()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("cert.pem")
        entry.size, entry.mode = len(content), 0o640
        tar.addfile(entry, io.BytesIO(content))
    stack.container(f"{host}-config").put_archive("/etc/pipe", archive.getvalue())


def swap(value: Any, texts: Mapping[str, str]) -> Any:
    """Return a part of the state with texts in place of others, also inside a secret, which is JSON as a text."""
    if isinstance(value, dict):
        return {key: swap(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [swap(item, texts) for item in value]
    if isinstance(value, str):
        for old, new in texts.items():
            value = value.replace(old, new).replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
    return value
