"""How clients are told to connect, without any password being seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import state
from cli.__main__ import dispatch
from cli.connect import choose, instructions, passfile_text, settings
from cli.containers import defaults, exec_command
from cli.errors import UserError
from cli.session import Session
from cli.state import State
from setup.paths import Paths
from setup.toolchain import Toolchain

URI = "postgresql://pipe_app:p%3Aa%2Fs@127.0.0.1:15400/pipe?sslmode=verify-full"
OUTPUTS = {
    "endpoints": {"read_write": "127.0.0.1:15400", "read_only": "127.0.0.1:15401"},
    "connections": {"app": {"read_write": URI, "read_only": URI}},
}


def test_the_password_is_in_no_variable() -> None:
    variables, password = settings(URI, Path("/co/.pipe/dev/ca.pem"))
    assert variables == {
        "PGHOST": "127.0.0.1",
        "PGPORT": "15400",
        "PGUSER": "pipe_app",
        "PGDATABASE": "pipe",
        "PGSSLROOTCERT": "/co/.pipe/dev/ca.pem",
        "PGSSLMODE": "verify-full",
    }
    assert password == "p:a/s"


def test_the_password_file_escapes_what_means_something_in_it() -> None:
    variables, _ = settings(URI, Path("ca.pem"))
    assert passfile_text(variables, r"a:b\c") == "127.0.0.1:15400:*:pipe_app:a\\:b\\\\c\n"


def test_of_two_proxies_each_has_its_port_and_its_line() -> None:
    uri = (
        "postgresql://pipe_app_b:p@[::1]:15400,10.0.0.1:15402/pipe?sslmode=verify-full&target_session_attrs=read-write"
    )
    variables, password = settings(uri, Path("ca.pem"))
    assert (variables["PGHOST"], variables["PGPORT"]) == ("::1,10.0.0.1", "15400,15402")
    assert (variables["PGUSER"], variables["PGTARGETSESSIONATTRS"]) == ("pipe_app_b", "read-write")
    lines = passfile_text(variables, password).splitlines()
    assert lines == ["\\:\\:1:15400:*:pipe_app_b:p", "10.0.0.1:15402:*:pipe_app_b:p"]


def test_a_wrong_role_or_target_lists_the_right_ones() -> None:
    assert choose(OUTPUTS, "app", "read_only") == URI
    with pytest.raises(UserError) as caught:
        choose(OUTPUTS, "admin", "read_write")
    assert caught.value.text() == 'error: there is no role "admin" to connect as\nHINT: ROLE is one of app.'
    with pytest.raises(UserError) as caught:
        choose(OUTPUTS, "app", "readonly")
    assert caught.value.text() == 'error: there is no target "readonly"\nHINT: TARGET is one of read_write, read_only.'


def test_the_instructions_show_endpoints_and_no_password() -> None:
    text = instructions("dev", OUTPUTS)
    assert "127.0.0.1:15400" in text
    assert "127.0.0.1:15401" in text
    assert "p%3Aa" not in text
    assert "p:a" not in text


def ran(session: Session, monkeypatch: pytest.MonkeyPatch, command: str, *options: str) -> str | None:
    """What a run that needs no program finds in the authority's file; None without one."""
    found: list[str | None] = []

    def look(*_: object) -> int:
        file = session.runtime / "ca.pem"
        found.append(file.read_text() if file.exists() else None)
        return 0

    def current(_: str | None = None) -> Session:
        return session

    monkeypatch.setattr(Session, "current", current)
    monkeypatch.setattr(Session, "pulumi", look)
    monkeypatch.setattr("os.execve", look)
    monkeypatch.setitem(session.__dict__, "toolchain", Toolchain("airgap", "", "/pulumi"))
    monkeypatch.setitem(session.__dict__, "variables", {"PULUMI_BACKEND_URL": f"file://{session.paths.root}"})
    monkeypatch.chdir(session.paths.root)
    dispatch(command, options)
    return found[0]


RUNS = [("drift",), ("pulumi", "refresh", "--yes"), ("pulumi", "-s", "t-1", "destroy"), ("pulumi", "up", "--refresh")]


@pytest.mark.parametrize("run", RUNS, ids=" ".join)
def test_a_fresh_clone_has_the_authority_before_a_run_without_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: tuple[str, ...]
) -> None:
    session = Session("t-1", Paths(tmp_path), {})
    monkeypatch.setattr(Session, "outputs", lambda _: {"ca_certificate": "PEM"})
    # The stack is there, in a backend that another checkout fills.
    monkeypatch.setattr(state, "read", lambda _: State(()))
    assert ran(session, monkeypatch, *run) == "PEM"


def test_a_stack_without_outputs_runs_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Session) -> dict[str, str]:
        raise UserError("no outputs")

    monkeypatch.setattr(Session, "outputs", none)
    assert ran(Session("t-1", Paths(tmp_path), {}), monkeypatch, "drift") is None


def test_other_commands_do_not_ask_for_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "outputs", lambda _: pytest.fail("not needed"))
    assert ran(Session("t-1", Paths(tmp_path), {}), monkeypatch, "pulumi", "stack", "ls") is None


def test_a_tools_own_options_are_handed_on_untouched() -> None:
    options = ["list", "--format", "json", "a b"]
    command = exec_command("pipe-dev-member-0", ["patronictl", *options], {}, terminal=False)
    assert command == ["docker", "exec", "--interactive", "pipe-dev-member-0", "patronictl", *options]
    with_terminal = exec_command("c", ["pgbackrest"], defaults("dev"), terminal=True)
    assert with_terminal[:4] == ["docker", "exec", "--interactive", "--tty"]
    assert "PGBACKREST_STANZA=dev" in with_terminal
