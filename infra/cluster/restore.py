"""What a new cluster begins with: nothing, or another stack's backup up to one moment."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

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
    """Restores in a throw-away container without network that mounts the source's volumes read-only.

    So nothing can be archived into the old repository, and no member ever knows its passphrase. Afterwards nothing of
    the source is needed any more.
    """

    done: pulumi.Resource

    def __init__(self, name: str, args: RestoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:cluster:Restore", name, None, opts)
        names, settings, wanted = args.names, args.settings, args.settings.restore
        source = Names(wanted.from_) if wanted.from_ else None
        self.done = pipe.Restore(
            f"{name}-done",
            container=names.container("restore"),
            image=args.image,
            labels=names.labels("restore"),
            volume=args.volume,
            memory_mb=settings.database.memory_mb,
            process_max=settings.backup.process_max,
            source=wanted.from_,
            archive=source.volume("repository", None, "archive") if source else None,
            backup=source.volume("repository", None, "backup") if source else None,
            passphrase=wanted.passphrase,
            at=wanted.at,
            name=wanted.name,
            lsn=wanted.lsn,
            timeline=wanted.timeline,
            pause="yes" if wanted.pause else None,
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider),
        )
        self.register_outputs({})
