"""From inputs to what is asked of the engine and back, without an engine."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from airgap.docker import plan, state
from airgap.docker.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "nanoseconds", "stored"),
    [
        ("0s", 0, "0s"),
        ("", 0, "0s"),
        ("500ms", 500_000_000, "500ms"),
        ("1.5s", 1_500_000_000, "1.5s"),
        ("10s", 10_000_000_000, "10s"),
        ("60s", 60_000_000_000, "1m0s"),
        ("1m30s", 90_000_000_000, "1m30s"),
        ("1h", 3_600_000_000_000, "1h0m0s"),
    ],
)
def test_durations(text: str, nanoseconds: int, stored: str) -> None:
    assert parse_duration(text) == nanoseconds
    assert format_duration(nanoseconds) == stored


@pytest.mark.parametrize("text", ["10", "s", "1 m", "-1s", "1d"])
def test_what_is_no_duration_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 500ms, 10s or 1m30s"):
        parse_duration(text)


def body(**inputs: Any) -> dict[str, Any]:
    return plan.create_body({"image": "i", **inputs})


def test_what_is_not_asked_for_is_left_to_the_engine() -> None:
    policy = {"Name": "no", "MaximumRetryCount": 0}
    assert body() == {"Image": "i", "HostConfig": {"RestartPolicy": policy, "Init": False}}


def test_ports_are_exposed_and_bound() -> None:
    made = body(ports=[{"internal": 80, "external": 8080, "ip": "127.0.0.1"}, {"internal": 53, "protocol": "udp"}])
    assert made["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}}
    assert made["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "53/udp": [{"HostIp": "0.0.0.0", "HostPort": ""}],
    }


def test_volumes_are_bound_shared_or_anonymous() -> None:
    made = body(
        volumes=[
            {"containerPath": "/a", "volumeName": "v"},
            {"containerPath": "/b", "hostPath": "/h", "readOnly": True, "selinuxRelabel": "z"},
            {"containerPath": "/c"},
            {"fromContainer": "other"},
        ]
    )
    assert made["HostConfig"]["Binds"] == ["v:/a:rw", "/h:/b:ro,z"]
    assert made["HostConfig"]["VolumesFrom"] == ["other"]
    assert made["Volumes"] == {"/c": {}}


def test_mount_options() -> None:
    options = {"noCopy": True, "labels": [{"label": "a", "value": "b"}], "driverName": "local"}
    made = body(
        mounts=[
            {"type": "volume", "source": "v", "target": "/v", "volumeOptions": options, "readOnly": True},
            {"type": "tmpfs", "target": "/t", "tmpfsOptions": {"sizeBytes": 5, "mode": 0o700}},
            {"type": "bind", "source": "/s", "target": "/b", "bindOptions": {"propagation": "rslave"}},
        ]
    )["HostConfig"]["Mounts"]
    driver = {"Name": "local", "Options": {}}
    assert made[0]["VolumeOptions"] == {"NoCopy": True, "Labels": {"a": "b"}, "DriverConfig": driver}
    assert made[0]["ReadOnly"] is True
    assert made[1]["TmpfsOptions"] == {"SizeBytes": 5, "Mode": 0o700}
    assert made[2]["BindOptions"] == {"Propagation": "rslave"}


def test_limits_are_given_in_mebibytes_and_processors() -> None:
    host = body(memory=64, memorySwap=-1, memoryReservation=32, shmSize=8, cpus="1.5")["HostConfig"]
    mebibyte = 1024 * 1024
    assert (host["Memory"], host["MemorySwap"], host["ShmSize"]) == (64 * mebibyte, -1, 8 * mebibyte)
    assert host["MemoryReservation"] == 32 * mebibyte
    assert host["NanoCpus"] == 1_500_000_000


def test_uploads_become_one_archive_of_root() -> None:
    uploads = [
        {"file": "/etc/a", "content": "text"},
        {"file": "/bin/b", "contentBase64": "AAE=", "executable": True},
        {"file": "/etc/c", "content": "", "permissions": "0600"},
    ]
    with tarfile.open(fileobj=io.BytesIO(plan.upload_archive({"uploads": uploads}))) as archive:
        found = {entry.name: (entry.mode, entry.uid, entry.gid) for entry in archive}
        content = archive.extractfile("bin/b")
        assert content
        assert content.read() == b"\x00\x01"
    assert found == {"etc/a": (0o644, 0, 0), "bin/b": (0o744, 0, 0), "etc/c": (0o600, 0, 0)}


@pytest.mark.parametrize(("nano", "text"), [(500_000_000, "0.5"), (1_000_000_000, "1"), (10_000_000_000, "10")])
def test_processors_as_the_official_provider_stores_them(nano: int, text: str) -> None:
    assert state.format_cpus(nano) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"cpus": "1.50"}, {"cpus": "1.5"}),
        ({"capabilities": {"adds": ["CHOWN"], "drops": []}}, {"capabilities": {"adds": ["CAP_CHOWN"]}}),
        ({"healthcheck": {"tests": ["x"], "interval": "60s"}}, {"healthcheck": {"tests": ["x"], "interval": "1m0s"}}),
        ({"ports": [{"internal": 1}]}, {"ports": [{"internal": 1, "ip": "0.0.0.0", "protocol": "tcp"}]}),
        (
            {"mounts": [{"target": "/x", "type": "tmpfs"}]},
            {"mounts": [{"target": "/x", "type": "tmpfs", "source": ""}]},
        ),
        (
            {"networksAdvanced": [{"name": "n", "aliases": ["b", "a"]}]},
            {"networksAdvanced": [{"name": "n", "aliases": ["a", "b"]}]},
        ),
    ],
)
def test_two_ways_to_write_the_same_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert state.normalise(one) == state.normalise(other)
