"""The picture of the catalog: taken before what the program changes and after, so that the rest is somebody's hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from infra import logins, policies
from infra.access import matrix
from infra.cluster.cluster import Cluster
from infra.credentials import Credentials
from infra.settings import Settings
from provider import sdk as pipe

FILES = Path("sql")


@dataclass(frozen=True)
class PictureArgs:
    """Whose settings shape the catalog, who looks, and the cluster whose removal takes all of this with it."""

    settings: Settings
    provider: pipe.PipeProvider
    cluster: Cluster


@dataclass(frozen=True)
class BaselineArgs(PictureArgs):
    """The same, and the superuser's password: the role that looks later on may not have its own yet."""

    credentials: Credentials


def triggers(settings: Settings) -> list[str]:
    """Return a digest each of the SQL and of the access that the program makes: all by which it changes the catalog."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(FILES.glob("*/*.sql"))]
    texts += [made.text for made in policies.rendered(settings)]
    roles = [(name, login.is_open) for name, login in logins.logins(settings.credentials).items()]
    access = (matrix.ROLES, matrix.SCHEMAS, matrix.EXTENSIONS, matrix.MATRIX, matrix.DEFAULTS, roles)
    return [_digest("\0".join(texts)), _digest(repr(access))]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Baseline(pulumi.ComponentResource):
    """Looks before the roles, which come first of all that changes the catalog."""

    last: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: BaselineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:index:Baseline", name, None, opts)
        baseline = pipe.Baseline(
            name,
            owner=matrix.OWNER,
            triggers=triggers(args.settings),
            username=matrix.PROVISIONER,
            password=args.credentials.passwords.provisioner,
            opts=_child(self, args),
        )
        self.last = [baseline]
        self.register_outputs({})


class Picture(pulumi.ComponentResource):
    """Looks after the grants, which come last; what differs later is shown by `make drift`, and told by every `up`."""

    def __init__(self, name: str, args: PictureArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:index:Picture", name, None, opts)
        pipe.Picture(name, owner=matrix.OWNER, triggers=triggers(args.settings), opts=_child(self, args))
        self.register_outputs({})


def _child(parent: pulumi.Resource, args: PictureArgs) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(parent=parent, provider=args.provider, deleted_with=args.cluster.data)
