"""The proof that every role may do what the matrix says and nothing else, by every `up`."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.access.expected import expected
from infra.cluster.cluster import Cluster
from infra.credentials import Credentials
from provider import sdk as pipe


@dataclass(frozen=True)
class ProofArgs:
    """Who asks, the logins as which it asks, and the cluster whose removal takes all of this with it."""

    provider: pipe.PipeProvider
    credentials: Credentials
    cluster: Cluster


class Proof(pulumi.ComponentResource):
    """Asks as each role that may log in; for those that may not, the migrator asks."""

    def __init__(self, name: str, args: ProofArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:access:Proof", name, None, opts)
        passwords: dict[str, pulumi.Output[str]] = {
            f"pipe_{login.name}": getattr(args.credentials.passwords, login.name)
            for login in args.credentials.logins.values()
            if login.is_open
        }
        pipe.Privileges(
            name,
            expected=expected(passwords.keys()),
            passwords=passwords,
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider, deleted_with=args.cluster.data),
        )
        self.register_outputs({})
