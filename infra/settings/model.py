"""What can be configured: one frozen dataclass a section, the sections by what they are about in the files beside this.

Every field carries its default, description, unit and bounds; the parser, the messages and docs/configuration.md are
made from them. To add a setting, add a field to its section, and where it depends on another one a rule to `rules.py`
or `recovery_rules.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from infra.settings.about import about
from infra.settings.cluster import (
    ConsensusSettings,
    DatabaseSettings,
    FailoverSettings,
    NetworkSettings,
    ProxySettings,
)
from infra.settings.data import CredentialSettings, DataSettings
from infra.settings.recovery import BackupSettings, RestoreSettings
from infra.settings.repositories import S3Settings, SftpSettings

NAMESPACE = "pipe"

Environment = Literal["dev", "test", "staging", "prod"]


@dataclass(frozen=True, kw_only=True)
class CertificateSettings:
    """The stack's own certificate authority."""

    validity_days: int = field(
        default=825, metadata=about("Validity of a new certificate.", unit="days", minimum=1, maximum=3650)
    )
    renew_before_days: int = field(
        default=90,
        metadata=about(
            "Days before its end from which `up` renews a certificate.", unit="days", minimum=0, maximum=3649
        ),
    )
    ca_validity_days: int = field(
        default=3650,
        metadata=about("Validity of the certificate authority.", unit="days", minimum=2, maximum=36_500),
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a stack is made from."""

    stack: str
    environment: Environment = field(
        metadata=about("What the stack is for. Decides some defaults and what is allowed.", example="dev")
    )
    protect: bool = field(
        default=False,
        metadata=about("Whether Pulumi refuses to remove what holds data. Staging and prod have to."),
    )
    network: NetworkSettings = field(metadata=about("Addresses, ports and host names."))
    database: DatabaseSettings = field(
        default_factory=DatabaseSettings, metadata=about("PostgreSQL: replicas, size and parameters.")
    )
    data: DataSettings = field(default_factory=DataSettings, metadata=about("Partitions, archive, audit and tenants."))
    credentials: CredentialSettings = field(
        default_factory=CredentialSettings, metadata=about("Rotation of the roles' passwords.")
    )
    consensus: ConsensusSettings = field(default_factory=ConsensusSettings, metadata=about("etcd: members and size."))
    failover: FailoverSettings = field(
        default_factory=FailoverSettings, metadata=about("Patroni: timing and synchronous mode.")
    )
    proxy: ProxySettings = field(
        default_factory=ProxySettings, metadata=about("HAProxy: limits and read-only routing.")
    )
    backup: BackupSettings = field(
        default_factory=BackupSettings, metadata=about("pgBackRest: schedule, retention and archiving.")
    )
    s3: S3Settings = field(default_factory=S3Settings, metadata=about("A bucket that holds backups."))
    sftp: SftpSettings = field(default_factory=SftpSettings, metadata=about("An SFTP server that holds backups."))
    restore: RestoreSettings = field(
        default_factory=RestoreSettings, metadata=about("The backup of another stack that a new stack begins with.")
    )
    certificates: CertificateSettings = field(
        default_factory=CertificateSettings, metadata=about("Validity and renewal of the stack's certificates.")
    )
