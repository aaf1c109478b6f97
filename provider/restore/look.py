"""What a repository keeps, read inside the throw-away container. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from provider.errors import PipeError
from provider.resource import Context
from provider.restore import kept as keep
from provider.restore.kept import Backup, Kept, Run, Stanza
from provider.restore.moments import Target
from provider.restore.place import CONF, CONFIG_DIR, HOME, ROOT, Place, shell

RESTORING = f"{HOME}/restoring"
"""Where a restore works; what is complete goes to another folder at once."""

IN_VOLUMES = {"repo1-path": ROOT}
"""The options that lead to a repository in volumes."""

_SEGMENTS_AT_ONCE = 16
# A quiet cluster's newest segments may hold no commit; its jobs commit every minute.
_SEGMENTS_WITHOUT_COMMIT = 64
_COMMITS = ("--rmgr=Transaction", "grep COMMIT")
# With another passphrase what is decrypted is noise.
_WRONG_PASSPHRASE = ("CryptoError", "FormatError")

# pg_waldump complains where a segment ends early: that it was switched is no fault.
_DUMP = """
stanza=$0 options=$1 filter=$2
shift 2
for file in "$@"; do
  segment=/tmp/$(basename "$file" | cut -c 1-24)
  case $file in *.zst) open='zstd -dc' ;; *.lz4) open='lz4 -dc' ;; *.gz) open='gzip -dc' ;; *) open=cat ;; esac
  pgbackrest --stanza="$stanza" repo-get "$file" | $open > "$segment"
  { pg_waldump $options "$segment" 2>/dev/null || :; } | { $filter || :; }
  rm "$segment"
done
"""


@dataclass(frozen=True)
class Source:
    """Whose repository it is, and how pgBackRest reaches it: by default in the volumes that are mounted."""

    stack: str
    passphrase: str
    process_max: int
    options: Mapping[str, str] = field(default_factory=lambda: IN_VOLUMES)
    files: Mapping[str, str] = field(default_factory=dict)
    """Name -> text of what the options name, beside the configuration."""


def configure(place: Place, source: Source) -> None:
    """Write pgBackRest's configuration; passphrase and keys lie in memory only."""
    for name, text in source.files.items():
        place.write(f"{CONFIG_DIR}/{name}", text)
    options = {
        "log-level-console": "off",
        "log-level-stderr": "warn",
        "log-level-file": "off",
        **source.options,
        "repo1-cipher-type": "aes-256-cbc",
        "repo1-cipher-pass": source.passphrase,
        "process-max": str(source.process_max),
        "archive-async": "y",
        "spool-path": f"{HOME}/spool",
    }
    lines = ["[global]", *(f"{key}={value}" for key, value in options.items()), f"[{source.stack}]"]
    place.write(CONF, "\n".join([*lines, f"pg1-path={RESTORING}", ""]))


def find(context: Context, place: Place, source: Source, target: Target) -> tuple[Backup, Target]:
    """Return the backup to begin with, and the target as PostgreSQL is to be told it.

    A named point is looked for in the archived WAL, the newest first: the WAL alone knows where it is.

    :raises PipeError: the target is not kept; the text says what is.
    """
    context.progress(f'looks at what the repository of "{source.stack}" keeps')
    found = _stanza(place, source)
    home = f"archive/{source.stack}/{found.archive_id}"
    names = place.must("listing the archive", "pgbackrest", "--recurse", "repo-ls", home).splitlines()
    listed = [f"{home}/{name}" for name in names]
    files = keep.segments(listed)
    timeline = target.timeline or max(map(keep.timeline_of, files), default=1)
    line = keep.lineage(timeline, _history(place, source, home, timeline, listed))
    way = keep.followed(files, line)
    if timeline not in map(keep.timeline_of, way):
        raise PipeError(
            f'the repository of stack "{source.stack}" has no WAL of timeline {timeline}', "leave restore.timeline out"
        )
    on_the_way = set(way)
    aside = [file for file in files if file not in on_the_way]
    runs = keep.runs(keep.reachable(found.backups, line), way)
    parts = [_kept(place, source, run) for run in runs]
    # What was decided here is what is followed, also when another timeline begins meanwhile.
    exact = replace(target, timeline=timeline)
    if target.name is not None:
        position = _position(context, place, source, way, target.name)
        if position is None:
            raise keep.unknown_point(parts, source.stack, target.name, sorted(set(map(keep.timeline_of, aside))))
        exact = Target(lsn=position, timeline=timeline)
    if target.at is not None:
        for other in sorted(set(map(keep.timeline_of, aside))):
            begins = line.get(other)
            if begins is None:
                begins = keep.beginning(_history(place, source, home, other, listed))
            mine = [file for file in aside if keep.timeline_of(file) == other]
            _refuse_left(place, source, mine, begins, target)
    backup = keep.choose(parts, source.stack, exact)
    if runs[-1].files[-1] != way[-1] and target.at is None and exact.lsn is None:
        context.warning(f"WAL is missing behind {runs[-1].files[-1].rpartition('/')[2][:24]}: the restore ends there")
    return backup, exact


