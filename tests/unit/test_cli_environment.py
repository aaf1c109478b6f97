"""Which backend and whose secrets a stack runs with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.__main__ import stack_option
from cli.environment import Target, check, path, variables
from cli.errors import UserError
from cli.session import Session
from setup.paths import Paths
from setup.toolchain import Toolchain

PATHS = Paths(Path("/co"))
LOCAL = "file:///co/.tools/state?metadata=skip"
AIRGAP = Toolchain("airgap", "why", "/co/.tools/pulumi/pulumi")
OFFICIAL = Toolchain("official", "why", "/usr/bin/pulumi")
DEV, PROD = Target("dev", "dev"), Target("prod", "prod")
SHARED = {"PULUMI_BACKEND_URL": "s3://bucket", "PULUMI_CONFIG_PASSPHRASE": "x"}


def test_a_local_stack_asks_nothing() -> None:
    found = variables(DEV, PATHS, AIRGAP, {"PATH": "/bin"})
    assert found["PULUMI_BACKEND_URL"] == LOCAL
    assert found["PULUMI_CONFIG_PASSPHRASE_FILE"] == "/co/.tools/passphrase"
    assert found["PULUMI_HOME"] == "/co/.tools/home"
    assert found["PULUMI_STACK"] == "dev"


def test_a_local_stack_takes_what_the_caller_sets() -> None:
    found = variables(DEV, PATHS, AIRGAP, SHARED)
    assert found["PULUMI_BACKEND_URL"] == "s3://bucket"
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in found


def test_what_is_empty_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("dev", PATHS, {"PULUMI_BACKEND_URL": "", "PULUMI_CONFIG_PASSPHRASE": "", "HOME": ""})
    monkeypatch.setitem(session.__dict__, "variables", variables(DEV, PATHS, AIRGAP, session.environ))
    assert session.env["PULUMI_BACKEND_URL"] == LOCAL
    assert session.env["PULUMI_CONFIG_PASSPHRASE_FILE"] == "/co/.tools/passphrase"
    # Pulumi takes an empty passphrase for one, and prefers it to the file.
    assert "PULUMI_CONFIG_PASSPHRASE" not in session.env
    assert session.env["HOME"] == ""


@pytest.mark.parametrize("kind", ["staging", "prod"])
def test_a_shared_stack_refuses_everything_local(kind: str) -> None:
    with pytest.raises(UserError) as caught:
        check(Target("main", kind), PATHS, {})
    assert caught.value.text() == (
        f'error: stack "main" ({kind}) does not run with this checkout\'s own state and passphrase: PULUMI_BACKEND_URL '
        "and PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE or PIPE_SECRETS_PROVIDER must be set\n"
        "HINT: set what everyone who runs the stack shares; to try it with local ones, set PIPE_ALLOW_LOCAL_STATE=1."
    )


@pytest.mark.parametrize(
    ("environ", "lacking"),
    [
        # What `make env` of a local stack left in the shell is not the caller's choice.
        ({**SHARED, "PULUMI_BACKEND_URL": LOCAL}, "PULUMI_BACKEND_URL"),
        ({**SHARED, "PULUMI_BACKEND_URL": "file:///co/.tools/state/"}, "PULUMI_BACKEND_URL"),
        ({"PULUMI_BACKEND_URL": "s3://bucket"}, "PULUMI_CONFIG_PASSPHRASE"),
        # What CI makes of a secret that nobody has set.
        ({**SHARED, "PULUMI_BACKEND_URL": ""}, "PULUMI_BACKEND_URL"),
        ({**SHARED, "PULUMI_CONFIG_PASSPHRASE": ""}, "PULUMI_CONFIG_PASSPHRASE"),
        ({"PULUMI_BACKEND_URL": "", "PULUMI_CONFIG_PASSPHRASE": ""}, "PULUMI_BACKEND_URL and PULUMI_CONFIG_PASSPHRASE"),
        (
            {"PULUMI_BACKEND_URL": "s3://bucket", "PULUMI_CONFIG_PASSPHRASE_FILE": "/co/.tools/passphrase"},
            "PULUMI_CONFIG_PASSPHRASE",
        ),
    ],
)
def test_a_shared_stack_refuses_one_local_part(environ: dict[str, str], lacking: str) -> None:
    with pytest.raises(UserError, match=f"passphrase: {lacking}.* must be set"):
        check(PROD, PATHS, environ)


def test_a_shared_stack_runs_with_a_secrets_provider_or_when_told_so() -> None:
    check(Target("prod", "prod", "awskms://alias/pipe"), PATHS, {"PULUMI_BACKEND_URL": "s3://bucket"})
    check(PROD, PATHS, SHARED)
    check(PROD, PATHS, {"PIPE_ALLOW_LOCAL_STATE": "1"})
    with pytest.raises(UserError):
        check(PROD, PATHS, {"PIPE_ALLOW_LOCAL_STATE": "0"})


def test_stand_ins_never_try_to_download() -> None:
    name = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
    assert variables(DEV, PATHS, AIRGAP, {})[name] == "true"
    assert name not in variables(DEV, PATHS, OFFICIAL, {})


def test_path_has_each_folder_once_and_ours_first() -> None:
    once = path(PATHS, AIRGAP, "/bin:/usr/bin")
    assert once == "/co/.tools/pulumi:/co/.tools/uv:/co/.venv/bin:/bin:/usr/bin"
    assert path(PATHS, AIRGAP, once) == once


@pytest.mark.parametrize(
    ("options", "stack"),
    [
        (["up"], None),
        (["up", "--stack", "prod"], "prod"),
        (["up", "-s", "prod"], "prod"),
        (["up", "--stack=prod"], "prod"),
        (["up", "-sprod"], "prod"),
        (["up", "-s=prod"], "prod"),
        (["up", "-ysprod"], "prod"),
        (["up", "-ys", "prod"], "prod"),
        (["up", "-s"], None),
        (["up", "-s="], None),
        (["up", "--show-sames", "-ms"], None),
        (["up", "--stack"], None),
    ],
)
def test_pulumis_own_option_names_the_stack_whose_rules_hold(options: list[str], stack: str | None) -> None:
    assert stack_option(options) == stack
