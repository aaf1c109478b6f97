"""A container from its creation to its end, as the official provider would treat it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.provider.airgap.fix_docker import Make
from tests.provider.airgap.harness import UNKNOWN, Failed, Refused

FULL: dict[str, Any] = {
    "hostname": "box",
    "user": "root",
    "workingDir": "/tmp",
    "envs": ["B=2", "A=1"],
    "labels": [{"label": "pipe.stack", "value": "x"}, {"label": "a", "value": "b"}],
    "tmpfs": {"/run/x": "size=1m"},
    "ports": [{"internal": 80, "ip": "127.0.0.1"}],
    "capabilities": {"drops": ["ALL"], "adds": ["CHOWN"]},
    "securityOpts": ["no-new-privileges"],
    "groupAdds": ["0"],
    "memory": 64,
    "memorySwap": 64,
    "cpus": "0.50",
    "shmSize": 32,
    "init": True,
    "restart": "unless-stopped",
    "healthcheck": {"tests": ["CMD", "true"], "interval": "60s", "retries": 2},
    "logDriver": "json-file",
    "logOpts": {"max-size": "1m", "max-file": "2"},
    "stopTimeout": 3,
    "ulimits": [{"name": "nofile", "soft": 1000, "hard": 2000}],
    "sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
    "hosts": [{"host": "elsewhere", "ip": "192.0.2.1"}],
}


def test_everything_that_was_asked_for_is_there_and_a_second_up_changes_nothing(
    live: Make, container: dict[str, Any], docker_engine: Any
) -> None:
    box, inputs = live("container"), {**container, **FULL}
    assert box.up(inputs) == "create"
    real = docker_engine.containers.get(box.id)
    host = real.attrs["HostConfig"]
    assert real.attrs["State"]["Running"]
    assert host["Memory"] == 64 * 1024 * 1024
    assert host["NanoCpus"] == 500_000_000
    assert host["ShmSize"] == 32 * 1024 * 1024
    assert host["CapDrop"] == ["ALL"]
    assert host["RestartPolicy"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}}
    assert real.attrs["Config"]["Healthcheck"]["Interval"] == 60 * 10**9
    assert {"A=1", "B=2"} <= set(real.attrs["Config"]["Env"])
    assert box.up(inputs) == "same"
    assert box.refresh() == "same"
    assert box.up(inputs) == "same"


def test_the_order_of_what_is_a_set_is_no_difference(live: Make, container: dict[str, Any]) -> None:
    box = live("container")
    box.up({**container, **FULL})
    turned = {**FULL, "envs": ["A=1", "B=2"], "labels": FULL["labels"][::-1]}
    assert box.diff({**container, **turned}).changes == {}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"image": "debian:other"}, "image"),
        ({"command": ["sleep", "1"]}, "command[1]"),
        ({"hostname": "other"}, "hostname"),
        ({"user": "1000"}, "user"),
        ({"envs": ["A=1", "B=3"]}, "envs[1]"),
        ({"labels": [{"label": "pipe.stack", "value": "y"}, FULL["labels"][1]]}, "labels[0].value"),
        ({"ports": [{"internal": 81, "ip": "127.0.0.1"}]}, "ports[0].internal"),
        ({"capabilities": {"drops": ["ALL"]}}, "capabilities.adds"),
        ({"readOnly": True}, "readOnly"),
        ({"cpus": "0.75"}, "cpus"),
        ({"shmSize": 64}, "shmSize"),
        ({"logOpts": {"max-size": "2m", "max-file": "2"}}, 'logOpts["max-size"]'),
        ({"uploads": [{"file": "/x", "content": "y"}]}, "uploads"),
        ({"mounts": [{"type": "tmpfs", "target": "/m"}]}, "mounts[0]"),
        ({"networksAdvanced": [{"name": "some"}]}, "networksAdvanced"),
        ({"stopTimeout": 4}, "stopTimeout"),
    ],
)
def test_what_the_engine_cannot_change_replaces(
    live: Make, container: dict[str, Any], change: dict[str, Any], path: str
) -> None:
    box = live("container")
    box.up({**container, **FULL, "start": False, "mustRun": False})
    diff = box.diff({**container, **FULL, "start": False, "mustRun": False, **change})
    assert path in diff.changes
    assert diff.changes[path].endswith("_REPLACE")


@pytest.mark.parametrize("name", ["healthcheck", "init", "tmpfs"])
def test_what_the_official_provider_forgets_to_change_replaces_so_that_it_takes_effect(
    live: Make, container: dict[str, Any], name: str
) -> None:
    box = live("container")
    box.up({**container, **FULL})
    other = {"healthcheck": {"tests": ["CMD", "false"]}, "init": False, "tmpfs": {"/run/y": ""}}
    assert box.diff({**container, **FULL, name: other[name]}).replaces == [name]


def test_limits_and_restart_policy_change_in_place(live: Make, container: dict[str, Any], docker_engine: Any) -> None:
    box = live("container")
    box.up({**container, **FULL})
    first = box.id
    changed = {**container, **FULL, "memory": 96, "memorySwap": 128, "restart": "no", "cpuShares": 512}
    assert box.up(changed) == "update"
    host = docker_engine.containers.get(first).attrs["HostConfig"]
    assert host["Memory"] == 96 * 1024 * 1024
    assert host["MemorySwap"] == 128 * 1024 * 1024
    assert host["CpuShares"] == 512
    assert host["RestartPolicy"]["Name"] == "no"
    assert box.up(changed) == "same"
    assert box.refresh() == "same"


def test_memory_alone_takes_swap_with_it(live: Make, container: dict[str, Any], docker_engine: Any) -> None:
    box = live("container")
    box.up({**container, "memory": 64})
    assert box.up({**container, "memory": 256}) == "update"
    assert docker_engine.containers.get(box.id).attrs["HostConfig"]["MemorySwap"] == 512 * 1024 * 1024
    assert box.up({**container, "memory": 256}) == "same"


def test_what_only_the_provider_needs_changes_without_the_engine(live: Make, container: dict[str, Any]) -> None:
    box = live("container")
    box.up(container)
    first = box.id
    assert box.up({**container, "destroyGraceSeconds": 1, "waitTimeout": 5}) == "update"
    assert box.id == first
    assert box.state["destroyGraceSeconds"] == 1


def test_a_container_removed_behind_its_back_is_gone_and_made_again(
    live: Make, container: dict[str, Any], docker_engine: Any
) -> None:
    box = live("container")
    box.up(container)
    docker_engine.containers.get(box.id).remove(force=True)
    assert box.refresh() == "gone"
    assert box.up(container) == "create"


def test_a_container_stopped_behind_its_back_shows_and_is_started(
    live: Make, container: dict[str, Any], docker_engine: Any
) -> None:
    box = live("container")
    box.up(container)
    docker_engine.containers.get(box.id).stop(timeout=0)
    assert box.refresh() == "changed"
    assert box.state["mustRun"] is False
    assert box.diff(container).changes == {"mustRun": "ADD"}
    assert box.up(container) == "update"
    assert docker_engine.containers.get(box.id).status == "running"
    assert box.up(container) == "same"


def test_limits_changed_behind_its_back_show_and_are_mended(
    live: Make, container: dict[str, Any], docker_engine: Any
) -> None:
    box, inputs = live("container"), {**container, "memory": 64, "memorySwap": 64, "restart": "always"}
    box.up(inputs)
    docker_engine.containers.get(box.id).update(
        mem_limit="128m", memswap_limit="128m", restart_policy={"Name": "no", "MaximumRetryCount": 0}
    )
    assert box.refresh() == "changed"
    assert box.diff(inputs).changes == {"memory": "UPDATE", "memorySwap": "UPDATE", "restart": "UPDATE"}
    assert box.up(inputs) == "update"
    assert docker_engine.containers.get(box.id).attrs["HostConfig"]["Memory"] == 64 * 1024 * 1024
    assert box.refresh() == "same"


def test_an_existing_container_is_imported_with_what_was_set_on_it(
    live: Make, container: dict[str, Any], docker_engine: Any
) -> None:
    first = live("container")
    first.up({**container, **FULL})
    second = live("container")
    assert second.adopt(docker_engine.containers.get(first.id).name)
    assert second.id == first.id
    assert second.inputs["labels"] == sorted(FULL["labels"], key=lambda label: label["label"])
    assert sorted(second.inputs["envs"]) == ["A=1", "B=2"]
    assert second.up({**container, **FULL}) == "same"


def test_an_import_of_what_does_not_exist_finds_nothing(live: Make, prefix: str) -> None:
    assert live("container").adopt(prefix) is False


def test_networks_are_joined_under_the_aliases_and_the_default_one_is_left(
    live: Make, container: dict[str, Any], docker_engine: Any, prefix: str
) -> None:
    network, box = live("network"), live("container")
    network.up({"name": prefix})
    inputs = {**container, "networksAdvanced": [{"name": prefix, "aliases": ["two", "one"]}]}
    box.up(inputs)
    joined = docker_engine.containers.get(box.id).attrs["NetworkSettings"]["Networks"]
    assert list(joined) == [prefix]
    assert {"one", "two"} <= set(joined[prefix]["Aliases"])
    assert [data["networkName"] for data in box.state["networkDatas"]] == [prefix]
    assert box.refresh() == "same"
    assert box.up(inputs) == "same"


def test_uploads_are_there_before_the_start_and_belong_to_root(
    live: Make, container: dict[str, Any], docker_engine: Any
) -> None:
    box = live("container")
    uploads = [{"file": "/etc/pipe/a.conf", "content": "hello", "permissions": "0640"}]
    command = ["sh", "-c", "stat -c '%a %u %g' /etc/pipe/a.conf; cat /etc/pipe/a.conf"]
    box.up({**container, "command": command, "mustRun": False, "uploads": uploads})
    real = docker_engine.containers.get(box.id)
    real.wait(timeout=10)
    assert real.logs() == b"640 0 0\nhello"


def test_a_container_that_is_never_started_carries_files_into_a_volume(
    live: Make, container: dict[str, Any], docker_engine: Any, prefix: str
) -> None:
    volume, carrier, box = live("volume"), live("container", "-carrier"), live("container")
    volume.up({"name": prefix})
    mount = {"type": "volume", "source": prefix, "target": "/etc/pipe"}
    inputs = {
        **container,
        "name": f"{prefix}-carrier",
        "start": False,
        "mustRun": False,
        "mounts": [mount],
        "uploads": [{"file": "/etc/pipe/a.conf", "content": "hello"}],
    }
    carrier.up(inputs)
    box.up({**container, "mounts": [{**mount, "readOnly": True}]})
    assert docker_engine.containers.get(box.id).exec_run(["cat", "/etc/pipe/a.conf"]).output == b"hello"
    assert carrier.refresh() == "same"
    assert carrier.up(inputs) == "same"


def test_wait_returns_when_the_container_is_healthy(live: Make, container: dict[str, Any], docker_engine: Any) -> None:
    box = live("container")
    box.up({**container, "wait": True, "healthcheck": {"tests": ["CMD", "true"], "interval": "100ms"}})
    assert docker_engine.containers.get(box.id).attrs["State"]["Health"]["Status"] == "healthy"


def test_a_container_that_does_not_get_healthy_is_an_error_and_kept(
    live: Make, container: dict[str, Any], prefix: str
) -> None:
    box = live("container")
    check = {"tests": ["CMD", "false"], "interval": "100ms", "retries": 1}
    with pytest.raises(Failed, match=f"container '{prefix}' is still (starting|unhealthy) after 1 seconds") as failed:
        box.up({**container, "wait": True, "waitTimeout": 1, "healthcheck": check})
    assert failed.value.half_made
    assert failed.value.half_made.id
    assert failed.value.half_made.properties["name"] == prefix


def test_a_container_that_ends_before_it_is_healthy_is_not_waited_for(live: Make, container: dict[str, Any]) -> None:
    check = {"tests": ["CMD", "true"], "interval": "1m0s"}
    with pytest.raises(Failed, match="ended with exit code 3 before it was healthy"):
        live("container").up({**container, "command": ["sh", "-c", "exit 3"], "wait": True, "healthcheck": check})


def test_a_container_that_cannot_start_leaves_nothing(
    live: Make, container: dict[str, Any], docker_engine: Any, prefix: str
) -> None:
    first, second = live("container"), live("container", "-second")
    first.up({**container, "ports": [{"internal": 80, "ip": "127.0.0.1"}]})
    taken = first.state["ports"][0]["external"]
    with pytest.raises(
        Failed, match=f"(?s)starting container '{prefix}-second' failed: .*HINT: stop what listens"
    ) as failed:
        second.up(
            {**container, "name": f"{prefix}-second", "ports": [{"internal": 80, "ip": "127.0.0.1", "external": taken}]}
        )
    assert failed.value.half_made is None
    assert docker_engine.containers.list(all=True, filters={"name": f"{prefix}-second"}) == []


def test_a_port_that_the_engine_chose_is_kept(live: Make, container: dict[str, Any]) -> None:
    box, inputs = live("container"), {**container, "ports": [{"internal": 80}]}
    box.up(inputs)
    assert box.state["ports"][0]["external"] > 0
    assert box.up(inputs) == "same"


def test_a_missing_image_is_one_sentence_with_a_hint(live: Make, container: dict[str, Any], prefix: str) -> None:
    expected = f"^creating container '{prefix}' failed: No such image: nowhere:1\nHINT: build the image first"
    with pytest.raises(Failed, match=expected):
        live("container").up({**container, "image": "nowhere:1"})


def test_a_name_that_is_taken_says_by_whom_and_what_to_do(live: Make, container: dict[str, Any]) -> None:
    live("container").up(container)
    with pytest.raises(Failed, match=r"(?s)is already in use by container .*HINT: remove that container"):
        live("container").up(container)


def test_removing_what_is_gone_is_fine(live: Make, container: dict[str, Any], docker_engine: Any) -> None:
    box = live("container")
    box.up(container)
    docker_engine.containers.get(box.id).remove(force=True)
    box.destroy()
    assert box.id is None


def test_a_grace_is_given_before_the_end(
    live: Make, container: dict[str, Any], docker_engine: Any, prefix: str
) -> None:
    volume, box = live("volume"), live("container")
    volume.up({"name": prefix})
    script = "trap 'echo clean > /data/end; exit 0' TERM; touch /data/ready; while true; do sleep 0.1; done"
    box.up(
        {
            **container,
            "command": ["sh", "-c", script],
            "stopSignal": "SIGTERM",
            "destroyGraceSeconds": 10,
            "mounts": [{"type": "volume", "source": prefix, "target": "/data"}],
            "healthcheck": {"tests": ["CMD", "test", "-e", "/data/ready"], "interval": "100ms"},
            "wait": True,
        }
    )
    box.destroy()
    reader = docker_engine.containers.run(
        "debian:trixie-slim", ["cat", "/data/end"], name=f"{prefix}-reader", volumes={prefix: {"bind": "/data"}}
    )
    assert reader == b"clean\n"


def test_all_faults_are_told_at_once_and_by_name(live: Make, container: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        live("container").up(
            {
                **container,
                "pidsLimit": 5,
                "gpus": "all",
                "memory": -1,
                "restart": "sometimes",
                "attach": True,
                "labels": [{"lable": "x", "label": "a", "value": "b"}],
                "uploads": [{"file": "/x"}, {"file": "/y", "content": "z", "permissions": "640"}],
            }
        )
    assert refused.value.failures == {
        "pidsLimit": "is not a property of this resource",
        "gpus": "is not supported by the air-gapped docker provider: devices are not passed through",
        "memory": "must be 0 or more",
        "restart": "must be one of no, on-failure, always, unless-stopped",
        "attach": "is not supported by the air-gapped docker provider: use `docker logs`",
        "labels[0].lable": "is not a property of this resource; did you mean 'label'?",
        "uploads[0]": "must have one of content, contentBase64 and source",
        "uploads[1].permissions": "must be four octal digits, such as 0640",
    }


def test_a_preview_knows_the_inputs_and_leaves_the_rest_open(live: Make, container: dict[str, Any]) -> None:
    planned = live("container").preview({**container, "networksAdvanced": [{"name": UNKNOWN}]})
    assert planned["image"] == container["image"]
    assert planned["networksAdvanced"] == [{"name": UNKNOWN}]
    assert planned["networkDatas"] == UNKNOWN
    assert planned["hostname"] == UNKNOWN


def test_an_unknown_image_replaces(live: Make, container: dict[str, Any]) -> None:
    box = live("container")
    box.up(container)
    assert box.diff({**container, "image": UNKNOWN}).replaces == ["image"]


def test_a_name_is_made_once_and_kept(live: Make, container: dict[str, Any], prefix: str) -> None:
    box = live("container")
    inputs = {name: value for name, value in container.items() if name != "name"}
    box.up(inputs)
    assert box.state["name"].startswith(f"{prefix}-")
    assert box.up(inputs) == "same"
