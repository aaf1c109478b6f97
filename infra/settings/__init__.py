"""Configuration of a stack: typed, complete, and checked before anything is changed.

`from_pulumi()` in the program, `load(stack, values)` anywhere else; both give a `Settings` or name every fault at once.
"""

from __future__ import annotations

from infra.settings.cluster import (
    ConsensusSettings,
    DatabaseSettings,
    FailoverSettings,
    NetworkSettings,
    Parameter,
    ProxySettings,
)
from infra.settings.data import CredentialSettings, DataSettings
from infra.settings.faults import Fault, SettingsError
from infra.settings.load import from_pulumi, load
from infra.settings.model import CertificateSettings, Environment, Settings
from infra.settings.recovery import BackupSettings, RestoreSettings
from infra.settings.repositories import S3Place, S3Settings, SftpPlace, SftpSettings

__all__ = [
    "BackupSettings",
    "CertificateSettings",
    "ConsensusSettings",
    "CredentialSettings",
    "DatabaseSettings",
    "DataSettings",
    "Environment",
    "FailoverSettings",
    "Fault",
    "NetworkSettings",
    "Parameter",
    "ProxySettings",
    "RestoreSettings",
    "S3Place",
    "S3Settings",
    "Settings",
    "SettingsError",
    "SftpPlace",
    "SftpSettings",
    "from_pulumi",
    "load",
]
