"""``pipe:sql:Sessions``: ends a role's sessions once its password has changed, on every member.

A changed password keeps nobody out who is in already. Sessions on replicas cannot be ended from the primary, and the
read-only endpoint leads to any of them, so psql runs in the members' containers, through the socket that lets their own
operating-system user in. Nothing secret is part of it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from provider.errors import PipeError
from provider.pgbackrest.run import Container
from provider.resource import Context, Fault, Field, Resource
from provider.values import Properties

# A member that streams has replayed the change by the time it is asked; one that restarts takes longer.
REPLAY_SECONDS = 60
# A backend ends at its next interrupt; one that waits for a disk cannot be hurried.
END_SECONDS = 30
_PAUSE_SECONDS = 0.2
_ROLE = re.compile(r"[a-z_][a-z0-9_]*")
_PSQL = ("-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c")

_POSITION = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END"
_REPLAYED = "SELECT clock_timestamp() WHERE NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= '{position}'"
# Jobs of pg_cron run as a role without having logged in: they are no client's.
_END = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE usename = '{role}' AND backend_type = 'client backend' AND backend_start <= '{before}'"
)


@dataclass(frozen=True)
class _Member:
    name: str
    container: Container

    def ask(self, query: str) -> str:
        result = self.container.run([*_PSQL, query])
        if result.code:
            raise PipeError(
                f'PostgreSQL in "{self.name}" does not answer: {result.error}',
                "see which members run: bin/patronictl list; then run up again",
            )
        return result.stdout.strip()


class Sessions(Resource):
    """The end of what was begun with an old password. Its id is the role's name."""

    token = "pipe:sql:Sessions"
    description = "Ends a role's sessions on every member when its password has changed; making it ends none."
    inputs: ClassVar[dict[str, Field]] = {
        "role": Field(str, "The login role.", replaces=True),
        "containers": Field(list, "The members' containers; in one that does not run there is no session."),
        "triggers": Field(list, "Values whose change ends the sessions, such as a digest of the password."),
        "timeoutSeconds": Field(
            int, f"How long a replica may take to replay the change; {REPLAY_SECONDS} by default.", required=False
        ),
    }

    def check(self, old: Properties | None, new: Properties) -> Iterator[Fault]:
        """Refuse a role whose name would need quoting."""
        yield from super().check(old, new)
        role = new.get("role")
        if isinstance(role, str) and not _ROLE.fullmatch(role):
            yield Fault("role", f'is "{role}"; allowed are lower-case letters, digits and _')

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """End nothing: the login is new, or as it was."""
        return str(new["role"]), new

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """End the sessions when a trigger changed; another list of members alone ends none."""
        if old.get("triggers") != new["triggers"]:
            members = [_Member(name, Container(context, name, None, "psql")) for name in new["containers"]]
            running = [member for member in members if member.container.is_running()]
            position = next(filter(None, (member.ask(_POSITION) for member in running)), None)
            if position is None:
                raise PipeError(
                    f'the sessions of "{id_}" could not be ended: no member leads',
                    "see what the members do: bin/patronictl list; then run up again",
                )
            limit = int(new.get("timeoutSeconds", REPLAY_SECONDS))
            ended = {member.name: _end(context, member, id_, position, limit) for member in running}
            told = ", ".join(f"{count} on {name}" for name, count in ended.items())
            context.info(f'ended sessions of "{id_}" that began with its old password: {told}')
        return new


def _end(context: Context, member: _Member, role: str, position: str, limit: int) -> int:
    """End the role's sessions in a member once it has replayed up to `position`; return how many there were.

    Before that it still lets the old password in. `limit` is in seconds.
    """
    doing = f'ending the sessions of "{role}" on {member.name}'
    before = _wait(context, doing, limit, member, _REPLAYED.format(position=position))
    if not before:
        raise PipeError(
            f"{doing} failed: within {limit} s it did not replay that the password changed",
            "see how far it lags: bin/patronictl list; then run up again",
        )
    end = _END.format(role=role, before=before)
    count = int(member.ask(end))
    if count and not _wait(context, doing, END_SECONDS, member, f"SELECT true WHERE 0 = ({end})"):
        raise PipeError(
            f"{doing} failed: some did not end within {END_SECONDS} s", "run up again; it goes on from here"
        )
    return count


def _wait(context: Context, doing: str, limit: float, member: _Member, query: str) -> str:
    """Ask until there is an answer; an empty text when there is none in time."""
    deadline = time.monotonic() + limit
    while not (answer := member.ask(query)) and time.monotonic() < deadline:
        context.progress(doing)
        context.cancellation.pause(_PAUSE_SECONDS, doing)
    return answer
