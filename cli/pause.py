"""A restore that pauses at its target ends Pulumi's run like a failure; which of both it was, Pulumi's events say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli.session import Session

RESTORE = "pipe:pgbackrest:Restore"
# Without it Pulumi has no option for its events.
_DEBUG = "PULUMI_DEBUG_COMMANDS"
# What the resource says when it has reached the target and waits.
_PAUSES = re.compile(r'the restore of ".*" pauses at ')


def up(session: Session) -> tuple[int, bool]:
    """Run `pulumi up`, with a preview, which refuses what is not kept before anything changes.

    Returns its exit status, and whether the restore has come to its target and pauses there.
    """
    session = replace(session, environ={**session.environ, _DEBUG: "true"})
    with TemporaryDirectory() as folder:
        log = Path(folder, "events")
        status = session.pulumi(["up", "--yes", "--stack", session.stack, "--event-log", str(log)])
        return status, status != 0 and pauses(_read(log))


def pauses(events: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the restore said so. A container that runs tells nothing: it may be that of an earlier pause."""
    found = (event.get("diagnosticEvent") or {} for event in events)
    return any(
        one.get("severity") == "error"
        and re.search(rf"\b{RESTORE}::", one.get("urn") or "")
        and _PAUSES.search(one.get("message") or "")
        for one in found
    )


def _read(log: Path) -> Iterator[Mapping[str, Any]]:
    if not log.exists():
        return
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            # The last line of a run that was killed.
            continue
