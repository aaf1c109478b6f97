"""Judges the whole list of migrations: by itself, against the list before, and against what a database has. Pure.

Every reason is one sentence, and all of them are found before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from provider.errors import PipeError
from provider.sql.plan import Applied, File, faults, migration_faults
from provider.sql.scanner import split

_PATTERN = re.compile(r"(?!0000)\d{4}_[a-z0-9_]+\.sql")
_VERIFY_PATTERN = re.compile(r"\d{4}(_[a-z0-9_]+)?\.sql")
_RESTORE = "git log --all --stat -- {file}"


def list_faults(files: Sequence[File], verify: Sequence[File], known: Collection[str] = ()) -> Iterator[str]:
    """Yield what is wrong with the files themselves: names, numbers, texts.

    :param known: checksums of texts that were judged before and have run since: a rule that came later would ask for a
        change of what must not change any more.
    """
    numbered: dict[str, File] = {}
    for file in files:
        if not _PATTERN.fullmatch(file.file.rpartition("/")[2]):
            yield f'"{file.file}" is not named like a migration: name it "NNNN_what_it_does.sql", from 0001 on'
        elif file.version in numbered:
            first = numbered[file.version].file
            yield f'"{first}" and "{file.file}" have the same number: give the newer one the next free number'
        else:
            numbered[file.version] = file
        for reason in () if file.checksum in known else migration_faults(file.sql):
            yield f'"{file.file}" cannot be applied: {reason}'
    yield from _gaps(numbered)
    yield from _verify_faults(verify, numbered)


def history_faults(files: Sequence[File], applied: Mapping[str, Applied]) -> Iterator[str]:
    """Yield where the files contradict what was applied: changed, missing, or older than the newest one."""
    present = {file.version: file for file in files}
    for version, row in sorted(applied.items()):
        if version not in present and not row.is_untouched:
            yield (
                f'migration "{version}" was applied at {row.applied_at} from "{row.file}", and its file is missing:'
                f" restore it ({_RESTORE.format(file=row.file)})"
            )
    newest = max((version for version, row in applied.items() if row.state != "partial"), default="")
    for file in files:
        known = applied.get(file.version)
        if known is None and file.version < newest:
            yield (
                f'"{file.file}" is older than "{newest}", which is the newest one applied: on a new stack it would run'
                " before; give it the next free number"
            )
        elif known is not None and known.state == "partial":
            yield from _changed_beginning(file, known)
        elif known is not None and known.checksum != file.checksum:
            yield changed(file, known)


def changed(file: File, row: Applied) -> str:
    """Say that a file is not what was applied."""
    source = "" if row.file == file.file else f' (applied from "{row.file}")'
    return (
        f'migration "{file.version}" was changed after it was applied: "{file.file}"{source} has the checksum'
        f" {file.checksum}, but {row.checksum} was applied; restore the file as it was"
        f" (git log -- {file.file}) and write what is new into a new migration"
    )


def pending(files: Sequence[File], applied: Mapping[str, Applied]) -> list[File]:
    """Return the files that have something left to do, in order."""
    return [file for file in files if file.version not in applied or applied[file.version].state != "applied"]


def how_far(file: File, row: Applied | None) -> str:
    """Say what is left of a pending file that has begun; nothing of any other."""
    if row is None or row.is_untouched:
        return ""
    if row.state == "unverified":
        return ", whose check is left"
    return f", from statement {(row.statements_done or 0) + 1} of {len(split(file.sql))} on"


def refused(reasons: Sequence[str]) -> PipeError:
    """Return the error of a list that cannot be applied."""
    return PipeError("\n".join(("the migrations do not fit to what was applied:", *reasons)))


def _gaps(numbered: Mapping[str, File]) -> Iterator[str]:
    expected = 1
    for version, file in sorted(numbered.items()):
        number = int(version)
        if number > expected:
            lacking = f"{expected:04d}" if number == expected + 1 else f"{expected:04d} to {number - 1:04d}"
            yield f'there is no migration {lacking} before "{file.file}": number the files without a gap'
        expected = number + 1


def _verify_faults(verify: Sequence[File], numbered: Mapping[str, File]) -> Iterator[str]:
    seen: dict[str, File] = {}
    for script in verify:
        if script.version not in numbered or not _VERIFY_PATTERN.fullmatch(script.file.rpartition("/")[2]):
            yield f'"{script.file}" verifies no migration: name it after the number of one, "NNNN.sql"'
        if script.version in seen:
            yield f'"{seen[script.version].file}" and "{script.file}" verify the same migration: join them'
        seen[script.version] = script
        for reason in faults(script.sql):
            yield f'"{script.file}" cannot run: {reason}'


def _changed_beginning(file: File, row: Applied) -> Iterator[str]:
    """A file that stopped in the middle may be corrected, but not where it is done already."""
    done = row.statements_done or 0
    before, now = ([item.text for item in split(text)[:done]] for text in (row.sql, file.sql))
    if before != now:
        yield (
            f'"{file.file}" was changed in what is done already: its first {done} statements ran at {row.applied_at};'
            f" restore these (git log -- {file.file}) and correct what follows"
        )
