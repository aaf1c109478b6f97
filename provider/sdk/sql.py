"""Resources inside PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from provider.sdk.base import Resource, secret, with_secret_outputs


class Migrations(Resource):
    """Every file of ``sql/migrations``: each applied once, in order, recorded in ``migrations.history``.

    The schema ``migrations`` must exist and belong to ``owner``. Removing the resource leaves the database as it is.
    Import id: ``migrations``.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        files: Sequence[Mapping[str, str]],
        verify: Sequence[Mapping[str, str]],
        owner: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the migrations.

        :param files: each with ``version`` (``0001``), ``name`` (``users``), ``file`` (its path, for messages) and
            ``sql`` (its text). No transaction control and no psql commands: the provider holds the transaction, or
            with ``-- pipe: no-transaction`` in the header runs each statement by itself.
        :param verify: scripts of the same form; each runs after the migration of its version, read-only.
        :param owner: the role as which the texts run and which owns what they make.
        """
        super().__init__(
            "pipe:sql:Migrations",
            resource_name,
            {"files": files, "verify": verify, "owner": owner, "history": None},
            opts,
        )

    @property
    def history(self) -> pulumi.Output[list[Mapping[str, Any]]]:
        """What was applied: version, name, file, checksum, who, when, how long, restore point and its LSN."""
        return self._output("history")


class Repeatables(Resource):
    """Texts that may be applied again and again (functions, views, triggers), each re-applied when it changes.

    Recorded in ``migrations.repeatable_history``. Each runs as ``owner`` in one transaction, in the order of the list.
    Removing one leaves the database as it is. Import id: ``repeatables``.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        files: Sequence[Mapping[str, str]],
        owner: pulumi.Input[str],
        triggers: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the texts.

        :param files: each with ``name`` (unique), ``file`` (its path, for messages) and ``sql``, which must be safe to
            run again (CREATE OR REPLACE ...).
        :param owner: the role as which they run.
        :param triggers: values whose change applies all of them again, such as a checksum of the migrations.
        """
        super().__init__(
            "pipe:sql:Repeatables",
            resource_name,
            {"files": files, "owner": owner, "triggers": triggers, "history": None},
            opts,
        )

    @property
    def history(self) -> pulumi.Output[list[Mapping[str, Any]]]:
        """What was applied last: name, file, checksum, who, when, how long."""
        return self._output("history")


class Endpoint(Resource):
    """Waits until a read-write session answers at an address, so that what comes after can connect at once."""

    def __init__(
        self,
        resource_name: str,
        *,
        host: pulumi.Input[str] | None = None,
        port: pulumi.Input[int] | None = None,
        database: pulumi.Input[str] | None = None,
        username: pulumi.Input[str] | None = None,
        password: pulumi.Input[str] | None = None,
        timeout_seconds: pulumi.Input[int] | None = None,
        triggers: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the address; every argument left out is the provider's own.

        :param database: usually ``postgres``, which is there before anything else.
        :param username: a role that may already log in at this stage.
        :param password: its password; a secret.
        :param timeout_seconds: how long to wait; 120 by default.
        :param triggers: values whose change waits again, such as the ids of the containers behind the address.
        """
        super().__init__(
            "pipe:sql:Endpoint",
            resource_name,
            {
                "host": host,
                "port": port,
                "database": database,
                "username": username,
                "password": secret(password),
                "timeoutSeconds": timeout_seconds,
                "triggers": triggers,
            },
            with_secret_outputs(opts, ["password"]),
        )
