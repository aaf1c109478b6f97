"""Passwords of the roles and the repository's passphrase: generated, kept encrypted in the state, printed nowhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_random as random

from infra.logins import Login, logins
from infra.settings import CredentialSettings

SCRAM_ITERATIONS = 4096
PASSWORD_LENGTH = 32


def scram_verifier(password: str, salt: bytes, iterations: int = SCRAM_ITERATIONS) -> str:
    """Return what PostgreSQL stores for `password` (RFC 5802, RFC 7677), so that the password never reaches it.

    `password` must be ASCII: the generated ones are, and so need no SASLprep.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    b64 = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *b64)


@dataclass(frozen=True)
class Passwords:
    """One secret a role (the database's roles are named ``pipe_<field>``)."""

    replicator: pulumi.Output[str]
    rewind: pulumi.Output[str]
    provisioner: pulumi.Output[str]
    migrator: pulumi.Output[str]
    app: pulumi.Output[str]
    app_b: pulumi.Output[str]
    readonly: pulumi.Output[str]
    auditor: pulumi.Output[str]
    monitor: pulumi.Output[str]
    drill: pulumi.Output[str]


class Credentials(pulumi.ComponentResource):
    """Generates every secret of the stack that is not a key pair."""

    passwords: Passwords
    logins: Mapping[str, Login]
    """Those whose passwords rotate, by name."""
    provisioner_verifier: pulumi.Output[str]
    repository_passphrase: pulumi.Output[str]

    def __init__(self, name: str, settings: CredentialSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:index:Credentials", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        self.logins = logins(settings)

        def password(of: str, length: int = PASSWORD_LENGTH) -> pulumi.Output[str]:
            keepers = self.logins[of].keepers if of in self.logins else None
            logical_name = f"{name}-{of.replace('_', '-')}"
            return random.RandomPassword(logical_name, length=length, special=False, keepers=keepers, opts=child).result

        self.passwords = Passwords(**{role: password(role) for role in Passwords.__dataclass_fields__})
        self.repository_passphrase = password("repository", 64)
        salt = random.RandomId(f"{name}-provisioner-salt", byte_length=16, opts=child)
        self.provisioner_verifier = pulumi.Output.secret(
            pulumi.Output.all(self.passwords.provisioner, salt.b64_std).apply(
                lambda known: scram_verifier(known[0], base64.b64decode(known[1]))
            )
        )
        self.register_outputs({})
