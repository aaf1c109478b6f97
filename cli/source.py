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
from infra.settings import RestoreSettings, S3Place, SftpPlace

ACCESS, PASSPHRASE = "backup_access", "backup_passphrase"
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
    return Source(stack, chosen, str(access["passphrase"]), access.get(chosen) or {})


def choose(stack: str, listed: Sequence[str], wanted: str | None) -> str:
    """The repository to read. Raises UserError when the stack's own list lacks the one that is wanted."""
    if wanted and listed and wanted not in listed:
        raise UserError(
            f'stack "{stack}" keeps no backups in {wanted}: its repositories are {", ".join(listed)}',
            "REPOSITORY= takes one of them; what a place still holds that has left the list is old.",
        )
    return wanted or next(iter(listed), VOLUME)


def parse(text: str) -> Mapping[str, Any]:
    """What was kept elsewhere: the output of access as it is printed, or the passphrase alone."""
    if not text.startswith("{"):
        return {"passphrase": text}
    try:
        return dict(json.loads(text))
    except ValueError:
        raise UserError(
            "KEY_FILE holds neither a passphrase nor access to a repository",
            f"it is what `bin/pulumi stack output {ACCESS} --show-secrets` prints.",
        ) from None


def _text(key_file: str) -> str:
    try:
        return Path(key_file).read_text().strip()
    except OSError as error:
        raise UserError(f'KEY_FILE "{key_file}" cannot be read: {error.strerror}') from None
