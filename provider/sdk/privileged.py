"""The resource for SQL that needs a superuser."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from provider.sdk.base import Resource, secret


class Privileged(Resource):
    """A text applied in one transaction by a superuser whenever it changes."""

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        file: pulumi.Input[str],
        sql: pulumi.Input[str],
        username: pulumi.Input[str],
        password: pulumi.Input[str],
        triggers: pulumi.Input[Sequence[pulumi.Input[str]]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the text.

        :param name: unique name.
        :param file: path within the project, for messages.
        :param sql: the text; safe to run again.
        :param username: a superuser who may log in.
        :param password: its password.
        :param triggers: values whose change applies the text again.
        """
        super().__init__(
            "pipe:sql:Privileged",
            resource_name,
            {
                "name": name,
                "file": file,
                "sql": sql,
                "username": username,
                "password": secret(password),
                "triggers": triggers,
            },
            opts,
        )
