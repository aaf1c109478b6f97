"""The part of the audit that needs a superuser: event triggers, and a look at failed logins and at backups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from infra.access import matrix
from infra.cluster.cluster import Cluster
from infra.credentials import Credentials
from provider import sdk as pipe

FILES = Path("sql/provisioner")


@dataclass(frozen=True)
class AuditArgs:
    """Where it is applied, the superuser's password, and the cluster whose removal takes all of this with it."""

    provider: pipe.PipeProvider
    credentials: Credentials
    cluster: Cluster
    directory: Path = Path(".")


class Audit(pulumi.ComponentResource):
    """Applies the files of ``sql/provisioner`` as the provisioner, in their order; the audit log must be there."""

    last: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:index:Audit", name, None, opts)
        after: list[pulumi.Resource] = []
        for file in sorted((args.directory / FILES).glob("*.sql")):
            after.append(
                pipe.Privileged(
                    file.stem,
                    name=file.stem,
                    file=file.relative_to(args.directory).as_posix(),
                    sql=file.read_text(encoding="utf-8"),
                    username=matrix.PROVISIONER,
                    password=args.credentials.passwords.provisioner,
                    opts=pulumi.ResourceOptions(
                        parent=self, provider=args.provider, depends_on=after[-1:], deleted_with=args.cluster.data
                    ),
                )
            )
        self.last = after[-1:]
        self.register_outputs({})
