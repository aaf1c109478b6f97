"""Resources of pgBackRest."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from provider.sdk.base import Resource


class Repositories(Resource):
    """The repositories that members are about to be told of: a change makes the stanza in each of them."""

    def __init__(
        self,
        resource_name: str,
        *,
        container: pulumi.Input[str],
        stanza: pulumi.Input[str],
        repositories: pulumi.Input[Sequence[pulumi.Input[str]]],
        user: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe them.

        :param container: name or id of the container in which pgBackRest runs.
        :param stanza: the stanza's name.
        :param repositories: where they are.
        :param user: operating-system user inside the container; the container's own by default.
        """
        super().__init__(
            "pipe:pgbackrest:Repositories",
            resource_name,
            {"container": container, "stanza": stanza, "user": user, "repositories": repositories},
            opts,
        )


class Stanza(Resource):
    """pgBackRest's stanza, created in the repository's container (idempotent). Deleting leaves the backups alone."""

    def __init__(
        self,
        resource_name: str,
        *,
        container: pulumi.Input[str],
        stanza: pulumi.Input[str],
        user: pulumi.Input[str] | None = None,
        triggers: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the stanza.

        :param container: name or id of the container in which pgBackRest runs.
        :param stanza: the stanza's name.
        :param user: operating-system user inside the container; the container's own by default.
        :param triggers: values whose change runs ``stanza-create`` again.
        """
        super().__init__(
            "pipe:pgbackrest:Stanza",
            resource_name,
            {"container": container, "stanza": stanza, "user": user, "triggers": triggers, "systemId": None},
            opts,
        )

    @property
    def system_id(self) -> pulumi.Output[str]:
        """The database cluster's system identifier, as the repository knows it."""
        return self._output("systemId")


class FirstBackup(Resource):
    """Proves that archiving works (``pgbackrest check``), then takes a full backup unless there is one."""

    def __init__(
        self,
        resource_name: str,
        *,
        container: pulumi.Input[str],
        stanza: pulumi.Input[str],
        user: pulumi.Input[str] | None = None,
        timeout_seconds: pulumi.Input[int] | None = None,
        triggers: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the backup.

        :param container: name or id of the container in which pgBackRest runs.
        :param stanza: the stanza's name.
        :param user: operating-system user inside the container; the container's own by default.
        :param timeout_seconds: how long archiving may take to catch up; 120 by default. A backup itself has no limit.
        :param triggers: values whose change checks again (and backs up where no full backup exists).
        """
        super().__init__(
            "pipe:pgbackrest:FirstBackup",
            resource_name,
            {
                "container": container,
                "stanza": stanza,
                "user": user,
                "timeoutSeconds": timeout_seconds,
                "triggers": triggers,
                "label": None,
            },
            opts,
        )

    @property
    def label(self) -> pulumi.Output[str]:
        """The full backup's label, ``20250101-000000F``."""
        return self._output("label")


class Drill(Resource):
    """Warns in every preview and update when the restore drill of the backups is stale or failed."""

    def __init__(
        self,
        resource_name: str,
        *,
        container: pulumi.Input[str],
        stanza: pulumi.Input[str],
        max_age_days: pulumi.Input[int] | None = None,
        user: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe what is looked at.

        :param container: name or id of the container in which pgBackRest runs.
        :param stanza: the stanza's name.
        :param max_age_days: days after which a drill is stale; without it none ever is.
        :param user: operating-system user inside the container; the container's own by default.
        """
        super().__init__(
            "pipe:pgbackrest:Drill",
            resource_name,
            {"container": container, "stanza": stanza, "maxAgeDays": max_age_days, "user": user},
            opts,
        )
