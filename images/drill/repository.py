"""pgBackRest as the drill needs it: the newest backup, `verify`, `restore`, and a note on the backup.

Every command names its repository. Without one pgBackRest verifies the first alone, takes WAL from wherever it is, and
`annotate` writes what it read in another repository over the list of backups of the first.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.failed import Failed, run

CONFIG = Path("/etc/pipe/pgbackrest.conf")
# In memory: it holds the passphrase, as the file that it is made from.
OWN_CONFIG = Path("/tmp/drill-pgbackrest.conf")
# One file for each repository: its time is that of the last drill that passed. `schedule` makes those that are missing.
TIMES = Path("/var/lib/pgbackrest/schedule")
QUIET = ("--log-level-console=off", "--log-level-stderr=error")
# A segment that was just finished is on its way; archiving that is behind by more than this is a problem by itself.
WAL_WAIT_SECONDS = 300
_PAUSE_SECONDS = 0.5
# As long as a backup may take; the drill has told nobody yet.
LOCK_SECONDS, LOCK_POLL_SECONDS = 3 * 3600, 5.0
# pgBackRest's code of a lock that another command holds.
_LOCKED = "[050]"
_REMOTE_MEMBERS = re.compile(r"^pg\d+-.*\n", re.MULTILINE)
_REPOSITORY = re.compile(r"^repo(\d+)-path=", re.MULTILINE)
# The code in the JSON of a repository that cannot tell.
_SILENT = 99


@dataclass(frozen=True)
class Backup:
    """A backup in a repository."""

    label: str
    bytes: int
    """Size of the database when it was made."""
    made: int
    """When it was complete, in seconds since 1970."""


@dataclass(frozen=True)
class Repository:
    """The stanza's place in one of the repositories."""

    stanza: str
    number: int
    """pgBackRest's."""

    @classmethod
    def every(cls, stanza: str) -> list[Repository]:
        """Return each repository of the configuration."""
        return [cls(stanza, int(number)) for number in _REPOSITORY.findall(CONFIG.read_text())]

    def newest(self) -> Backup:
        """Return the newest backup without an error, of whatever type."""
        good = [backup for backup in self._info().get("backup", []) if not backup.get("error")]
        if not good:
            raise Failed(f'the stanza "{self.stanza}" has no backup')
        last = max(good, key=lambda backup: int(backup["timestamp"]["stop"]))
        return Backup(str(last["label"]), int(last["info"]["size"]), int(last["timestamp"]["stop"]))

    def wait_for(self, segment: str) -> None:
        """Wait until the segment is archived; the names of segments of one timeline are in order."""
        deadline = time.monotonic() + WAL_WAIT_SECONDS
        while not self._has(segment):
            if time.monotonic() > deadline:
                raise Failed(f"WAL segment {segment} is not in the repository after {WAL_WAIT_SECONDS} s")
            time.sleep(_PAUSE_SECONDS)

    def verify(self) -> list[str]:
        """Return what `pgbackrest verify` finds: it reads every backup and all WAL, and ends with 0 in any case."""
        said = run("pgbackrest verify", self._command(CONFIG, "--output=text", "verify"))
        if "status: error" not in said:
            return []
        # The first two lines are the stanza and its status.
        found = [" ".join(line.split()) for line in said.splitlines()[2:] if line.strip()]
        return [f"pgbackrest verify: {'; '.join(found)}"]

    def restore(self, data: Path, backup: Backup) -> None:
        """Restore the backup to `data`, which is this host's and not a member's."""
        OWN_CONFIG.touch(mode=0o600)
        own = _REMOTE_MEMBERS.sub("", CONFIG.read_text())
        OWN_CONFIG.write_text(f"{own}\n[{self.stanza}]\npg1-path={data}\n")
        run("pgbackrest restore", self._command(OWN_CONFIG, f"--set={backup.label}", "restore"))

    @property
    def restore_command(self) -> str:
        """Fetches WAL for PostgreSQL."""
        return f'pgbackrest --config={OWN_CONFIG} --stanza={self.stanza} --repo={self.number} archive-get %f "%p"'

    @staticmethod
    def forget() -> None:
        """Remove what a restore needed."""
        OWN_CONFIG.unlink(missing_ok=True)

    def passed(self) -> None:
        """Set the time of the last drill that passed, which stays when the backup expires."""
        (TIMES / f"drilled-{self.number}").touch()

    def annotate(self, backup: Backup, note: str) -> None:
        """Note the drill's result on the backup, where `pgbackrest info` shows it whatever becomes of the database.

        A backup that is being taken holds the lock that this needs; it is waited for.
        """
        command = self._command(CONFIG, f"--set={backup.label}", f"--annotation=drill={note}", "annotate")
        deadline, told = time.monotonic() + LOCK_SECONDS, False
        while True:
            try:
                run("pgbackrest annotate", command)
                return
            except Failed as failed:
                if _LOCKED not in str(failed) or time.monotonic() > deadline:
                    raise
            if not told:
                print(f"waits until repository {self.number} takes a note: a backup is being taken", flush=True)
                told = True
            time.sleep(LOCK_POLL_SECONDS)

    def _has(self, segment: str) -> bool:
        newest = [str(archive["max"]) for archive in self._info().get("archive", []) if archive.get("max")]
        return any(found >= segment for found in newest)

    def _info(self) -> dict[str, Any]:
        document = json.loads(run("pgbackrest info", self._command(CONFIG, "--output=json", "info")))
        found = next((dict(entry) for entry in document if entry["name"] == self.stanza), {})
        for repository in found.get("repo", []):
            if repository["status"]["code"] == _SILENT:
                raise Failed(f"the repository does not answer: {' '.join(repository['status']['message'].split())}")
        return found

    def _command(self, config: Path, *words: str) -> list[str]:
        about = (f"--config={config}", f"--stanza={self.stanza}", f"--repo={self.number}")
        return ["pgbackrest", *about, *QUIET, *words]


def newest(stanza: str) -> tuple[Repository, Backup]:
    """Return the newest backup of all repositories, and which has it; one that has none or is away is passed over."""
    found, problem = [], Failed(f'the stanza "{stanza}" has no repository')
    for repository in Repository.every(stanza):
        try:
            found.append((repository, repository.newest()))
        except Failed as failed:
            problem = failed
    if not found:
        raise problem
    return max(found, key=lambda pair: pair[1].made)
