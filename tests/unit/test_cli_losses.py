"""What is said of a stack that somebody is about to remove."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cli import drill, losses, state
from cli.__main__ import dispatch
from cli.errors import UserError
from cli.session import Session
from cli.state import State
from setup.paths import Paths
from setup.toolchain import Toolchain
from tests.unit.test_cli_recover import resource


def backup(kind: str, stop: int, *, error: bool = False, repository: int = 1) -> dict[str, Any]:
    return {"type": kind, "timestamp": {"stop": stop}, "error": error, "database": {"repo-key": repository}}


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (None, "a repository that does not answer now"),
        ([], "no backup"),
        ([{"name": "dev"}], "no backup"),
        ([{"name": "dev", "repo": [{"key": 1, "status": {"code": 2, "message": "no valid backups"}}]}], "no backup"),
        (
            [{"name": "dev", "repo": [{"key": 1, "status": {"code": 99, "message": "[CryptoError] …"}}], "backup": []}],
            "a repository that does not answer now",
        ),
        (
            [
                {
                    "backup": [
                        backup("full", 1795674641),
                        backup("diff", 1795675000),
                        backup("full", 1795676000, error=True),
                    ]
                }
            ],
            "2 backups, the last (diff) of 2026-11-26 06:36:40+00",
        ),
    ],
)
def test_the_last_good_backup_is_named(info: list[dict[str, Any]] | None, text: str) -> None:
    assert losses.backups(info, ["volume"]) == text


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        (["volume"], "1 backup, the last (full) of 2026-11-26 06:30:41+00"),
        (
            ["volume", "s3"],
            "1 backup, the last (full) of 2026-11-26 06:30:41+00, and the passphrase of the backups that stay (s3)",
        ),
        (
            ["sftp", "volume"],
            "1 backup, the last (diff) of 2026-11-26 06:36:40+00, and the passphrase of the backups that stay (sftp)",
        ),
        (["s3", "sftp"], "the passphrase of the backups that stay (s3, sftp)"),
    ],
)
def test_only_what_is_in_a_volume_goes_with_the_stack(kinds: list[str], text: str) -> None:
    info = [{"backup": [backup("full", 1795674641), backup("diff", 1795675000, repository=2)]}]
    assert losses.backups(info, kinds) == text


def test_the_database_is_named_by_its_size_and_tenants() -> None:
    assert losses.database(("35 MB", 200, 3)) == "a database of 35 MB with 200 organizations and 3 users"
    assert losses.database(None) == "a database that does not answer now"


AWAY = {"code": 99, "message": "[HostConnectError] …"}
PASSED = {"annotation": {"drill": "passed 2026-11-26T06:56:09Z"}, "label": "20261126-064433F"}
LAST = "the last backup that passed a restore drill is 20261126-064433F, on 2026-11-26 06:56 UTC"


def stanza(*backups: dict[str, Any], name: str = "dev", **status: dict[str, Any]) -> dict[str, Any]:
    """What pgBackRest says of two repositories that answer, unless another status is given as repo1 or repo2."""
    places = [{"key": n, "status": status.get(f"repo{n}", {"code": 0, "message": "ok"})} for n in (1, 2)]
    return {"name": name, "repo": places, "backup": list(backups)}


@pytest.mark.parametrize(
    ("info", "text"),
    [
        ([stanza(backup("full", 1795674641) | PASSED)], LAST),
        ([stanza(backup("full", 1795674641))], "no backup that is kept has passed a restore drill"),
        ([], "no backup that is kept has passed a restore drill"),
        (None, "its repository does not answer, so the last restore drill is not known"),
        (
            [stanza(repo1=AWAY, repo2=AWAY)],
            "repositories 1, 2 do not answer, so the last restore drill is not known",
        ),
        # Whose stanzas cannot even be listed, as where the repository's folder is away.
        (
            [stanza(name="[invalid]", repo1=AWAY)],
            "repository 1 does not answer, so the last restore drill is not known",
        ),
        (
            [stanza(backup("full", 1795674641, repository=2), repo1=AWAY)],
            "repository 1 does not answer, so the last restore drill is not known",
        ),
        (
            [stanza(backup("full", 1795674641, repository=2) | PASSED, repo1=AWAY)],
            f"{LAST}, as far as is known: repository 1 does not answer",
        ),
    ],
)
def test_the_last_drill_is_not_known_where_a_repository_does_not_answer(
    info: list[dict[str, Any]] | None, text: str
) -> None:
    assert drill.told(info, "dev") == text


class Replaced(Exception):
    """This process became Pulumi."""


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, known: State | None, *run: str
) -> str:
    """Return what is said before Pulumi runs for a stack with this state, none of whose containers answer."""

    def become(*_: object) -> None:
        raise Replaced

    def drilled(_: str) -> str:
        return "the last backup that passed a restore drill is A"

    def outputs(_: Session) -> Mapping[str, Any]:
        raise UserError("no outputs")

    session = Session("prod", Paths(folder), {})
    monkeypatch.setattr(Session, "current", lambda _=None: session)
    monkeypatch.setattr(Session, "outputs", outputs)
    monkeypatch.setitem(session.__dict__, "toolchain", Toolchain("airgap", "", "/pulumi"))
    monkeypatch.setitem(session.__dict__, "variables", {})
    monkeypatch.setattr(state, "read", lambda _: known)
    monkeypatch.setattr(losses, "_info", lambda _: None)
    monkeypatch.setattr(drill, "last_drilled", drilled)
    monkeypatch.setattr("os.execve", become)
    monkeypatch.chdir(folder)
    with pytest.raises(Replaced):
        dispatch("pulumi", run)
    return capsys.readouterr().err


PROTECTED = State((resource("t", "member-0-data", protect=True),))


@pytest.mark.parametrize("command", ["destroy", "down"])
def test_pulumis_own_destroy_of_a_protected_stack_says_what_would_be_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    assert said(monkeypatch, capsys, tmp_path, PROTECTED, command, "--yes") == (
        'stack "prod" is protected; lost would be a database that does not answer now, and a repository that does not'
        " answer now; the last backup that passed a restore drill is A\n"
    )


def test_nothing_is_said_of_what_is_not_protected_or_not_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert said(monkeypatch, capsys, tmp_path, State((resource("t", "a"),)), "destroy") == ""
    assert said(monkeypatch, capsys, tmp_path, None, "destroy") == ""
    assert said(monkeypatch, capsys, tmp_path, PROTECTED, "stack", "ls") == ""
