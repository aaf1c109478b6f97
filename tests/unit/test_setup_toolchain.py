"""Which programs run: every way in which the choice between Pulumi's own and the stand-ins can fall."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from setup.errors import StepError
from setup.paths import Paths
from setup.toolchain import Toolchain, archive_url, asked, choose, decide, on_path, recorded, user_plugin

OWN = Path("/checkout/.tools/pulumi/pulumi")
THEIRS = Path("/usr/local/bin/pulumi")


def never() -> str | None:
    raise AssertionError("the network must not be asked")


def test_airgap_asks_nobody() -> None:
    choice = decide("airgap", "3.1.0", OWN, THEIRS, "3.1.0", False, never)
    assert (choice.kind, choice.cli, choice.why) == ("airgap", str(OWN), "PIPE_TOOLCHAIN=airgap")


def test_the_pinned_version_on_path_is_used() -> None:
    choice = decide("auto", "3.1.0", OWN, THEIRS, "3.1.0", True, never)
    assert (choice.kind, choice.cli) == ("official", str(THEIRS))
    choice = decide("auto", "3.1.0", OWN, THEIRS, "3.1.0", False, lambda: None)
    assert (choice.kind, choice.cli) == ("official", str(THEIRS))


def test_a_command_line_whose_providers_cannot_be_had_is_of_no_use() -> None:
    choice = decide("auto", "3.1.0", OWN, THEIRS, "3.1.0", False, lambda: "timed out")
    assert (choice.kind, choice.cli) == ("airgap", str(OWN))
    assert choice.why == "pulumi v3.1.0 is on PATH without its providers and get.pulumi.com does not answer: timed out"


def test_a_users_provider_is_found_outside_of_the_checkout_only(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "checkout")
    for home in (tmp_path / "home" / ".pulumi", paths.pulumi_home):
        (home / "plugins" / "resource-tls-v5.0.0").mkdir(parents=True)
    environ = {"HOME": str(tmp_path / "home")}
    assert user_plugin(paths, environ, "tls", "5.0.0") == tmp_path / "home/.pulumi/plugins/resource-tls-v5.0.0"
    assert user_plugin(paths, environ, "tls", "5.0.1") is None
    assert user_plugin(paths, {"PULUMI_HOME": str(paths.pulumi_home)}, "tls", "5.0.0") is None


def test_another_version_on_path_is_not_used() -> None:
    choice = decide("auto", "3.1.0", OWN, THEIRS, "3.0.9", False, lambda: None)
    assert (choice.kind, choice.cli) == ("official", str(OWN))
    assert choice.why == "pulumi v3.1.0 can be downloaded"


def test_without_a_network_the_stand_ins_are_used_and_the_reason_is_kept() -> None:
    choice = decide("auto", "3.1.0", OWN, None, None, False, lambda: "no answer within 5 s")
    assert choice.kind == "airgap"
    assert choice.why.endswith("get.pulumi.com does not answer: no answer within 5 s")


def test_official_that_cannot_be_had_says_so() -> None:
    with pytest.raises(StepError) as caught:
        decide("official", "3.1.0", OWN, THEIRS, "3.0.9", False, lambda: "Name or service not known")
    assert caught.value.text() == (
        "pulumi: PIPE_TOOLCHAIN=official, but the pulumi on PATH is v3.0.9 and get.pulumi.com does not answer\n"
        "  | Name or service not known\n"
        "  HINT: install pulumi v3.1.0 and its providers, or set PIPE_TOOLCHAIN=airgap to build it from source."
    )


def test_a_value_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(StepError, match="PIPE_TOOLCHAIN is 'offical'"):
        asked({"PIPE_TOOLCHAIN": "offical"})
    assert asked({}) == asked({"PIPE_TOOLCHAIN": ""}) == "auto"


def test_the_choice_is_made_once(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    environ = {"PIPE_TOOLCHAIN": "airgap"}
    first = choose(paths, "3.1.0", {}, environ)
    assert json.loads(paths.toolchain.read_text())["kind"] == "airgap"
    assert recorded(paths, "auto") == first
    assert recorded(paths, "official") is None


def test_a_choice_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.tools.mkdir()
    for text in ("", "[]", '{"kind": "airgap", "unknown": 1}'):
        paths.toolchain.write_text(text)
        assert recorded(paths, "auto") is None


def test_the_checkouts_own_wrapper_is_no_official_pulumi(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    for folder in (root / "bin", elsewhere):
        folder.mkdir(parents=True)
        (folder / "pulumi").write_text("#!/bin/sh\n")
        (folder / "pulumi").chmod(0o755)
    paths = Paths(root.resolve())
    assert on_path(paths, {"PATH": f"{root}/bin"}) is None
    assert on_path(paths, {"PATH": f"{root}/bin:{elsewhere}"}) == elsewhere / "pulumi"


@pytest.mark.parametrize(
    ("system", "machine", "end"),
    [
        ("Linux", "x86_64", "pulumi-v3.1.0-linux-x64.tar.gz"),
        ("Linux", "aarch64", "pulumi-v3.1.0-linux-arm64.tar.gz"),
        ("Darwin", "arm64", "pulumi-v3.1.0-darwin-arm64.tar.gz"),
    ],
)
def test_where_the_archive_is(system: str, machine: str, end: str) -> None:
    assert archive_url("3.1.0", system, machine).endswith("/" + end)


def test_a_toolchain_survives_its_file(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.tools.mkdir()
    choice = Toolchain("official", "why", "/usr/bin/pulumi", "official")
    paths.toolchain.write_text(json.dumps(choice.__dict__))
    assert recorded(paths, "official") == choice
