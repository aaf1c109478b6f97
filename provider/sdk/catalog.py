"""Resources about the live catalog: what it is expected to be, and who may do what in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from provider.sdk.base import Resource, secret, with_secret_outputs


class Baseline(Resource):
    """A look at the catalog before roles, migrations and grants change it; give it to all of them by ``depends_on``."""

    def __init__(
        self,
        resource_name: str,
        *,
        owner: pulumi.Input[str],
        triggers: pulumi.Input[Sequence[pulumi.Input[str]]],
        username: pulumi.Input[str] | None = None,
        password: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe when to look.

        :param owner: the role that owns schema ``migrations``, where the picture is kept until :class:`Picture` has it.
        :param triggers: digests of everything that the program makes in the catalog; the same as the picture's.
        :param username: a superuser, who looks in place of the provider's own role: this comes before roles change,
            and so before that role has the password that the provider was given.
        :param password: its password; a secret.
        """
        super().__init__(
            "pipe:catalog:Baseline",
            resource_name,
            {"owner": owner, "triggers": triggers, "username": username, "password": secret(password)},
            with_secret_outputs(opts, ["password"]),
        )


class Picture(Resource):
    """The picture of the catalog that is expected; make it depend on the last thing that changes the catalog.

    A refresh shows, object by object, what differs from it; an `up` warns and leaves it as it is. Replacing the
    resource expects what is there.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        owner: pulumi.Input[str],
        triggers: pulumi.Input[Sequence[pulumi.Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe what it follows.

        :param owner: the role that owns schema ``migrations``.
        :param triggers: digests of everything that the program makes in the catalog; when one changes, what has changed
            since the :class:`Baseline` is expected from then on.
        """
        super().__init__(
            "pipe:catalog:Picture",
            resource_name,
            {"owner": owner, "triggers": triggers, "expected": None, "drift": None},
            opts,
        )


class Privileges(Resource):
    """The proof of the access matrix, by every `up`: make it depend on the last grant.

    Connected as each role it asks for the effective right to everything. An `up` fails where something is not as
    expected, a preview and a refresh name it.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        expected: pulumi.Input[Mapping[str, Any]],
        passwords: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Describe what has to be true.

        :param expected: owners, schemas, roles, others, objects and defaults, as in :mod:`provider.catalog.rights`.
        :param passwords: passwords of the roles that may log in, by role; stored and passed on as a secret.
        """
        super().__init__(
            "pipe:catalog:Privileges",
            resource_name,
            {"expected": expected, "passwords": pulumi.Output.secret(passwords), "violations": None},
            with_secret_outputs(opts, ["passwords"]),
        )
