"""Pure: what the engine says about a container -> the official provider's outputs; and one form to compare both in."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from airgap.base import Properties, is_empty
from airgap.docker.durations import format_duration, parse_duration
from airgap.docker.labels import from_labels, to_labels
from airgap.docker.plan import MEBIBYTE

_DURATIONS = ("interval", "timeout", "startPeriod", "startInterval")


def state_of(found: Mapping[str, Any], known: Properties) -> Properties:
    """The outputs for an inspected container.

    `known` is the state so far (the inputs, right after a create). What the engine cannot tell is kept from it:
    uploads, variables, and what only the provider needs. Of the labels only those that were asked for are compared,
    because the image has some, too.
    """
    config, host, running = found["Config"], found["HostConfig"], found["State"]["Running"]
    state = {
        **known,
        "name": found["Name"].lstrip("/"),
        "image": found["Image"] if str(known.get("image", "")).startswith("sha256:") else config["Image"],
        "hostname": config["Hostname"],
        "domainname": config.get("Domainname", ""),
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "user": config.get("User", ""),
        "workingDir": config.get("WorkingDir", ""),
        "tty": config["Tty"],
        "stdinOpen": config["OpenStdin"],
        "stopSignal": config.get("StopSignal", ""),
        "stopTimeout": config.get("StopTimeout") or 0,
        "rm": host["AutoRemove"],
        "readOnly": host["ReadonlyRootfs"],
        "restart": host["RestartPolicy"]["Name"] or "no",
        "maxRetryCount": host["RestartPolicy"]["MaximumRetryCount"],
        "dns": host.get("Dns") or [],
        "dnsOpts": host.get("DnsOptions") or [],
        "dnsSearches": host.get("DnsSearch") or [],
        "securityOpts": host.get("SecurityOpt") or [],
        "publishAllPorts": host["PublishAllPorts"],
        "privileged": host["Privileged"],
        "init": bool(host.get("Init")),
        "runtime": host["Runtime"],
        "platform": found["Platform"],
        "mounts": [_mount(mount) for mount in host.get("Mounts") or []],
        "tmpfs": host.get("Tmpfs") or {},
        "hosts": [_host(entry) for entry in host.get("ExtraHosts") or []],
        "memory": host["Memory"] // MEBIBYTE,
        "memoryReservation": host["MemoryReservation"] // MEBIBYTE,
        "memorySwap": host["MemorySwap"] // MEBIBYTE if host["MemorySwap"] > 0 else host["MemorySwap"],
        "shmSize": host["ShmSize"] // MEBIBYTE,
        "cpuShares": host["CpuShares"],
        "cpuSet": host["CpusetCpus"],
        "logDriver": host["LogConfig"]["Type"],
        "networkMode": host["NetworkMode"],
        "usernsMode": host["UsernsMode"],
        "sysctls": host.get("Sysctls") or {},
        "ipcMode": host["IpcMode"],
        "groupAdds": host.get("GroupAdd") or [],
        "bridge": found["NetworkSettings"].get("Bridge", ""),
        "networkDatas": _network_datas(found["NetworkSettings"].get("Networks") or {}),
        "labels": _labels(config.get("Labels") or {}, known),
        "envs": known.get("envs", []),
        "containerLogs": known.get("containerLogs", ""),
        "exitCode": 0 if running else found["State"]["ExitCode"],
    }
    if host.get("NanoCpus"):
        state["cpus"] = format_cpus(host["NanoCpus"])
    if host.get("CapAdd") or host.get("CapDrop"):
        state["capabilities"] = {"adds": host.get("CapAdd") or [], "drops": host.get("CapDrop") or []}
    if config.get("Healthcheck"):
        state["healthcheck"] = _healthcheck(config["Healthcheck"])
    if known.get("ports"):
        state["ports"] = ports_of(found)
    if known.get("ulimits"):
        state["ulimits"] = [
            {"name": limit["Name"], "soft": limit["Soft"], "hard": limit["Hard"]} for limit in host.get("Ulimits") or []
        ]
    if known.get("logOpts"):
        state["logOpts"] = host["LogConfig"].get("Config") or {}
    if known.get("pidMode"):
        state["pidMode"] = host["PidMode"]
    # As officially: a container that should run and does not shows as mustRun false, and an update starts it again.
    if not running and known.get("mustRun"):
        state["mustRun"] = False
    return state


def imported(found: Mapping[str, Any], image: Mapping[str, Any]) -> Properties:
    """The state so far for a container that was not made here: what was set on it beyond what its image has."""
    config, host = found["Config"], found["HostConfig"]
    from_image = image.get("Config") or {}
    inherited = from_image.get("Labels") or {}
    known: Properties = {
        "labels": to_labels({k: v for k, v in (config.get("Labels") or {}).items() if inherited.get(k) != v}),
        "envs": [env for env in config.get("Env") or [] if env not in (from_image.get("Env") or [])],
        "ports": ports_of(found),
        "ulimits": host.get("Ulimits") or [],
        "logOpts": host["LogConfig"].get("Config") or {},
        "pidMode": host["PidMode"],
        "networksAdvanced": [
            {"name": name, "aliases": [alias for alias in data.get("Aliases") or [] if not _is_given(alias, found)]}
            for name, data in (found["NetworkSettings"].get("Networks") or {}).items()
            if name != host["NetworkMode"] and not (name == "bridge" and host["NetworkMode"] == "default")
        ],
    }
    return {key: value for key, value in known.items() if value}


def ports_of(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The published ports; where the engine chose one, the one it chose."""
    live = found["NetworkSettings"].get("Ports") or {}
    ports = []
    for key, bindings in sorted((found["HostConfig"].get("PortBindings") or {}).items()):
        internal, _, protocol = key.partition("/")
        for index, binding in enumerate(bindings or []):
            chosen = (live.get(key) or [{}] * (index + 1))[index].get("HostPort", "")
            port = {
                "internal": int(internal),
                "external": int(binding.get("HostPort") or chosen or 0),
                "ip": binding.get("HostIp") or "0.0.0.0",
                "protocol": protocol,
            }
            ports.append({name: value for name, value in port.items() if value})
    return ports


