"""``pipe:pgbackrest:FirstBackup``: proof that archiving works, and a first full backup in every repository."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import ClassVar

from provider.errors import PipeError
from provider.pgbackrest.run import Container, Result, retrying
from provider.pgbackrest.stanza import ERRORS_ONLY, NOT_YET, look
from provider.resource import Context, Field, Resource, State
from provider.values import Properties

# Archiving was just switched on: its first segments may still be on their way.
CATCH_UP_SECONDS = 120
_PAUSE_SECONDS = 0.5
# One attempt of check waits this long for its segment; shorter than pgBackRest's minute, so that progress is told.
_ARCHIVE_SECONDS = 20
# Archiving not switched on yet, or its command not reloaded, segments on their way (archive-command-invalid,
# archive-timeout, archive-disabled), the stanza's files not visible yet (file-missing).
_CATCHING_UP = NOT_YET | {55, 68, 82, 87}
# A replica that was a moment behind its primary's checkpoint finds none to begin from (archive-timeout); the next
# attempt finds it there.
_BEHIND = NOT_YET | {82}
_PERCENT = re.compile(r"backup file .*\(([^)]*%)\)")
_PROGRESS_SECONDS = 1.0


class FirstBackup(Resource):
    """A proof with a result. Its id is the stanza's name; the label is that of the first full backup found or made."""

    token = "pipe:pgbackrest:FirstBackup"
    description = "Proves that archiving works (pgbackrest check), then takes a full backup where there is none."
    inputs: ClassVar[dict[str, Field]] = {
        "container": Field(str, "Container in which pgBackRest runs."),
        "stanza": Field(str, "The stanza's name.", replaces=True),
        "user": Field(str, "Operating-system user inside the container.", required=False),
        "timeoutSeconds": Field(
            int, f"How long archiving may take to catch up; {CATCH_UP_SECONDS} by default.", required=False
        ),
        "triggers": Field(list, "Values whose change checks again.", required=False),
    }
    outputs: ClassVar[dict[str, tuple[type, str]]] = {"label": (str, "The full backup's label.")}

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Check, then back up; raises PipeError with pgBackRest's own message."""
        stanza, container = new["stanza"], Container(context, new["container"], new.get("user"))
        limit = float(new.get("timeoutSeconds", CATCH_UP_SECONDS))
        check = [f"--stanza={stanza}", *ERRORS_ONLY, f"--archive-timeout={_ARCHIVE_SECONDS}", "check"]
        context.progress("checks that archived WAL reaches the repository")
        result = retrying(
            context, "checking WAL archiving", limit, _PAUSE_SECONDS, _CATCHING_UP, lambda: container.run(check)
        )
        if result.code:
            raise PipeError(
                f'archiving to the stanza "{stanza}" does not work: {result.error}',
                "see how the primary's archiver fares: SELECT * FROM pg_stat_archiver",
            )
        for repository in _without_full(container, stanza):
            _back_up(context, container, stanza, repository)
        return stanza, new | {"label": _label(container, stanza)}

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Keep the state: that the first backup expires one day is no drift, as long as some full backup is there."""
        container = Container(context, state["container"], state.get("user"))
        if missing := _without_full(container, id_):
            numbers = ", ".join(map(str, missing))
            context.warning(f'the stanza "{id_}" has no full backup any more in repository {numbers}')
            return None
        return State(id_, state, inputs)


def _label(container: Container, stanza: str) -> str | None:
    found = look(container, stanza)
    return found.full_backups[0] if found and found.full_backups else None


def _without_full(container: Container, stanza: str) -> tuple[int, ...]:
    found = look(container, stanza)
    return found.without_full if found else (1,)


def _back_up(context: Context, container: Container, stanza: str, repository: int) -> None:
    context.progress(f'takes the first full backup of "{stanza}" in repository {repository}')
    detail = ["--log-level-console=detail", "--log-level-stderr=off"]
    command = [f"--stanza={stanza}", f"--repo={repository}", *detail, "--type=full", "backup"]
    result: Result = retrying(
        context,
        "taking the first full backup",
        CATCH_UP_SECONDS,
        _PAUSE_SECONDS,
        _BEHIND,
        lambda: container.run(command, _teller(context)),
    )
    if result.code:
        raise PipeError(
            f'the first full backup of "{stanza}" failed: {result.error}',
            f"run it by hand: bin/pgbackrest --repo={repository} backup",
        )


def _teller(context: Context) -> Callable[[str], None]:
    """Return a reader of pgBackRest's output that shows how far the backup is, once a second at most."""
    told = 0.0

    def tell(line: str) -> None:
        nonlocal told
        match = _PERCENT.search(line)
        if match and time.monotonic() - told > _PROGRESS_SECONDS:
            told = time.monotonic()
            context.progress(f"first full backup: {match[1].split(', ')[-1]}")

    return tell
