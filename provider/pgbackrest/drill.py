"""``pipe:pgbackrest:Drill``: a preview says when no restore of a backup has been tried lately, or one went wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import ClassVar

from provider.errors import PipeError
from provider.pgbackrest.drilled import FIND_TIMES, complaint, drills, read_times
from provider.pgbackrest.run import Container
from provider.pgbackrest.stanza import ERRORS_ONLY
from provider.resource import Context, Field, Resource
from provider.values import Properties, has_unknown

# One that is away is tried again for this long, for each of its files: it must not hold up what mends it.
_IO_SECONDS = 5


class Drill(Resource):
    """A look, and nothing that is made. Its id is the stanza's name."""

    token = "pipe:pgbackrest:Drill"
    description = "Warns in every preview and update when the restore drill of the backups is stale or failed."
    inputs: ClassVar[dict[str, Field]] = {
        "container": Field(str, "Container in which pgBackRest runs."),
        "stanza": Field(str, "The stanza's name.", replaces=True),
        "maxAgeDays": Field(int, "Days after which a drill is stale; never without it.", required=False),
        "user": Field(str, "Operating-system user inside the container.", required=False),
    }

    def compare(self, context: Context, old: Properties, new: Properties) -> dict[str, bool]:
        """Compare inputs; warn of drills, which no `up` changes."""
        if not has_unknown(new):
            _warn(context, new)
        return self.diff(old, new)

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Remember what to look at."""
        del context
        return str(new["stanza"]), new


def _warn(context: Context, properties: Properties) -> None:
    """Warn; a repository that cannot be asked now is no reason to stop."""
    stanza = str(properties["stanza"])
    where = (context, properties["container"], properties.get("user"))
    try:
        quick = f"--io-timeout={_IO_SECONDS}"
        result = Container(*where).run([f"--stanza={stanza}", *ERRORS_ONLY, quick, "--output=json", "info"])
        if result.code:
            raise PipeError(result.error)
        times = Container(*where, "find").run(FIND_TIMES)
        if times.code:
            raise PipeError(times.error)
        known = drills(json.loads(result.stdout), stanza, read_times(times.stdout))
    except (PipeError, ValueError) as error:
        context.warning(f'the drills of "{stanza}" are not known: {error}')
        return
    for one in known:
        if text := complaint(one, stanza, properties.get("maxAgeDays"), datetime.now(UTC)):
            context.warning(text)
