"""The database, its roles and schemas, what PUBLIC loses, and the privileges of tables that don't exist yet.

What is granted on existing tables comes after the schema, in :mod:`infra.access.grants`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_postgresql as postgresql

from infra.access import arguments, matrix
from infra.access.order import CatalogOrder
from infra.cluster.cluster import Cluster
from infra.credentials import Credentials
from infra.logins import Login
from provider import sdk as pipe

DATABASE = matrix.DATABASE
OWNER = matrix.OWNER
# Where PUBLIC may do something in a new cluster.
DATABASES = (DATABASE, "postgres", "template1")
SEARCH_PATH = ("pipe",)


@dataclass(frozen=True)
class RolesArgs:
    """The provisioner's connection, the logins, and the cluster whose removal takes all of this with it."""

    provider: postgresql.Provider
    pipe: pipe.PipeProvider
    credentials: Credentials
    cluster: Cluster


class Roles(pulumi.ComponentResource):
    """Creates the roles, the database ``pipe`` with its schemas and extensions, and takes everything from PUBLIC."""

    last: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: RolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:access:Roles", name, None, opts)
        order = CatalogOrder(
            pulumi.ResourceOptions(parent=self, provider=args.provider, deleted_with=args.cluster.data)
        )
        groups = {group for role in matrix.ROLES for group in role.member_of}
        for role in matrix.ROLES:
            login = args.credentials.logins.get(role.name.removeprefix("pipe_")) if role.login else None
            order.add(
                role.name,
                postgresql.Role,
                role.name,
                name=role.name,
                login=login is not None and login.is_open,
                password=getattr(args.credentials.passwords, login.name) if login else None,
                roles=list(role.member_of) or None,
                search_paths=list(SEARCH_PATH),
                skip_reassign_owned=True,
            )
            if login:
                sessions = _with_pipe(args, pipe.Sessions)
                order.add(role.name, sessions, f"{role.name}-sessions", **_sessions_of(role.name, login, args))
            if role.name in groups:
                order.barrier()
        order.barrier()
        order.add(
            DATABASE, postgresql.Database, DATABASE, name=DATABASE, owner=OWNER, encoding="UTF8", template="template0"
        )
        order.barrier()
        order.add("takeover", _with_pipe(args, pipe.Takeover), "takeover", **_takeover_of(args))
        order.barrier()
        for schema in matrix.SCHEMAS:
            order.add(schema, postgresql.Schema, f"schema-{schema}", name=schema, database=DATABASE, owner=OWNER)
        order.barrier()
        for extension, home in matrix.EXTENSIONS.items():
            order.add(extension, postgresql.Extension, extension, name=extension, database=DATABASE, schema=home)
        order.barrier()
        _close_to_public(order)
        for grant in arguments.database_grants() + arguments.schema_grants():
            order.add(grant.subject, postgresql.Grant, grant.logical_name, **grant.inputs())
        for default in arguments.default_privileges():
            order.add("defaults", postgresql.DefaultPrivileges, default.logical_name, **default.inputs())
        self.last = order.last
        self.register_outputs({})


def _with_pipe(args: RolesArgs, kind: Callable[..., pulumi.Resource]) -> Callable[..., pulumi.Resource]:
    """Make resources of our own provider, which reaches the members and logs in by itself."""

    def make(logical_name: str, *, opts: pulumi.ResourceOptions, **inputs: Any) -> pulumi.Resource:
        provider = pulumi.ResourceOptions(provider=args.pipe)
        return kind(logical_name, **inputs, opts=pulumi.ResourceOptions.merge(opts, provider))

    return make


def _takeover_of(args: RolesArgs) -> dict[str, Any]:
    """In a restored cluster the real database and roles come back here, before anything is made in them."""
    password = args.credentials.passwords.provisioner
    return {"database": DATABASE, "username": matrix.PROVISIONER, "password": password}


def _sessions_of(role: str, login: Login, args: RolesArgs) -> dict[str, Any]:
    """Sessions end when the password changes, which it also does when the login is closed."""
    password: pulumi.Output[str] = getattr(args.credentials.passwords, login.name)
    return {
        "role": role,
        "containers": [member.name for member in args.cluster.members],
        "triggers": [password.apply(lambda known: hashlib.sha256(known.encode()).hexdigest())],
    }


def _close_to_public(order: CatalogOrder) -> None:
    for database in DATABASES:
        common: dict[str, Any] = {"database": database, "role": matrix.PUBLIC, "privileges": []}
        order.add(
            f"database {database}", postgresql.Grant, f"public-database-{database}", object_type="database", **common
        )
        order.add(
            f"schema public of {database}",
            postgresql.Grant,
            f"public-schema-{database}",
            object_type="schema",
            schema="public",
            **common,
        )
