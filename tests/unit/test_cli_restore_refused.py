"""What a refused or an interrupted `make restore` leaves: the stack's file as it was, or none."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from cli import containers, engine, recover, restore, source, stackfile, state, up
from cli.environment import ALLOW_LOCAL
from cli.errors import UserError
from cli.obstacles import look
from cli.obstacles.rules import Obstacles
from cli.pause import RESTORE, pauses
from cli.session import Session
from cli.source import Source
from cli.state import State
from provider.errors import PipeError
from provider.restore import restore as provider
from provider.restore.moments import Target
from setup.paths import Paths
from setup.toolchain import Toolchain
from tests.unit.imagined import BACKUP

FILE = "# by hand\nconfig:\n  pipe:environment: test\n  pipe:network:\n    port_base: 15400\n"
WORDS = ["FROM=prod", "NAME=20261127"]


class Pulumi:
    """Stands for the program: notes what it is asked, and writes something into the stack's file with each key."""

    def __init__(self, refused: str = "") -> None:
        self.refused = refused
        self.asked: list[tuple[str, ...]] = []

    def ask(self, session: Session, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        self.asked.append(words)
        if words[0] == "config":
            with stackfile.path_of(session.paths.root, session.stack).open("a") as file:
                file.write(f"# {words[-3]}: {stdin}\n")
        refuses = bool(self.refused) and self.refused in words
        return subprocess.CompletedProcess(words, int(refuses), "", "error: no\n" if refuses else "")

    @property
    def has_removed(self) -> bool:
        return any(words[:2] == ("stack", "rm") for words in self.asked)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a file of stack "prod", whose repository is found; none has a state, and `pulumi up` fails."""

    def found(*_: object) -> Source:
        return Source("prod", "s3", "pass", {"bucket": "42", "secret_key": "hidden"})

    def ignored(*_: object) -> None:
        return None

    (tmp_path / "stacks").mkdir()
    stackfile.path_of(tmp_path, "prod").write_text("config:\n  pipe:environment: prod\n")
    monkeypatch.setattr(Session, "toolchain", Toolchain("airgap", "", "/pulumi"))
    monkeypatch.setattr(Session, "pulumi", lambda *_: 255)
    monkeypatch.setattr(source, "find", found)
    monkeypatch.setattr(state, "read", lambda session: ignored(session.backend))
    monkeypatch.setattr(recover, "recover", lambda session: ignored(session.backend))
    monkeypatch.setattr(up, "create", ignored)
    monkeypatch.setattr(look, "refuse", lambda session: ignored(session.backend))
    return tmp_path


@pytest.fixture
def pulumi(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pulumi]:
    def make(refused: str = "") -> Pulumi:
        made = Pulumi(refused)
        monkeypatch.setattr(Session, "ask", lambda session, *words, stdin=None: made.ask(session, *words, stdin=stdin))
        return made

    return make


def test_a_copy_of_prod_is_not_made_in_this_checkouts_own_state(root: Path, pulumi: Callable[..., Pulumi]) -> None:
    """Of which kind the new stack is, only the copied file says."""
    asked = pulumi().asked
    with pytest.raises(UserError, match=r'stack "new" \(prod\) does not run with this checkout\'s own state'):
        restore.run(Session("new", Paths(root), {}), WORDS, None)
    assert (asked, stackfile.path_of(root, "new").exists()) == ([], False)


def test_a_refused_restore_leaves_no_file_that_was_not_there(root: Path, pulumi: Callable[..., Pulumi]) -> None:
    called = pulumi()
    assert restore.run(Session("new", Paths(root), {ALLOW_LOCAL: "1"}), WORDS, None) == 255
    assert (called.has_removed, stackfile.path_of(root, "new").exists()) == (True, False)


@pytest.mark.parametrize("refused", ["", "pipe:restore.s3.secret_key"])
def test_a_file_that_was_there_is_what_it_was(
    root: Path, pulumi: Callable[..., Pulumi], capsys: pytest.CaptureFixture[str], refused: str
) -> None:
    """Also where Pulumi refuses one of the keys; a later `make up` must not try the restore."""
    file, called = stackfile.path_of(root, "new"), pulumi(refused)
    file.write_text(FILE)
    if refused:
        with pytest.raises(UserError, match=f"{refused} cannot be configured: no"):
            restore.run(Session("new", Paths(root), {}), WORDS, None)
    else:
        assert restore.run(Session("new", Paths(root), {}), WORDS, None) == 255
        assert capsys.readouterr().out == 'nothing was changed: stack "new" is not made\n'
    assert (called.has_removed, file.read_text()) == (True, FILE)


def test_texts_are_configured_as_texts_and_the_passphrase_last(root: Path, pulumi: Callable[..., Pulumi]) -> None:
    """A restore point or a bucket of digits would be a number to Pulumi, which the settings refuse."""
    file, called = stackfile.path_of(root, "new"), pulumi()
    present = {"passphrase": {"secure": "v1:x"}, "sftp": {"host": "h"}, "at": "2026-05-01 12:00:00+09"}
    file.write_text(yaml.safe_dump({"config": {"pipe:environment": "test", "pipe:restore": present}}))
    restore.run(Session("new", Paths(root), {}), WORDS, None)
    steps = [(*words[1:-4], words[-3]) for words in called.asked if words[0] == "config"]
    assert steps == [
        ("rm", "pipe:restore.passphrase"),
        ("rm", "pipe:restore.sftp"),
        ("rm", "pipe:restore.at"),
        ("set", "--type", "string", "pipe:restore.from"),
        ("set", "--type", "string", "pipe:restore.name"),
        ("set", "--type", "string", "pipe:restore.repository"),
        ("set", "--type", "string", "pipe:restore.s3.bucket"),
        ("set", "--secret", "pipe:restore.s3.secret_key"),
        ("set", "--secret", "pipe:restore.passphrase"),
    ]


def test_what_an_up_would_meet_is_refused_before_the_stack_is_there(
    root: Path, pulumi: Callable[..., Pulumi], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Session) -> None:
        raise Obstacles([UserError("the disk is full")])

    called = pulumi()
    monkeypatch.setattr(look, "refuse", full)
    with pytest.raises(Obstacles, match="the disk is full"):
        restore.run(Session("new", Paths(root), {ALLOW_LOCAL: "1"}), WORDS, None)
    assert (called.asked, stackfile.path_of(root, "new").exists()) == ([], False)


BEGUN = """\
config:
  pipe:environment: test
  pipe:restore:
    from: prod
    name: then
    passphrase:
      secure: v1:x
"""
MADE = {"urn": f"urn:pulumi:new::pipe::pipe:cluster:Restore${RESTORE}::restore-done", "type": RESTORE}
NETWORK = {"urn": f"urn:pulumi:new::pipe::{recover.NETWORK}::network", "type": recover.NETWORK}


def failed(message: str, urn: str = MADE["urn"], severity: str = "error") -> dict[str, Any]:
    """What Pulumi writes down of a resource that failed."""
    return {
        "sequence": 1,
        "diagnosticEvent": {"urn": urn, "prefix": "error: ", "message": message, "severity": severity},
    }


PAUSED = failed('the restore of "prod" pauses at 2026-05-01 03:00:00+00: LSN 0/5\nHINT: look at it')
REFUSED = failed('the repository of stack "prod" cannot restore 2100-01-01 00:00:00+00: it keeps …')


@pytest.fixture
def begun(
    root: Path, pulumi: Callable[..., Pulumi], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]], Path]:
    """A restore that pauses, in a container; then `pulumi up` fails with these events and leaves these resources."""

    def begin(events: Sequence[Mapping[str, Any]], resources: Sequence[Mapping[str, Any]]) -> Path:
        def failing(_: Session, arguments: Sequence[str]) -> int:
            log = Path(arguments[arguments.index("--event-log") + 1])
            log.write_text("".join(f"{json.dumps(event)}\n" for event in events) + '{"torn')
            after.append(State(tuple(resources)))
            return 255

        pulumi()
        after = [State((NETWORK,))]
        monkeypatch.setattr(Session, "pulumi", failing)
        monkeypatch.setattr(state, "read", lambda _: after[-1])
        monkeypatch.setattr(recover, "recover", lambda _: after[-1])
        monkeypatch.setattr(engine, "client", lambda: None)
        monkeypatch.setattr(containers, "running", lambda *_: [{"Names": ["/pipe-new-restore"]}])
        file = stackfile.path_of(root, "new")
        file.write_text(BEGUN)
        return file

    return begin


@pytest.mark.parametrize("asked", [["AT=2100-01-01 00:00:00+00", "PAUSE=yes"], ["AT=2026-05-01 12:00:00+09", "NAME=x"]])
def test_a_refused_step_of_a_paused_restore_fails_and_keeps_its_former_target(
    begun: Callable[..., Path], root: Path, capsys: pytest.CaptureFixture[str], asked: list[str]
) -> None:
    """The container of the pause runs on, which is no sign of success: a later PAUSE=no must not try the year 2100."""
    file = begun([REFUSED], [NETWORK])
    assert restore.run(Session("new", Paths(root), {}), asked, None) == 255
    assert file.read_text() == BEGUN
    assert capsys.readouterr().out == (
        "the restore did not go on: it pauses where it did before; stacks/Pulumi.new.yaml has its former target again\n"
    )


def test_a_restore_that_comes_to_its_target_and_pauses_is_no_failure(
    begun: Callable[..., Path], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = begun([PAUSED, failed("update failed", "urn:pulumi:new::pipe::pulumi:pulumi:Stack::pipe-new")], [NETWORK])
    assert restore.run(Session("new", Paths(root), {}), ["LSN=0/5", "PAUSE=yes"], None) == 0
    assert "look        docker exec -it pipe-new-restore psql -d pipe" in capsys.readouterr().out
    assert file.read_text() != BEGUN


def test_a_failure_after_the_restore_keeps_the_target_that_the_stack_was_made_from(
    begun: Callable[..., Path], root: Path
) -> None:
    file = begun([failed("no room", NETWORK["urn"])], [NETWORK, MADE])
    assert restore.run(Session("new", Paths(root), {}), ["LSN=0/5", "PAUSE=no"], None) == 255
    assert file.read_text() != BEGUN


def test_what_the_provider_says_of_a_pause_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a sentence for people, and the only sign."""
    there = SimpleNamespace(run=lambda *_: SimpleNamespace(code=1))
    monkeypatch.setattr("provider.restore.restore.place", lambda *_, keep: nullcontext(there))
    monkeypatch.setattr("provider.restore.look.configure", lambda *_: None)
    monkeypatch.setattr("provider.restore.look.find", lambda *_: (BACKUP, Target()))
    monkeypatch.setattr("provider.restore.room.require", lambda *_: None)
    for step in ("clear", "fetch", "replay"):
        monkeypatch.setattr(f"provider.restore.replay.{step}", lambda *_, **__: "0/5")
    whose: Any = SimpleNamespace(stack="prod")
    site: Any = SimpleNamespace(container="pipe-new-restore")
    with pytest.raises(PipeError) as caught:
        provider.restore(None, site, whose, Target(), 1, pause=True)  # type: ignore[arg-type]
    assert pauses([failed(str(caught.value))])


def test_only_the_restores_own_error_tells_that_it_pauses() -> None:
    words = 'the restore of "prod" pauses at LSN 0/5'
    assert pauses([REFUSED, PAUSED])
    assert not pauses([REFUSED, failed(words, severity="info"), failed(words, NETWORK["urn"]), {"summaryEvent": {}}])
