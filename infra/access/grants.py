"""The privileges on what the migrations made: the rows of the matrix, side by side where the objects differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_postgresql as postgresql

from infra.access import arguments
from infra.access.order import CatalogOrder
from infra.cluster.cluster import Cluster


@dataclass(frozen=True)
class GrantsArgs:
    """The provisioner's connection, and the cluster whose removal takes all of this with it."""

    provider: postgresql.Provider
    cluster: Cluster


class Grants(pulumi.ComponentResource):
    """Grants what the matrix says on tables, columns, views and functions. What it doesn't say, nobody has."""

    last: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: GrantsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:access:Grants", name, None, opts)
        order = CatalogOrder(
            pulumi.ResourceOptions(parent=self, provider=args.provider, deleted_with=args.cluster.data)
        )
        for grant in arguments.object_grants():
            order.add(grant.subject, postgresql.Grant, grant.logical_name, **grant.inputs())
        self.last = order.last
        self.register_outputs({})