def _history(place: Place, source: Source, home: str, timeline: int, listed: Sequence[str]) -> str:
    """Return a timeline's history; the first one of a cluster has none in its archive."""
    file = f"{home}/{timeline:08X}.history"
    return _file(place, source, file) if file in listed else ""


def _stanza(place: Place, source: Source) -> Stanza:
    result = place.run("pgbackrest", f"--stanza={source.stack}", "--output=json", "info")
    if result.code:
        raise PipeError(f'the repository of stack "{source.stack}" cannot be read: {result.error}')
    if any(error in result.stdout for error in _WRONG_PASSPHRASE):
        raise PipeError(
            f'the passphrase does not open the repository of stack "{source.stack}"',
            "give that stack's own as restore.passphrase; docs/backup-and-restore.md says how to print it",
        )
    if silence := keep.silence(result.stdout, source.stack):
        raise PipeError(
            f'the repository of stack "{source.stack}" does not answer: {silence}',
            "see restore.s3, restore.sftp and restore.network; docs/backup-and-restore.md says what they are",
        )
    found = keep.stanza(result.stdout, source.stack)
    if found is None:
        raise PipeError(f'the repository holds nothing of a stack "{source.stack}"', "see restore.from")
    return found


def _file(place: Place, source: Source, file: str) -> str:
    return place.must(f"reading {file}", "pgbackrest", f"--stanza={source.stack}", "repo-get", file)


def _kept(place: Place, source: Source, run: Run) -> Kept:
    newest = _dump(place, source.stack, run.files[-1:], "", "tail -n 1")
    return Kept(source.stack, run.backups, _last_commit(place, source, run.files), keep.last_lsn(newest) or 0)


def _last_commit(place: Place, source: Source, files: Sequence[str]) -> datetime | None:
    for file in files[: -_SEGMENTS_WITHOUT_COMMIT - 1 : -1]:
        commit = keep.last_commit(_dump(place, source.stack, [file], *_COMMITS))
        if commit is not None:
            return commit
    return None


def _refuse_left(place: Place, source: Source, files: Sequence[str], begins: int, target: Target) -> None:
    """Refuse a moment that another way has, from a position on, though the one that is restored has its time as well.

    :param files: segments of one timeline, in the order of their names.
    """
    dumps = (_dump(place, source.stack, [file], *_COMMITS) for file in files[:_SEGMENTS_WITHOUT_COMMIT])
    first = next((at for at in (keep.first_commit(dump, begins) for dump in dumps) if at), None)
    last = _last_commit(place, source, files) if first else None
    if target.at and first and last and first <= target.at <= last:
        raise keep.left(source.stack, target, keep.timeline_of(files[0]), first, last)


def _position(context: Context, place: Place, source: Source, files: Sequence[str], name: str) -> int | None:
    newest_first = files[::-1]
    for start in range(0, len(newest_first), _SEGMENTS_AT_ONCE):
        context.progress(f'looks for restore point "{name}": {start} of {len(files)} WAL segments seen')
        some = newest_first[start : start + _SEGMENTS_AT_ONCE]
        position = keep.restore_point(_dump(place, source.stack, some, "--rmgr=XLOG", "grep RESTORE_POINT"), name)
        if position is not None:
            return position
    return None


def _dump(place: Place, stanza: str, files: Sequence[str], options: str, filter_: str) -> str:
    """Return what ``pg_waldump`` shows of WAL segments in the repository."""
    return place.must("reading archived WAL", *shell([_DUMP, stanza, options, filter_, *files]))
