"""The provider's configuration, from plain values to connection parameters. Pure but for the PG* variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from airgap.base.errors import ProviderError
from airgap.base.values import has_unknown

# How long a statement waits for a lock of somebody else before it gives up with a sentence, in milliseconds.
LOCK_TIMEOUT_MS: Final = 60_000

_UNSUPPORTED: Final[dict[str, str]] = {
    "awsRdsIamAuth": "use username and password",
    "awsRdsIamProfile": "use username and password",
    "awsRdsIamProviderRoleArn": "use username and password",
    "awsRdsIamRegion": "use username and password",
    "azureIdentityAuth": "use username and password",
    "azureTenantId": "use username and password",
    "databaseUsername": "use username",
    "gcpIamImpersonateServiceAccount": "use username and password",
}


@dataclass(frozen=True)
class Settings:
    """Where the server is and as whom to connect; the password is kept out of the representation."""

    host: str = "localhost"
    port: int = 5432
    database: str = "postgres"
    username: str = "postgres"
    password: str | None = field(default=None, repr=False)
    sslmode: str = "require"
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None
    connect_timeout: int = 180
    """Seconds; 0 waits for ever."""
    superuser: bool = True
    """Whether the role may read stored passwords."""
    max_connections: int = 20
    """Connections at once; 0 is no limit."""

    def parameters(self, database: str) -> dict[str, Any]:
        """What libpq needs to connect to `database`."""
        given = {
            "host": self.host,
            "port": self.port,
            "dbname": database,
            "user": self.username,
            "password": self.password,
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
            "sslcert": self.sslcert,
            "sslkey": self.sslkey,
            "connect_timeout": self.connect_timeout or None,
            "application_name": "Pulumi provider",
            "gssencmode": "disable",
            "options": f"-c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout=0",
        }
        return {key: value for key, value in given.items() if value is not None}


def from_config(config: Mapping[str, Any]) -> Settings:
    """Reads the official provider's configuration; raises ProviderError for what this stand-in does not have."""
    for key, instead in _UNSUPPORTED.items():
        if config.get(key):
            raise ProviderError(f"the provider's {key} is not supported by the air-gapped postgresql provider", instead)
    if config.get("scheme", "postgres") != "postgres":
        raise ProviderError(
            f'the provider\'s scheme "{config["scheme"]}" is not supported by the air-gapped postgresql provider',
            'use "postgres"',
        )
    unknown = sorted(key for key, value in config.items() if has_unknown(value))
    if unknown:
        raise ProviderError(
            f"the provider's {', '.join(unknown)} is not known before the resource that it comes from exists"
        )
    certificate = config.get("clientcert") or {}
    if certificate.get("sslinline"):
        raise ProviderError(
            "the provider's clientcert.sslinline is not supported by the air-gapped postgresql provider",
            "write certificate and key to files, and give their paths",
        )
    default = Settings()
    environment = os.environ.get
    return Settings(
        host=str(config.get("host") or environment("PGHOST") or default.host),
        port=int(config.get("port") or environment("PGPORT") or default.port),
        database=str(config.get("database") or environment("PGDATABASE") or default.database),
        username=str(config.get("username") or environment("PGUSER") or default.username),
        password=config.get("password") or environment("PGPASSWORD"),
        # The official provider's driver insists on TLS unless told otherwise.
        sslmode=str(config.get("sslmode") or config.get("sslMode") or default.sslmode),
        sslrootcert=config.get("sslrootcert"),
        sslcert=certificate.get("cert"),
        sslkey=certificate.get("key"),
        connect_timeout=max(0, int(config.get("connectTimeout", default.connect_timeout))),
        superuser=bool(config.get("superuser", default.superuser)),
        max_connections=max(0, int(config.get("maxConnections", default.max_connections))),
    )
