"""Python SDK of the provider `pipe`: what infrastructure code imports.

Arguments are snake_case here and camelCase on the wire. Nothing heavy is imported, and nothing here talks to a
database: each class only describes a resource to Pulumi, and the provider's process (``python -m provider``) does the
work.

Every resource takes ``opts=pulumi.ResourceOptions(provider=<PipeProvider>)``.
"""

from __future__ import annotations

from provider.sdk.catalog import Baseline, Picture, Privileges
from provider.sdk.configuration import PipeProvider
from provider.sdk.etcd import EtcdMember, Topology
from provider.sdk.patroni import DynamicConfig, Lead, Member, Membership, RestartPolicy, leader
from provider.sdk.pgbackrest import Drill, FirstBackup, Repositories, Stanza
from provider.sdk.privileged import Privileged
from provider.sdk.restore import Restore, Takeover
from provider.sdk.sessions import Sessions
from provider.sdk.sql import Endpoint, Migrations, Repeatables
from provider.sdk.tls import Renewal

__all__ = [
    "Baseline",
    "DynamicConfig",
    "Endpoint",
    "EtcdMember",
    "Drill",
    "FirstBackup",
    "Lead",
    "Member",
    "Membership",
    "Migrations",
    "Picture",
    "PipeProvider",
    "Privileged",
    "Privileges",
    "Renewal",
    "Repeatables",
    "Repositories",
    "RestartPolicy",
    "Restore",
    "Sessions",
    "Stanza",
    "Takeover",
    "Topology",
    "leader",
]
