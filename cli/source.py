"""The repository that a restore reads: by the outputs of its stack, or by what was printed once and kept elsewhere.

Whoever restored from a place that has left the stack's list would get an old state without a word: that is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cli import stackfile
from cli.errors import UserError
from cli.session import Session
from cli.status import collect
from infra.settings import RestoreSettings, S3Place, SftpPlace

ACCESS, PASSPHRASE = "backup_access", "backup_passphrase"
KEPT = f"it is what `bin/pulumi stack output {ACCESS} --show-secrets` prints."
VOLUME = "volume"
PLACES: Mapping[str, type[S3Place] | type[SftpPlace]] = {"s3": S3Place, "sftp": SftpPlace}
KINDS = (VOLUME, *PLACES)


@dataclass(frozen=True)
class Source:
    """A stack's repository. `place` has the settings that lead to a bucket or a server; a volume needs none."""

    stack: str
    repository: str
    passphrase: str = field(repr=False)
    place: Mapping[str, Any] = field(default_factory=dict, repr=False)
    listed: tuple[str, ...] = ()
    """All that the stack has, in the order of pgBackRest's numbers; empty where nothing tells."""

    @property
    def number(self) -> int:
        """Its number in the stack itself."""
        return self.listed.index(self.repository) + 1 if self.repository in self.listed else 1

    @property
    def settings(self) -> RestoreSettings:
        """The same as the section `restore`."""
        kind = PLACES.get(self.repository)
        place: dict[str, Any] = {self.repository: kind(**self.place)} if kind else {}
        chosen: Any = self.repository
        return RestoreSettings(from_=self.stack, repository=chosen, passphrase=self.passphrase, **place)

    @property
    def secret(self) -> set[str]:
        """The names in `place` that are to be encrypted."""
        kind = PLACES.get(self.repository)
        return {item.name for item in fields(kind) if item.metadata["secret"]} if kind else set()


def find(session: Session, stack: str, repository: str | None = None, key_file: str | None = None) -> Source:
    """Find how the repository is read, the first of the stack's list where none is named.

    Raises UserError when nothing says so, or when the stack keeps its backups elsewhere.
    """
    stackfile.check_name(stack)
    kept = parse(_text(key_file)) if key_file else {}
    try:
        outputs = Session(stack, session.paths, session.environ).outputs()
    except UserError as error:
        if not kept:
            hint = "where that stack's state is gone, give what was printed and kept elsewhere: KEY_FILE=file."
            raise UserError(error.fact, hint) from None
        outputs = {}
    access = {"passphrase": outputs.get(PASSPHRASE), **(outputs.get(ACCESS) or {}), **kept}
    if not access.get("passphrase"):
        raise UserError(f'stack "{stack}" has no output "{PASSPHRASE}" yet', f"`make up STACK={stack}` makes it.")
    listed = (outputs.get("backup") or access).get("repositories") or ()
    chosen = choose(stack, listed, repository)
    return Source(stack, chosen, str(access["passphrase"]), access.get(chosen) or {}, tuple(listed))


def refuse_unreached(read: Source, otherwise: str) -> None:
    """Raise UserError when nothing leads to the bucket or the server: a stack of earlier code does not tell.

    :param otherwise: what to do where that stack is not to be touched.
    """
    if read.repository != VOLUME and not read.place:
        raise UserError(
            f'nothing says how repository {read.repository} of stack "{read.stack}" is reached',
            f"`make up STACK={read.stack}` adds it to the outputs; {otherwise}",
        )


def choose(stack: str, listed: Sequence[str], wanted: str | None) -> str:
    """The repository to read. Raises UserError when the stack's own list lacks the one that is wanted."""
    if wanted and listed and wanted not in listed:
        raise UserError(
            f'stack "{stack}" keeps no backups in {wanted}: its repositories are {", ".join(listed)}',
            "REPOSITORY= takes one of them; what a place still holds that has left the list is old.",
        )
    return wanted or next(iter(listed), VOLUME)


def first_to_answer(read: Source, info: Sequence[Mapping[str, Any]] | None) -> int:
    """Return the number of the repository that replicas are made from: the first of the stack's list that answers.

    The one that was just read does, whatever `pgbackrest info` tells.
    """
    if info is None:
        return read.number
    away = collect.silent(info)
    return next((number for number in range(1, read.number) if number not in away), read.number)


def parse(text: str) -> Mapping[str, Any]:
    """What was kept elsewhere: the output of access as it is printed, or the passphrase alone."""
    if not text.startswith("{"):
        return {"passphrase": text}
    try:
        return dict(json.loads(text))
    except ValueError:
        raise UserError(
            "KEY_FILE holds neither a passphrase nor access to a repository",
            KEPT,
        ) from None


def _text(key_file: str) -> str:
    try:
        return Path(key_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f'KEY_FILE "{key_file}" cannot be read: {error.strerror}', KEPT) from None
    except UnicodeDecodeError:
        raise UserError(f'KEY_FILE "{key_file}" is no text', KEPT) from None
