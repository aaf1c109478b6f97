"""Backups: the repository host with its schedule, archiving, and the first full backup.

The repository is a host of its own. Members reach it by TLS; they push WAL and read, and cannot delete a backup.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pulumi

from infra import containers, repositories
from infra.archive import REPOSITORY_HOST, drill_json, repository_conf, scheduler_command
from infra.certificates import Certificates, Ends
from infra.cluster.cluster import Cluster
from infra.cluster.parameters import certificate_parameters, dynamic_config
from infra.credentials import Credentials
from infra.naming import Names
from infra.network import Network
from infra.paths import POSTGRES_HOME, REPOSITORY_ARCHIVE_DIR, REPOSITORY_BACKUP_DIR, SCHEDULE_DIR
from infra.settings import Settings
from provider import sdk as pipe

# The queries behind the picture of the catalog (provider/catalog/look.py).
CATALOG = Path("provider/catalog")
PICTURE = ("relations", "parts", "objects", "access")


@dataclass(frozen=True)
class RepositoryArgs:
    """What the repository host is made from."""

    names: Names
    settings: Settings
    image: pulumi.Input[str]
    scheduler_image: pulumi.Input[str]
    network: Network
    certificates: Certificates
    credentials: Credentials
    provider: pipe.PipeProvider


class Repository(pulumi.ComponentResource):
    """Creates the repository: a volume of WAL and one of backups, and two containers on them.

    The *repository* answers members. It adds to the archive and reads backups, and the engine itself keeps it from
    changing them, whatever a member may ask for. The *scheduler* takes no connection: it makes and expires backups by
    the clock, restores them on trial into a volume that is empty in between, and operators' commands run there. A
    bucket or an SFTP server may stand beside the volumes or in their place; the volumes stay, so that a change of mind
    destroys nothing.
    """

    server: pulumi.Resource
    scheduler: pulumi.Resource
    operator: str
    """Name of the container in which commands that change the repository run."""
    ready: pulumi.Resource
    """Done when members may be told of every repository."""

    def __init__(self, name: str, args: RepositoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:backups:Repository", name, None, opts)
        names, settings = args.names, args.settings
        child = pulumi.ResourceOptions(parent=self)
        pair = args.certificates.issue(REPOSITORY_HOST)

        def carry(component: str, reader: repositories.Reader, **more: pulumi.Input[str]) -> containers.Files:
            """Give a container its own keys to the repositories."""
            conf = args.credentials.repository_passphrase.apply(
                lambda passphrase: repository_conf(settings, passphrase, reader)
            )
            known = {"ca.pem": pair.authority, "cert.pem": pair.certificate, "key.pem": pair.key}
            own = {"pgbackrest.conf": conf, **known, **repositories.files(settings, reader), **more}
            return containers.carry_files(names, component, None, args.image, own, child)

        # What serves the members has no login to the database.
        drill = args.credentials.passwords.drill.apply(
            lambda password: drill_json(settings.database.replicas, password, _picture_queries())
        )
        kept = pulumi.ResourceOptions(parent=self, protect=settings.protect)
        archive = containers.volume(names, "repository", None, kept, "archive")
        backups = containers.volume(names, "repository", None, kept, "backup")
        times = containers.volume(names, "scheduler", None, child)
        trial = containers.volume(names, "scheduler", None, child, "drill")
        bind = settings.network.bind_address
        server = containers.Daemon(
            component="repository",
            index=None,
            image=args.image,
            network=args.network.network_name,
            files=carry("repository", "server"),
            memory_mb=settings.backup.memory_mb,
            writable={REPOSITORY_ARCHIVE_DIR: archive.name},
            readable={REPOSITORY_BACKUP_DIR: backups.name},
            health=["pgbackrest", "server-ping"],
        )
        scheduler = replace(
            server,
            component="scheduler",
            image=args.scheduler_image,
            files=carry("scheduler", "scheduler", **{"drill.json": drill}),
            writable={
                REPOSITORY_ARCHIVE_DIR: archive.name,
                REPOSITORY_BACKUP_DIR: backups.name,
                SCHEDULE_DIR: times.name,
                POSTGRES_HOME: trial.name,
            },
            readable={},
            entrypoint=["/usr/local/bin/schedule"],
            command=scheduler_command(settings.stack, settings.backup),
            environment={"TZ": settings.backup.time_zone},
            health=["pgrep", "-x", "snooze|pgbackrest|postgres"],
        )
        running = containers.run(names, bind, server, child)
        containers.renewal(names, server, running, pair.certificate, args.provider, child)
        self.server = running
        self.scheduler = containers.run(names, bind, scheduler, child)
        self.operator = names.container("scheduler")
        self.ready = pipe.Repositories(
            f"{name}-places",
            container=self.operator,
            stanza=settings.stack,
            repositories=repositories.places(settings),
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider, depends_on=[self.server, self.scheduler]),
        )
        self.register_outputs({})


def _picture_queries() -> dict[str, str]:
    return {name: (CATALOG / f"{name}.sql").read_text(encoding="utf-8") for name in PICTURE}


@dataclass(frozen=True)
class ArchivingArgs:
    """The cluster whose WAL goes to the repository."""

    settings: Settings
    certificates: Certificates
    repository: Repository
    cluster: Cluster
    provider: pipe.PipeProvider


class Archiving(pulumi.ComponentResource):
    """Makes the stanza, then switches archiving on together with the rest of the dynamic configuration."""

    config: pulumi.Resource
    settled: pulumi.Output[pulumi.Resource]
    """What SQL waits for in a running cluster, so that no statement is cut off by a member that restarts or hands over.
    In a new one nothing restarts, and nobody waits for the replicas."""

    def __init__(self, name: str, args: ArchivingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:backups:Archiving", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, provider=args.provider)
        stanza = pipe.Stanza(
            f"{name}-stanza",
            container=args.repository.operator,
            stanza=args.settings.stack,
            opts=pulumi.ResourceOptions.merge(
                child,
                pulumi.ResourceOptions(
                    depends_on=[args.repository.server, args.repository.scheduler, args.cluster.ready[0]]
                ),
            ),
        )
        # Only now, with every member there: until here the cluster runs on the first boot's short loop.
        self.config = pipe.DynamicConfig(
            f"{name}-config",
            endpoints=args.cluster.endpoints,
            containers=[member.name for member in args.cluster.members],
            config=args.certificates.ends.apply(lambda ends: dynamic_config(args.settings, _told(ends))),
            restart=args.settings.database.restart,
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[stanza, *args.cluster.ready])),
        )

        async def settled(runs: bool) -> pulumi.Resource:
            if runs:
                await self.config.urn.future()
            return args.cluster.ready[0]

        self.settled = args.cluster.runs.apply(settled)
        self.register_outputs({})


def _told(ends: Ends) -> dict[str, str]:
    return certificate_parameters(ends.first, ends.renewal, ends.authority)


@dataclass(frozen=True)
class FirstBackupArgs:
    """Where the first full backup is taken."""

    settings: Settings
    repository: Repository
    provider: pipe.PipeProvider


class FirstBackup(pulumi.ComponentResource):
    """Proves archiving end to end (``pgbackrest check``) and leaves at least one full backup in every repository.

    A preview warns when restoring has not been tried lately, or went wrong.
    """

    label: pulumi.Output[str]

    def __init__(self, name: str, args: FirstBackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:backups:FirstBackup", name, None, opts)
        backup = pipe.FirstBackup(
            name,
            container=args.repository.operator,
            stanza=args.settings.stack,
            triggers=repositories.places(args.settings),
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider),
        )
        self.label = backup.label
        pipe.Drill(
            f"{name}-drill",
            container=args.repository.operator,
            stanza=args.settings.stack,
            max_age_days=args.settings.backup.drill_max_age_days,
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider, depends_on=[backup]),
        )
        self.register_outputs({})
