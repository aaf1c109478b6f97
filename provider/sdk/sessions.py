"""The resource that ends sessions."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from provider.sdk.base import Resource


class Sessions(Resource):
    """Ends a role's sessions on every member when its password has changed. Making it ends none."""

    def __init__(
        self,
        resource_name: str,
        *,
        role: pulumi.Input[str],
        containers: pulumi.Input[Sequence[pulumi.Input[str]]],
        triggers: pulumi.Input[Sequence[pulumi.Input[str]]],
        timeout_seconds: pulumi.Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe the login; make this depend on what sets its password.

        :param role: the login role; its jobs of pg_cron go on.
        :param containers: names of the members' containers, whichever leads.
        :param triggers: values whose change ends the sessions, such as a digest of the password.
        :param timeout_seconds: how long a replica may take to replay the change; 60 by default.
        """
        super().__init__(
            "pipe:sql:Sessions",
            resource_name,
            {"role": role, "containers": containers, "triggers": triggers, "timeoutSeconds": timeout_seconds},
            opts,
        )
