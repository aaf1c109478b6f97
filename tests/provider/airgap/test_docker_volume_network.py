"""Volumes and networks from their creation to their end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.provider.airgap.fix_docker import IMAGE, Make
from tests.provider.airgap.harness import Failed, Refused

LABELS = [{"label": "pipe.stack", "value": "x"}, {"label": "a", "value": "b"}]


@pytest.mark.parametrize("kind", ["volume", "network"])
def test_created_once_and_then_left_alone(live: Make, prefix: str, kind: str) -> None:
    thing, inputs = live(kind), {"name": prefix, "labels": LABELS}
    assert thing.up(inputs) == "create"
    assert thing.up(inputs) == "same"
    assert thing.up({**inputs, "labels": LABELS[::-1]}) == "same"
    assert thing.refresh() == "same"


@pytest.mark.parametrize(
    ("kind", "change", "path"),
    [
        ("volume", {"labels": LABELS[:1]}, "labels[0]"),
        ("volume", {"driverOpts": {"type": "tmpfs"}}, "driverOpts.type"),
        ("volume", {"driver": "other"}, "driver"),
        ("network", {"labels": LABELS[:1]}, "labels[0]"),
        ("network", {"internal": True}, "internal"),
        ("network", {"driver": "macvlan"}, "driver"),
        ("network", {"attachable": True}, "attachable"),
        ("network", {"ipamConfigs": [{"subnet": "192.0.2.0/24"}]}, "ipamConfigs[0].subnet"),
    ],
)
def test_every_change_replaces(live: Make, prefix: str, kind: str, change: dict[str, Any], path: str) -> None:
    thing, inputs = live(kind), {"name": prefix, "labels": LABELS}
    thing.up(inputs)
    assert thing.diff({**inputs, **change}).changes[path].endswith("_REPLACE")


def test_a_network_with_a_subnet_of_its_own(live: Make, prefix: str, docker_engine: Any) -> None:
    network = live("network")
    inputs = {"name": prefix, "internal": True, "ipamConfigs": [{"subnet": "192.0.2.0/24", "gateway": "192.0.2.1"}]}
    network.up(inputs)
    assert docker_engine.networks.get(network.id).attrs["IPAM"]["Config"][0]["Subnet"] == "192.0.2.0/24"
    assert network.up(inputs) == "same"
    assert network.refresh() == "same"


@pytest.mark.parametrize("kind", ["volume", "network"])
def test_removed_behind_its_back_it_is_gone_and_made_again(
    live: Make, prefix: str, kind: str, docker_engine: Any
) -> None:
    thing = live(kind)
    thing.up({"name": prefix})
    (docker_engine.volumes if kind == "volume" else docker_engine.networks).get(thing.id).remove()
    assert thing.refresh() == "gone"
    assert thing.up({"name": prefix}) == "create"


@pytest.mark.parametrize("kind", ["volume", "network"])
def test_replaced_behind_its_back_it_shows_the_difference(
    live: Make, prefix: str, kind: str, docker_engine: Any
) -> None:
    thing, inputs = live(kind), {"name": prefix, "labels": LABELS}
    thing.up(inputs)
    all_of_kind = docker_engine.volumes if kind == "volume" else docker_engine.networks
    all_of_kind.get(thing.id).remove()
    other = all_of_kind.create(prefix, labels={"a": "other"})
    thing.id = other.id
    assert thing.refresh() == "changed"
    assert thing.diff(inputs).replaces == ["labels"]
    assert thing.up(inputs) == "replace"
    assert thing.refresh() == "same"


@pytest.mark.parametrize("kind", ["volume", "network"])
def test_an_existing_one_is_imported(live: Make, prefix: str, kind: str) -> None:
    first, second = live(kind), live(kind)
    first.up({"name": prefix, "labels": LABELS})
    assert second.adopt(prefix)
    assert second.id == first.id
    assert second.up({"name": prefix, "labels": LABELS}) == "same"


@pytest.mark.parametrize("kind", ["volume", "network"])
def test_an_import_of_what_does_not_exist_finds_nothing(live: Make, prefix: str, kind: str) -> None:
    assert live(kind).adopt(prefix) is False


@pytest.mark.parametrize("kind", ["volume", "network"])
def test_removing_what_is_gone_is_fine(live: Make, prefix: str, kind: str, docker_engine: Any) -> None:
    thing = live(kind)
    thing.up({"name": prefix})
    (docker_engine.volumes if kind == "volume" else docker_engine.networks).get(thing.id).remove()
    thing.destroy()
    assert thing.id is None


def test_a_volume_that_exists_is_adopted_with_its_data(live: Make, prefix: str, docker_engine: Any) -> None:
    docker_engine.volumes.create(prefix)
    write = ["sh", "-c", "echo kept > /data/file"]
    docker_engine.containers.run(IMAGE, write, name=f"{prefix}-writer", volumes={prefix: {"bind": "/data"}})
    volume = live("volume")
    assert volume.up({"name": prefix}) == "create"
    read = ["cat", "/data/file"]
    found = docker_engine.containers.run(IMAGE, read, name=f"{prefix}-reader", volumes={prefix: {"bind": "/data"}})
    assert found == b"kept\n"


def test_a_second_network_of_the_same_name_is_refused(live: Make, prefix: str) -> None:
    live("network").up({"name": prefix})
    expected = (
        f"(?s)creating network '{prefix}' failed: network with name {prefix} already exists.HINT: remove that network"
    )
    with pytest.raises(Failed, match=expected):
        live("network").up({"name": prefix})


@pytest.mark.parametrize("kind", ["volume", "network"])
def test_removal_waits_for_the_last_container(
    live: Make, prefix: str, kind: str, container: dict[str, Any], docker_engine: Any
) -> None:
    thing, box = live(kind), live("container")
    thing.up({"name": prefix})
    mount = {"mounts": [{"type": "volume", "source": prefix, "target": "/data"}]}
    box.up({**container, **(mount if kind == "volume" else {"networksAdvanced": [{"name": prefix}]})})
    later = threading.Timer(0.5, docker_engine.containers.get(box.id).remove, kwargs={"force": True})
    later.start()
    thing.destroy()
    later.join()
    assert thing.id is None


def test_what_is_not_supported_is_refused_by_name(live: Make, prefix: str) -> None:
    with pytest.raises(Refused) as refused:
        live("volume").up({"name": prefix, "cluster": {"type": "mount"}})
    assert refused.value.failures == {
        "cluster": "is not supported by the air-gapped docker provider: cluster volumes need Docker Swarm"
    }


def test_a_gateway_that_the_engine_chose_is_no_difference(live: Make, prefix: str) -> None:
    network = live("network")
    inputs = {"name": prefix, "ipamConfigs": [{"subnet": "198.51.100.0/24"}]}
    network.up(inputs)
    assert network.up(inputs) == "same"
    assert network.refresh() == "same"
    assert network.diff({**inputs, "ipamConfigs": [{"subnet": "203.0.113.0/24"}]}).replaces == ["ipamConfigs"]
