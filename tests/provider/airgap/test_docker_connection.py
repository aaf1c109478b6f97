"""An engine that does not answer, and configuration that is not supported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.provider.airgap.fix_docker import TOKENS
from tests.provider.airgap.harness import Failed, Live, Plugin, Refused


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    """A process of its own, because a connection is kept for a process's life."""
    found = Plugin("docker")
    yield found
    found.stop()


def test_an_engine_that_is_not_there_is_one_sentence_with_a_hint(plugin: Plugin, tmp_path: Path) -> None:
    plugin.configure({"host": f"unix://{tmp_path}/docker.sock"})
    with pytest.raises(Failed) as failed:
        Live(plugin, TOKENS["volume"], "v").up({"name": "v"})
    assert str(failed.value) == (
        f"the Docker engine at unix://{tmp_path}/docker.sock cannot be reached while connecting: "
        "no such file or directory\n"
        "HINT: start the engine (`systemctl start docker` or `dockerd`), or set DOCKER_HOST to one that runs; "
        "as a normal user, be a member of the group docker"
    )


def test_a_refresh_without_an_engine_keeps_the_resource(plugin: Plugin, tmp_path: Path) -> None:
    plugin.configure({"host": f"unix://{tmp_path}/docker.sock"})
    volume = Live(plugin, TOKENS["volume"], "v", id="v", inputs={"name": "v"}, state={"name": "v"})
    with pytest.raises(Failed, match="cannot be reached"):
        volume.refresh()
    assert volume.id == "v"


def test_checks_and_previews_need_no_engine(plugin: Plugin, tmp_path: Path) -> None:
    plugin.configure({"host": f"unix://{tmp_path}/docker.sock"})
    volume = Live(plugin, TOKENS["volume"], "v", id="v", inputs={"name": "v"}, state={"name": "v", "driver": "local"})
    assert volume.diff({"name": "v"}).changes == {}
    assert volume.diff({"name": "w"}).replaces == ["name"]
    assert volume.preview({"name": "v"})["driver"] == "local"


def test_configuration_that_is_not_supported_is_refused_by_name(plugin: Plugin) -> None:
    with pytest.raises(Refused) as refused:
        plugin.configure({"context": "remote", "hots": "x"})
    assert refused.value.failures == {
        "context": "is not supported by the air-gapped docker provider: set `host` instead",
        "hots": "is not a property of this resource; did you mean 'host'?",
    }


def test_an_unknown_type_names_those_there_are(plugin: Plugin) -> None:
    with pytest.raises(
        Failed, match="has no resource type 'docker:index/secret:Secret'\nHINT: it has Container, Image"
    ):
        Live(plugin, "docker:index/secret:Secret", "s").up({})
