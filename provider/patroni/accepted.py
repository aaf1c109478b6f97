"""Whether PostgreSQL took the parameters of its new configuration file, asked in each member's container.

A value that it refuses at a reload changes nothing at first: it goes on with the old one, and says so in its log only.
But with that file it would not start any more. And a file may never get the value: Patroni compares once, when the
configuration changes, and a PostgreSQL that is just starting or changing its role then keeps the old one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provider import engine
from provider.errors import PipeError
from provider.patroni.meaning import means
from provider.patroni.member import evidence
from provider.patroni.plan import same
from provider.patroni.rest import Rest
from provider.patroni.wake import reload
from provider.resource import Context

# Patroni writes the file a moment after it was told; a member that has not after some seconds is told again.
AGAIN_SECONDS = 3
# A member that is busy says nothing for so long, and that is no refusal.
WAIT_SECONDS = 30
POLL_SECONDS = 0.3
# Limit of one look: a server that stands still takes the connection and says nothing.
_LOOK_SECONDS = 10
# A replica that lies behind on purpose has a value of its own.
_LOCAL = frozenset({"hot_standby_feedback"})
_PSQL = ("psql", "-XAtq", "-F", "\t", "-c")
# One that only waits for a restart is not refused. The last entry of a name is the one that counts.
_FILE = """
    SELECT
        lower(coalesce(file.name, known.name)), coalesce(file.setting, known.setting),
        coalesce(file.refused AND NOT known.pending_restart, file.refused), known.unit, known.vartype
    FROM (
        SELECT DISTINCT ON (lower(entry.name)) entry.name, entry.setting, entry.error IS NOT NULL AS refused
        FROM pg_catalog.pg_file_settings AS entry
        ORDER BY lower(entry.name), entry.seqno DESC
    ) AS file
    FULL JOIN pg_catalog.pg_settings AS known ON lower(known.name) = lower(file.name)
"""


@dataclass(frozen=True)
class Value:
    """A parameter as the file has it; one that is not in the file, as PostgreSQL has it."""

    text: str
    refused: bool
    unit: str
    kind: str

    def equals(self, wanted: Any) -> bool:
        """Whether this is the value. Patroni writes none that PostgreSQL has already, whatever its text."""
        return same(self.text, wanted) or means(str(wanted), self.text, self.unit, self.kind)


def check(
    context: Context, rest: Rest, containers: Mapping[str, str], parameters: Mapping[str, Any], *, back: bool = False
) -> None:
    """Wait until the file of each member has the parameters; raises PipeError with those that PostgreSQL refuses.

    For what is read at a reload: at a restart PostgreSQL tells by itself. Warns of a member that does not show them.

    :param containers: REST address -> the container behind it.
    :param back: the values are those from before a change that failed; what is refused is the change, still there.
    """
    wanted = {name.lower(): value for name, value in parameters.items() if name.lower() not in _LOCAL}
    for endpoint, container in containers.items():
        begun = told = time.monotonic()
        while missing := _missing(context, container, wanted, back=back):
            now = time.monotonic()
            if now > begun + WAIT_SECONDS:
                context.warning(_silent(container, missing))
                break
            if now > told + AGAIN_SECONDS:
                reload(rest, endpoint)
                told = now
            context.cancellation.pause(POLL_SECONDS, f'waiting for the parameters of "{container}"')


def _silent(container: str, missing: Sequence[str]) -> str:
    # Patroni cannot see what value these have, and does not write one again that it took for written.
    by_restart = [name for name in missing if "." in name]
    way = f"bin/patronictl restart (for {', '.join(by_restart)})" if by_restart else "bin/patronictl reload"
    return (
        f'the file of PostgreSQL in "{container}" does not have {", ".join(missing)} as configured\n'
        "HINT: the member is busy, or ALTER SYSTEM gave another value; look at pg_file_settings there, and once it"
        f" runs: {way}"
    )


def _missing(context: Context, container: str, wanted: Mapping[str, Any], *, back: bool) -> list[str]:
    """Return the names that the member's file does not have with these values; raises PipeError for refused ones."""
    found = _file(context, container)
    refused = sorted(name for name in wanted if name in found and found[name].refused)
    if refused and not back:
        raise PipeError(
            f'PostgreSQL in "{container}" refuses {", ".join(refused)}',
            *evidence(engine.look(context.config, container, "invalid value for parameter"), container),
        )
    return sorted(name for name, value in wanted.items() if name not in found or not found[name].equals(value))


def _file(context: Context, container: str) -> dict[str, Value]:
    """Return every parameter; none where nobody answers.

    Raises PipeError when the container is down: by itself it will never answer.
    """
    with engine.api(context.config) as api:
        if not api.inspect_container(container)["State"]["Running"]:
            raise PipeError(
                f'"{container}" does not run, so nobody can tell whether its PostgreSQL takes the change',
                f"`docker start {container}`, or `make up`",
            )
        done = engine.execute(api, container, ["timeout", str(_LOOK_SECONDS), *_PSQL, _FILE])
    rows = (line.split("\t") for line in done.stdout.splitlines()) if done.code == 0 else ()
    return {row[0]: Value(row[1], row[2] == "t", *row[3:]) for row in rows if len(row) == 5}
