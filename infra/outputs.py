"""What a stack exports. Others rely on these names."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import pulumi

from infra import repositories
from infra.access.matrix import DATABASE
from infra.credentials import Credentials
from infra.logins import application
from infra.naming import Names
from infra.providers import client_host
from infra.settings import Settings

LOGINS = ("app", "readonly", "auditor", "monitor", "migrator")


def uri(user: str, password: str, endpoints: Sequence[str], target: str) -> str:
    """Return a libpq connection URI that checks the server's certificate; add ``sslrootcert`` where you keep it.

    Of several endpoints libpq takes the first that answers; for writing, one behind which it may write.
    """
    parameters = "sslmode=verify-full"
    if len(endpoints) > 1 and target == "read_write":
        parameters += "&target_session_attrs=read-write"
    return f"postgresql://{user}:{quote(password, safe='')}@{','.join(endpoints)}/{DATABASE}?{parameters}"


def export(settings: Settings, names: Names, credentials: Credentials, ca_certificate: pulumi.Output[str]) -> None:
    """Export the stack's outputs."""
    passwords = credentials.passwords
    members = [names.container("member", i) for i in range(settings.database.replicas + 1)]
    host = client_host(settings)
    proxies = range(settings.proxy.instances)
    endpoints = {
        "read_write": [f"{host}:{names.ports.read_write(proxy)}" for proxy in proxies],
        "read_only": [f"{host}:{names.ports.read_only(proxy)}" for proxy in proxies],
    }

    # Under the name of what it is for; the application's changes with every rotation.
    names_in_use = {login: application(settings.credentials) if login == "app" else login for login in LOGINS}

    def connections(known: dict[str, str]) -> dict[str, dict[str, str]]:
        return {
            login: {
                target: uri(f"pipe_{names_in_use[login]}", password, through, target)
                for target, through in endpoints.items()
            }
            for login, password in known.items()
        }

    secrets = pulumi.Output.all(**{login: getattr(passwords, name) for login, name in names_in_use.items()})
    backup = settings.backup
    pulumi.export("endpoints", {target: through[0] for target, through in endpoints.items()})
    pulumi.export("connections", pulumi.Output.secret(secrets.apply(connections)))
    pulumi.export("ca_certificate", ca_certificate)
    # Whoever has lost the state and these has lost the backups: they are to be kept elsewhere as well.
    passphrase = credentials.repository_passphrase
    pulumi.export("backup_passphrase", pulumi.Output.secret(passphrase))
    access = passphrase.apply(lambda passphrase: repositories.access(settings, passphrase))
    pulumi.export("backup_access", pulumi.Output.secret(access))
    pulumi.export(
        "backup",
        {
            "stanza": settings.stack,
            "repository": names.container("repository"),
            "repositories": list(backup.repositories),
            "retention_days": backup.retention_days,
            "schedule": {
                "full": backup.full_schedule,
                "differential": backup.differential_schedule,
                "incremental": backup.incremental_schedule,
                "time_zone": backup.time_zone,
            },
        },
    )
    pulumi.export("cluster", {"scope": settings.stack, "members": members})
