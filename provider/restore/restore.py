"""``pipe:pgbackrest:Restore``: what the first member begins with, nothing or another cluster at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from provider.errors import PipeError
from provider.resource import Context, Fault, Field, Resource
from provider.restore import look, replay, room
from provider.restore.moments import Target, parse_lsn, parse_time
from provider.restore.place import HOME, Site, has_image, place
from provider.values import Properties, has_unknown

PROCESSES = 2
_WHAT = ("source", "at", "name", "lsn", "timeline")
_MADE = "the cluster of this stack is made already, and a restore makes a new one"


class Restore(Resource):
    """A beginning: it happens once, and nothing that is said about it later changes anything. Its id is the volume."""

    token = "pipe:pgbackrest:Restore"
    description = "Restores another stack's backup into the first member's volume, before the member is there."
    inputs: ClassVar[dict[str, Field]] = {
        "container": Field(str, "Name of the throw-away container in which it happens."),
        "image": Field(str, "Image with PostgreSQL and pgBackRest."),
        "labels": Field(dict, "Labels of the container."),
        "volume": Field(str, "The first member's volume."),
        "archive": Field(str, "Volume of the source's WAL, mounted read-only.", required=False),
        "backup": Field(str, "Volume of the source's backups, mounted read-only.", required=False),
        "network": Field(str, "Docker network from which the source's repository is reached.", required=False),
        "options": Field(dict, "pgBackRest's options that lead to it.", required=False, secret=True),
        "files": Field(dict, "Name -> text of the files that these name.", required=False, secret=True),
        "members": Field(int, "How many members are going to have a copy each; 1 by default.", required=False),
        "memoryMb": Field(int, "Memory limit of the container, in MB."),
        "processMax": Field(int, f"Processes of a restore; {PROCESSES} by default.", required=False),
        "source": Field(str, "The stack whose repository it is; without one nothing is restored.", required=False),
        "passphrase": Field(str, "The repository's passphrase.", required=False, secret=True),
        "at": Field(str, "The moment up to which commits are kept, with its offset from UTC.", required=False),
        "name": Field(str, "A restore point.", required=False),
        "lsn": Field(str, "A position in the WAL.", required=False),
        "timeline": Field(int, "The timeline to follow; the newest by default.", required=False),
        "pause": Field(str, "Whether to stop at the target and wait for a decision.", False, choices=("yes", "no")),
    }

    def check(self, old: Properties | None, new: Properties) -> Iterator[Fault]:
        """Refuse what cannot be meant, and another beginning for what has begun."""
        broken = list(super().check(old, new))
        yield from broken
        if broken or new.get("source") is None or has_unknown({key: new.get(key) for key in _WHAT}):
            return
        if old is not None and any(old.get(key) != new.get(key) for key in _WHAT):
            yield Fault(
                "source",
                f"cannot be changed: {_MADE}\n"
                "HINT: take pipe:restore out of the configuration; docs/backup-and-restore.md says how to restore "
                "in place",
            )
        elif not new.get("passphrase"):
            yield Fault(
                "passphrase",
                f'of the repository of stack "{new["source"]}" is missing\n'
                "HINT: run: bin/pulumi config set --secret --path pipe:restore.passphrase",
            )

    def diff(self, old: Properties, new: Properties) -> dict[str, bool]:
        """Find no difference: the beginning is over."""
        del old, new
        return {}

    def preview(self, context: Context, old: Properties | None, new: Properties) -> Properties:
        """Refuse a target outside of what is kept before anything changes."""
        if old is None and new.get("source") and not has_unknown(new):
            if not has_image(context, new["image"]):
                context.info(f'"{new["image"]}" is not built yet: what "{new["source"]}" keeps is looked at later')
                return super().preview(context, old, new)
            with place(context, _site(new, data=False)) as there:
                source = _source(new)
                look.configure(there, source)
                backup, _ = look.find(context, there, source, _target(new))
                room.require(there, source.stack, backup.size_mb, _members(new))
                context.info(f'restores backup {backup.label} of "{source.stack}", then WAL up to {_target(new).words}')
        return super().preview(context, old, new)

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Restore, replay, and leave the folder where the member finds it; raises PipeError when it is to pause."""
        if new.get("source"):
            what, pause = (_source(new), _target(new), _members(new)), new.get("pause") == "yes"
            restore(context, _site(new, data=True), *what, pause=pause)
        return new["volume"], new


def restore(context: Context, site: Site, source: look.Source, target: Target, members: int, *, pause: bool) -> None:
    """Make a cluster of a backup and WAL. What an interrupted or paused run left is gone on with."""
    with place(context, site, keep=pause) as there:
        if there.run("test", "-e", f"{HOME}/data/PG_VERSION").code == 0:
            raise PipeError(
                f'the volume "{site.data}" holds a cluster: {_MADE}',
                "restore into a new stack, or in place: docs/backup-and-restore.md",
            )
        replay.clear(there)
        look.configure(there, source)
        backup, exact = look.find(context, there, source, target)
        room.require(there, source.stack, backup.size_mb, members)
        replay.fetch(context, there, source, backup, exact)
        try:
            position = replay.replay(context, there, source, exact, pause=pause)
        except replay.Overshot:
            replay.discard(there)
            replay.fetch(context, there, source, backup, exact)
            position = replay.replay(context, there, source, exact, pause=pause)
        if not pause:
            replay.finish(there, aside=True)
            context.info(f'restored "{source.stack}" at {target.words}: LSN {position}')
            return
    raise PipeError(
        f'the restore of "{source.stack}" pauses at {target.words}: LSN {position}',
        f"look at it, read-only: docker exec -it {site.container} psql -d pipe",
        "then take restore.pause away and run up again, or go further: set a later target and run up again",
    )


def _site(new: Properties, *, data: bool) -> Site:
    return Site(
        container=new["container"] if data else f"{new['container']}-look",
        image=new["image"],
        labels=new["labels"],
        repository=(new["archive"], new["backup"]) if new.get("archive") else None,
        data=new["volume"] if data else None,
        memory_mb=new["memoryMb"],
        network=new.get("network", "none"),
    )


def _members(new: Properties) -> int:
    return int(new.get("members", 1))


def _source(new: Properties) -> look.Source:
    processes = int(new.get("processMax", PROCESSES))
    options = new.get("options", look.IN_VOLUMES)
    return look.Source(new["source"], new["passphrase"], processes, options, new.get("files", {}))


def _target(new: Properties) -> Target:
    """Return the target; raises PipeError when a text names none."""

    def parsed(name: str, parse: Any) -> Any:
        text = new.get(name)
        value = None if text is None else parse(text)
        if text is not None and value is None:
            raise PipeError(f'"{text}" is no {name} to restore', 'for example "2026-05-01 12:00:00+09", or 0/5000028')
        return value

    return Target(parsed("at", parse_time), new.get("name"), parsed("lsn", parse_lsn), new.get("timeline"))
