"""Pure: a container's inputs -> what is asked of the engine. Nothing here talks to it."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from airgap.base import Properties
from airgap.docker.durations import parse_duration
from airgap.docker.labels import from_labels

MEBIBYTE = 1024 * 1024

# Inputs that the official provider calls changeable in place but never changes on the real container. Here a change
# replaces the container, so that it takes effect.
REPLACED_TO_TAKE_EFFECT = frozenset({"healthcheck", "init", "rm", "tmpfs"})
# What the engine itself can change on an existing container.
CHANGED_BY_THE_ENGINE = frozenset(
    {
        "restart",
        "maxRetryCount",
        "cpuPeriod",
        "cpuQuota",
        "cpuSet",
        "cpuShares",
        "memory",
        "memoryReservation",
        "memorySwap",
    }
)


def create_body(inputs: Properties) -> dict[str, Any]:
    """The body of the engine's create call."""
    body = {
        "Image": inputs["image"],
        "Hostname": inputs.get("hostname"),
        "Domainname": inputs.get("domainname"),
        "Tty": inputs.get("tty"),
        "OpenStdin": inputs.get("stdinOpen"),
        "StopSignal": inputs.get("stopSignal"),
        "StopTimeout": inputs.get("stopTimeout") or None,
        "Env": inputs.get("envs"),
        "Cmd": inputs.get("command"),
        "Entrypoint": inputs.get("entrypoints"),
        "User": inputs.get("user"),
        "WorkingDir": inputs.get("workingDir"),
        "Labels": from_labels(inputs.get("labels")),
        "ExposedPorts": {_port_key(port): {} for port in inputs.get("ports", [])},
        "Volumes": {
            volume["containerPath"]: {}
            for volume in inputs.get("volumes", [])
            if volume.get("containerPath") and not _bind(volume)
        },
        "Healthcheck": _healthcheck(inputs["healthcheck"]) if inputs.get("healthcheck") else None,
        "HostConfig": _host_config(inputs),
    }
    return {key: value for key, value in body.items() if value not in (None, "", [], {})}


def _host_config(inputs: Properties) -> dict[str, Any]:
    capabilities = inputs.get("capabilities", {})
    config = {
        "Privileged": inputs.get("privileged"),
        "PublishAllPorts": inputs.get("publishAllPorts"),
        "RestartPolicy": _restart_policy(inputs),
        "Runtime": inputs.get("runtime"),
        "Mounts": [_mount(mount) for mount in inputs.get("mounts", [])],
        "AutoRemove": inputs.get("rm"),
        "ReadonlyRootfs": inputs.get("readOnly"),
        "LogConfig": _log_config(inputs),
        "Tmpfs": inputs.get("tmpfs"),
        "PortBindings": _port_bindings(inputs),
        "ExtraHosts": [f"{host['host']}:{host['ip']}" for host in inputs.get("hosts", [])],
        "Binds": [bind for volume in inputs.get("volumes", []) if (bind := _bind(volume))],
        "VolumesFrom": [volume["fromContainer"] for volume in inputs.get("volumes", []) if volume.get("fromContainer")],
        "Ulimits": [
            {"Name": limit["name"], "Soft": limit["soft"], "Hard": limit["hard"]} for limit in inputs.get("ulimits", [])
        ],
        "CapAdd": capabilities.get("adds"),
        "CapDrop": capabilities.get("drops"),
        "Dns": inputs.get("dns"),
        "DnsOptions": inputs.get("dnsOpts"),
        "DnsSearch": inputs.get("dnsSearches"),
        "SecurityOpt": inputs.get("securityOpts"),
        "Memory": inputs.get("memory", 0) * MEBIBYTE,
        "MemoryReservation": inputs.get("memoryReservation", 0) * MEBIBYTE,
        "MemorySwap": swap_bytes(inputs.get("memorySwap", 0)),
        "ShmSize": inputs.get("shmSize", 0) * MEBIBYTE,
        "NanoCpus": nano_cpus(inputs["cpus"]) if inputs.get("cpus") else 0,
        "CpuPeriod": 0 if inputs.get("cpus") else inputs.get("cpuPeriod"),
        "CpuQuota": 0 if inputs.get("cpus") else inputs.get("cpuQuota"),
        "CpuShares": inputs.get("cpuShares"),
        "CpusetCpus": inputs.get("cpuSet"),
        "NetworkMode": inputs.get("networkMode"),
        "UsernsMode": inputs.get("usernsMode"),
        "PidMode": inputs.get("pidMode"),
        "IpcMode": inputs.get("ipcMode"),
        "CgroupnsMode": inputs.get("cgroupnsMode"),
        "CgroupParent": inputs.get("cgroupParent"),
        "Sysctls": inputs.get("sysctls"),
        "GroupAdd": inputs.get("groupAdds"),
    }
    kept = {key: value for key, value in config.items() if value not in (None, "", [], {}, 0)}
    return {**kept, "Init": bool(inputs.get("init"))}