def normalise(values: Properties) -> Properties:
    """One form for wanted and actual inputs, so that equal ones are equal."""
    form = dict(values)
    for name in ("mounts", "volumes", "uploads"):
        if name in form:
            form[name] = [prune(item) for item in form[name]]
    if "networksAdvanced" in form:
        form["networksAdvanced"] = [
            _sorted(prune(item), "aliases", "linkLocalIps") for item in form["networksAdvanced"]
        ]
    if "ports" in form:
        form["ports"] = [{"ip": "0.0.0.0", "protocol": "tcp", **port} for port in form["ports"]]
    if "capabilities" in form:
        # The engine writes CAP_ before some of the names that it was given.
        names = {key: [name.removeprefix("CAP_") for name in given] for key, given in form["capabilities"].items()}
        form["capabilities"] = _sorted(prune(names), "adds", "drops")
    if "healthcheck" in form:
        check = dict(form["healthcheck"])
        form["healthcheck"] = prune({**check, **{key: parse_duration(check.get(key, "0s")) for key in _DURATIONS}})
    if form.get("cpus"):
        form["cpus"] = _canonical_cpus(form["cpus"])
    return form


def prune(value: Any) -> Any:
    """Without what is empty, at every depth."""
    if isinstance(value, Mapping):
        pruned = {key: prune(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if not is_empty(item)}
    return [prune(item) for item in value] if isinstance(value, list) else value


def format_cpus(nano: int) -> str:
    """1500000000 as "1.5"."""
    text = f"{Decimal(nano) / 1_000_000_000:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _canonical_cpus(text: str) -> str:
    try:
        return f"{Decimal(text).normalize():f}"
    except InvalidOperation:
        return text


def _sorted(item: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: sorted(value) if key in names else value for key, value in item.items()}


def _host(entry: str) -> dict[str, str]:
    name, _, address = entry.partition(":")
    return {"host": name, "ip": address}


def _is_given(alias: str, found: Mapping[str, Any]) -> bool:
    """Whether the engine itself gives the container this name in a network."""
    return bool(found["Id"].startswith(alias) or alias == found["Config"]["Hostname"])


def _labels(actual: Mapping[str, str], known: Properties) -> list[dict[str, str]]:
    wanted = from_labels(known.get("labels"))
    return to_labels({name: value for name, value in actual.items() if name in wanted})


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = {
        "target": mount["Target"],
        "source": mount.get("Source", ""),
        "type": mount["Type"],
        "readOnly": mount.get("ReadOnly", False),
    }
    if options := mount.get("VolumeOptions"):
        driver = options.get("DriverConfig") or {}
        state["volumeOptions"] = {
            "noCopy": options.get("NoCopy", False),
            "labels": to_labels(options.get("Labels")),
            "driverName": driver.get("Name", ""),
            "driverOptions": driver.get("Options") or {},
        }
    if options := mount.get("TmpfsOptions"):
        state["tmpfsOptions"] = {"sizeBytes": options.get("SizeBytes", 0), "mode": options.get("Mode", 0)}
    if options := mount.get("BindOptions"):
        state["bindOptions"] = {"propagation": options.get("Propagation", "")}
    return state


def _healthcheck(check: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tests": check.get("Test") or [],
        "interval": format_duration(check.get("Interval", 0)),
        "timeout": format_duration(check.get("Timeout", 0)),
        "startPeriod": format_duration(check.get("StartPeriod", 0)),
        "startInterval": format_duration(check.get("StartInterval", 0)),
        "retries": check.get("Retries", 0),
    }


def _network_datas(networks: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "networkName": name,
            "ipAddress": data["IPAddress"],
            "ipPrefixLength": data["IPPrefixLen"],
            "gateway": data["Gateway"],
            "globalIpv6Address": data["GlobalIPv6Address"],
            "globalIpv6PrefixLength": data["GlobalIPv6PrefixLen"],
            "ipv6Gateway": data["IPv6Gateway"],
            "macAddress": data["MacAddress"],
        }
        for name, data in sorted(networks.items())
    ]
