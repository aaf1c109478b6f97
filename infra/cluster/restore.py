"""What a new cluster begins with: nothing, or another stack's backup up to one moment."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra import repositories
from infra.naming import Names
from infra.settings import Settings
from provider import sdk as pipe


@dataclass(frozen=True)
class RestoreArgs:
    """Whose cluster it is, and where its first member keeps its data."""

    names: Names
    settings: Settings
    image: pulumi.Input[str]
    volume: pulumi.Input[str]
    provider: pipe.PipeProvider


class Restore(pulumi.ComponentResource):
    """Restores in a throw-away container that mounts the source's volumes read-only and has no network.

    Where the source's repository is a bucket or an SFTP server, it mounts none and has a network instead, on which
    nothing of it listens. PostgreSQL archives nothing there, and no member ever knows the passphrase or a key.
    Afterwards nothing of the source is needed any more.
    """

    done: pulumi.Resource

    def __init__(self, name: str, args: RestoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:cluster:Restore", name, None, opts)
        names, settings, wanted = args.names, args.settings, args.settings.restore
        source = Names(wanted.from_) if wanted.from_ else None
        lies_here = wanted.repository == "volume"
        options, files = repositories.to_read(wanted)
        self.done = pipe.Restore(
            f"{name}-done",
            container=names.container("restore"),
            image=args.image,
            labels=names.labels("restore"),
            volume=args.volume,
            memory_mb=settings.database.memory_mb,
            process_max=settings.backup.process_max,
            members=settings.database.replicas + 1,
            source=wanted.from_,
            archive=source.volume("repository", None, "archive") if source and lies_here else None,
            backup=source.volume("repository", None, "backup") if source and lies_here else None,
            network=None if lies_here else wanted.network,
            options=options if source else None,
            files=files if source else None,
            passphrase=wanted.passphrase,
            at=wanted.at,
            name=wanted.name,
            lsn=wanted.lsn,
            timeline=wanted.timeline,
            pause="yes" if wanted.pause else None,
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider),
        )
        self.register_outputs({})