def update_arguments(inputs: Properties) -> dict[str, Any]:
    """The arguments of docker-py's `update_container`: all, because the engine reads an omitted one as no change."""
    memory = inputs.get("memory", 0) * MEBIBYTE
    # Without a value of its own, swap follows memory as it does when a container is created.
    swap = swap_bytes(inputs["memorySwap"]) if inputs.get("memorySwap") else 2 * memory
    return {
        "mem_limit": memory,
        "memswap_limit": swap,
        "mem_reservation": inputs.get("memoryReservation", 0) * MEBIBYTE,
        "cpu_shares": inputs.get("cpuShares", 0),
        "cpu_period": None if inputs.get("cpus") else inputs.get("cpuPeriod"),
        "cpu_quota": None if inputs.get("cpus") else inputs.get("cpuQuota"),
        "cpuset_cpus": inputs.get("cpuSet") or None,
        "restart_policy": _restart_policy(inputs),
    }


def upload_archive(inputs: Properties) -> bytes:
    """A tar archive of all uploads, owned by root, to be unpacked at "/"; empty when there is none."""
    uploads = inputs.get("uploads", [])
    if not uploads:
        return b""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for upload in uploads:
            content = upload_content(upload)
            entry = tarfile.TarInfo(upload["file"].lstrip("/"))
            entry.size = len(content)
            default_mode = "0744" if upload.get("executable") else "0644"
            entry.mode = int(upload.get("permissions") or default_mode, 8)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def upload_content(upload: Mapping[str, Any]) -> bytes:
    """The bytes of one upload; OSError when its source file cannot be read."""
    if upload.get("contentBase64"):
        return base64.b64decode(upload["contentBase64"])
    if upload.get("source"):
        return Path(upload["source"]).read_bytes()
    return str(upload.get("content", "")).encode()


def endpoint(network: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of docker-py's `connect_container_to_network` beside container and network."""
    arguments = {
        "aliases": network.get("aliases"),
        "ipv4_address": network.get("ipv4Address"),
        "ipv6_address": network.get("ipv6Address"),
        "link_local_ips": network.get("linkLocalIps"),
        "mac_address": network.get("macAddress"),
        "driver_opt": dict(option.split("=", 1) for option in network.get("driverOpts", [])),
    }
    return {key: value for key, value in arguments.items() if value}


def nano_cpus(cpus: str) -> int:
    """Billionths of a processor: "1.5" is 1,500,000,000."""
    return int(Decimal(cpus) * 1_000_000_000)


def swap_bytes(mebibytes: int) -> int:
    """-1 stays: it means without limit."""
    return mebibytes * MEBIBYTE if mebibytes > 0 else mebibytes


def _restart_policy(inputs: Properties) -> dict[str, Any]:
    return {"Name": inputs.get("restart", "no"), "MaximumRetryCount": inputs.get("maxRetryCount", 0)}


def _log_config(inputs: Properties) -> dict[str, Any] | None:
    driver, options = inputs.get("logDriver", ""), inputs.get("logOpts", {})
    return {"Type": driver, "Config": options} if driver or options else None


def _port_key(port: Mapping[str, Any]) -> str:
    return f"{port['internal']}/{port.get('protocol', 'tcp')}"


def _port_bindings(inputs: Properties) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in inputs.get("ports", []):
        binding = {"HostIp": port.get("ip", "0.0.0.0"), "HostPort": str(port.get("external") or "")}
        bindings.setdefault(_port_key(port), []).append(binding)
    return bindings


def _bind(volume: Mapping[str, Any]) -> str | None:
    """`source:target[:options]` of an entry of `volumes`, or None for an anonymous volume or `fromContainer`."""
    source = volume.get("volumeName") or volume.get("hostPath")
    if not source or not volume.get("containerPath"):
        return None
    options = ["ro" if volume.get("readOnly") else "rw", *filter(None, [volume.get("selinuxRelabel")])]
    return f"{source}:{volume['containerPath']}:{','.join(options)}"


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Type": mount["type"],
        "Target": mount["target"],
        "Source": mount.get("source", ""),
        "ReadOnly": mount.get("readOnly", False),
    }
    if mount["type"] == "volume" and "volumeOptions" in mount:
        options = mount["volumeOptions"]
        body["VolumeOptions"] = {
            "NoCopy": options.get("noCopy", False),
            "Labels": from_labels(options.get("labels")),
            "DriverConfig": {"Name": options.get("driverName", ""), "Options": options.get("driverOptions", {})},
        }
    if mount["type"] == "tmpfs" and "tmpfsOptions" in mount:
        options = mount["tmpfsOptions"]
        body["TmpfsOptions"] = {"SizeBytes": options.get("sizeBytes", 0), "Mode": options.get("mode", 0)}
    if mount["type"] == "bind" and "bindOptions" in mount:
        body["BindOptions"] = {"Propagation": mount["bindOptions"].get("propagation", "")}
    return body


def _healthcheck(check: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Test": check.get("tests", []),
        "Interval": parse_duration(check.get("interval", "0s")),
        "Timeout": parse_duration(check.get("timeout", "0s")),
        "StartPeriod": parse_duration(check.get("startPeriod", "0s")),
        "Retries": check.get("retries", 0),
    }
