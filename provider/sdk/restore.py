"""Resources by which a stack begins with what another one's repository keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pulumi

from provider.sdk.base import Resource, secret


class Restore(Resource):
    """What the first member begins with: nothing, or another stack's backup with WAL up to one moment.

    It happens once, before the member's container: later changes of its inputs do nothing, and a later `up` needs
    nothing of the source. Every stack has it, so that taking the settings away is no change either.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        container: pulumi.Input[str],
        image: pulumi.Input[str],
        labels: pulumi.Input[Mapping[str, str]],
        volume: pulumi.Input[str],
        memory_mb: pulumi.Input[int],
        process_max: pulumi.Input[int] | None = None,
        members: pulumi.Input[int] | None = None,
        source: pulumi.Input[str] | None = None,
        archive: pulumi.Input[str] | None = None,
        backup: pulumi.Input[str] | None = None,
        network: pulumi.Input[str] | None = None,
        options: pulumi.Input[Mapping[str, str]] | None = None,
        files: pulumi.Input[Mapping[str, str]] | None = None,
        passphrase: pulumi.Input[str] | None = None,
        at: pulumi.Input[str] | None = None,
        name: pulumi.Input[str] | None = None,
        lsn: pulumi.Input[str] | None = None,
        timeline: pulumi.Input[int] | None = None,
        pause: pulumi.Input[Literal["yes", "no"]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the beginning.

        :param container: name of the throw-away container in which a restore happens.
        :param image: an image with PostgreSQL and pgBackRest.
        :param labels: of that container.
        :param volume: the first member's volume.
        :param memory_mb: memory limit of the container.
        :param process_max: processes of the restore; 2 by default.
        :param members: how many members are going to have a copy each; 1 by default.
        :param source: the stack whose repository it is; without one nothing is restored.
        :param archive: volume of its WAL, where it lies in volumes.
        :param backup: volume of its backups.
        :param network: Docker network from which it is reached, where it does not.
        :param options: pgBackRest's options that lead to it.
        :param files: name -> text of the files beside pgBackRest's configuration that these options name.
        :param passphrase: of its repository.
        :param at: the moment up to which commits are kept, ``2026-05-01 12:00:00+09``.
        :param name: or a restore point.
        :param lsn: or a position, ``0/5000028``. Without any of the three: the end of the archive.
        :param timeline: the timeline to follow; the newest by default.
        :param pause: ``yes`` stops at the target, to be looked at.
        """
        super().__init__(
            "pipe:pgbackrest:Restore",
            resource_name,
            {
                "container": container,
                "image": image,
                "labels": labels,
                "volume": volume,
                "memoryMb": memory_mb,
                "processMax": process_max,
                "members": members,
                "source": source,
                "archive": archive,
                "backup": backup,
                "network": network,
                "options": secret(options),
                "files": secret(files),
                "passphrase": secret(passphrase),
                "at": at,
                "name": name,
                "lsn": lsn,
                "timeline": timeline,
                "pause": pause,
            },
            opts,
        )


class Takeover(Resource):
    """Puts a restored database and its roles in the place of the empty ones that were made first.

    Roles and database are declared, and made, in a restored cluster as in an empty one, with this stack's passwords;
    what was restored stepped aside before. It comes right after them. Every stack has it, and mostly it finds nothing.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        database: pulumi.Input[str],
        username: pulumi.Input[str],
        password: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the step.

        :param database: the database.
        :param username: a superuser who may log in.
        :param password: its password.
        """
        super().__init__(
            "pipe:sql:Takeover",
            resource_name,
            {"database": database, "username": username, "password": secret(password)},
            opts,
        )
