"""The provider's table of contents: its resource types, each imported when it is first used."""

from __future__ import annotations

from typing import Final

from airgap.base.provider import ProviderSpec

VERSION: Final = "3.18.2"

SPEC: Final = ProviderSpec(
    name="postgresql",
    version=VERSION,
    resources={
        "postgresql:index/role:Role": "airgap.postgresql.role:Role",
        "postgresql:index/database:Database": "airgap.postgresql.database:Database",
        "postgresql:index/schema:Schema": "airgap.postgresql.schema:Schema",
        "postgresql:index/grant:Grant": "airgap.postgresql.grant:Grant",
        "postgresql:index/grantRole:GrantRole": "airgap.postgresql.grant_role:GrantRole",
        "postgresql:index/defaultPrivileges:DefaultPrivileges": (
            "airgap.postgresql.default_privileges:DefaultPrivileges"
        ),
        "postgresql:index/extension:Extension": "airgap.postgresql.extension:Extension",
    },
    libraries=("psycopg",),
    connect="airgap.postgresql.connection:connect",
)
