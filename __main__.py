"""Pipe's database: what one `pulumi up` makes, in the order in which it makes it."""

from __future__ import annotations

from infra import outputs
from infra.access.grants import Grants, GrantsArgs
from infra.access.proof import Proof, ProofArgs
from infra.access.roles import Roles, RolesArgs
from infra.audit import Audit, AuditArgs
from infra.backups import Archiving, ArchivingArgs, FirstBackup, FirstBackupArgs, Repository, RepositoryArgs
from infra.certificates import Certificates, CertificatesArgs
from infra.cluster.cluster import Cluster, ClusterArgs
from infra.cluster.consensus import Consensus, ConsensusArgs
from infra.cluster.proxy import Proxy, ProxyArgs
from infra.credentials import Credentials
from infra.images import Images
from infra.naming import Names
from infra.network import Network, NetworkArgs
from infra.picture import Baseline, BaselineArgs, Picture, PictureArgs
from infra.providers import connect
from infra.schema import Schema, SchemaArgs
from infra.settings import from_pulumi
from infra.stages import after

settings = from_pulumi()
names = Names.of(settings)

images = Images("images").names
network = Network("network", NetworkArgs(names))
credentials = Credentials("credentials", settings.credentials)
certificates = Certificates("certificates", CertificatesArgs(names, settings))
providers = connect(settings, names, certificates, credentials.passwords)

common = (names, settings)
consensus = Consensus("consensus", ConsensusArgs(*common, images.consensus, network, certificates, providers.pipe))
repository = Repository(
    "repository",
    RepositoryArgs(*common, images.repository, images.scheduler, network, certificates, credentials, providers.pipe),
)
cluster = Cluster(
    "cluster",
    ClusterArgs(*common, images.member, network, certificates, credentials, consensus, providers.pipe),
    after(repository.ready),
)
proxy = Proxy("proxy", ProxyArgs(*common, images.proxy, network, certificates, credentials, cluster, providers.pipe))

archiving = Archiving("archiving", ArchivingArgs(settings, certificates, repository, cluster, providers.pipe))
settled = (proxy.ready, archiving.settled)
baseline = Baseline("baseline", BaselineArgs(settings, providers.pipe, cluster, credentials), after(*settled))
roles = Roles("roles", RolesArgs(providers.postgresql, providers.pipe, credentials, cluster), after(*baseline.last))
schema = Schema("schema", SchemaArgs(settings, providers.pipe, cluster), after(*roles.last))
audit = Audit("audit", AuditArgs(providers.pipe, credentials, cluster), after(*schema.last))
grants = Grants("grants", GrantsArgs(providers.postgresql, cluster), after(*audit.last))
picture = Picture("picture", PictureArgs(settings, providers.pipe, cluster), after(*grants.last))
proof = Proof("proof", ProofArgs(providers.pipe, credentials, cluster), after(*grants.last))
first_backup = FirstBackup(
    "first-backup", FirstBackupArgs(settings, repository, providers.pipe), after(archiving.config, *grants.last)
)

outputs.export(settings, names, credentials, certificates.ca_certificate)
