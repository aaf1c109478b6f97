"""``pipe:pgbackrest:Repositories``: another repository is prepared before the members of a running cluster use it."""

from __future__ import annotations

from typing import ClassVar

from provider.pgbackrest.stanza import create_stanza
from provider.resource import Context, Field, Resource
from provider.values import Properties


class Repositories(Resource):
    """Makes the stanza in every repository whenever their list changes. Its id is the stanza's name.

    Without it each member would try to archive to a place that is not ready, and a primary that cannot archive takes
    its time to stop. A cluster that is only being made has no stanza yet; there ``pipe:pgbackrest:Stanza`` makes it.
    """

    token = "pipe:pgbackrest:Repositories"
    description = "The repositories that members are about to be told of: a change makes the stanza in each of them."
    inputs: ClassVar[dict[str, Field]] = {
        "container": Field(str, "Container in which pgBackRest runs."),
        "stanza": Field(str, "The stanza's name.", replaces=True),
        "user": Field(str, "Operating-system user inside the container.", required=False),
        "repositories": Field(list, "Where they are."),
    }

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Note the list."""
        del context
        return new["stanza"], new

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """Make the stanza where it is missing; raises PipeError with pgBackRest's own message."""
        if old.get("repositories") != new["repositories"]:
            create_stanza(context, new)
        return new
