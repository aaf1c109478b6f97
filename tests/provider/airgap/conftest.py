"""Fixtures that the stand-ins' tests share."""

from __future__ import annotations

from tests.provider.airgap.fix_cli import project, pulumi_bin, pulumi_home
from tests.provider.airgap.fix_docker import container, docker_engine, docker_plugin, live, prefix
from tests.provider.airgap.fix_postgresql import database, make, postgres, role, sql_plugin, unique

__all__ = [
    "container",
    "database",
    "docker_engine",
    "docker_plugin",
    "live",
    "make",
    "postgres",
    "prefix",
    "project",
    "pulumi_bin",
    "pulumi_home",
    "role",
    "sql_plugin",
    "unique",
]
