"""What the program declares, on Pulumi's mocks: what must hold for every container and volume of every stack."""

from __future__ import annotations

import json
import runpy
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, rpc

from infra.naming import Names

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"
CONFIG: dict[str, dict[str, Any]] = {
    "dev": {"environment": "dev", "network": {"port_base": 15400}},
    "prod": {
        "environment": "prod",
        "protect": True,
        "network": {"port_base": 15440},
        "database": {"replicas": 2},
        "failover": {"synchronous": "on"},
    },
}


def plain(value: Any) -> Any:
    """Take the engine's wrapping off a secret."""
    return value["value"] if isinstance(value, dict) and rpc._special_sig_key in value else value


@dataclass
class Program(mocks.Mocks):
    """Keeps what the program registers, in that order; generated secrets are recognisable."""

    runs: bool = True
    """Whether the cluster was there before."""
    registered: list[mocks.MockResourceArgs] = field(default_factory=list)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.registered.append(args)
        generated = f"SECRET-{args.name}"
        secrets = {"result": generated, "privateKeyPem": generated, "privateKeyPemPkcs8": generated}
        made = {"b64Std": "c2FsdA==", "certPem": f"certificate of {args.name}", "certRequestPem": "request"}
        made["validityEndTime"] = "2029-02-26T12:00:00.123456789+01:00"
        return f"id of {args.name}", {**args.inputs, **secrets, **made}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Only who leads is asked, for the order of a change."""
        assert args.token == "pipe:patroni:leader"
        return {"leader": "member-0" if self.runs else "", "there": self.runs}, []

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Inputs of every resource of a type, by logical name."""
        return {
            args.name: {k: plain(v) for k, v in args.inputs.items()} for args in self.registered if args.typ == kind
        }

    def daemons(self) -> dict[str, dict[str, Any]]:
        """The containers that run: all but the carriers of configuration."""
        return {name: inputs for name, inputs in self.of(CONTAINER).items() if not name.endswith("-config")}

    def order(self, *names: str) -> list[str]:
        """Which of these containers and steps of members were registered, the first one first."""
        kinds = (CONTAINER, "pipe:patroni:Membership", "pipe:patroni:Member")
        return [args.name for args in self.registered if args.name in names and args.typ in kinds]

    def generations(self) -> list[str]:
        """What tells each member that its container will be made anew."""
        return [inputs["generation"] for inputs in self.of("pipe:patroni:Membership").values()]


@pytest.fixture(params=list(CONFIG))
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def program(stack: str, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setattr("pathlib.Path.write_text", lambda *_args, **_kwargs: 0)
    return evaluate(stack, Program())


def evaluate(stack: str, recorder: Program) -> Program:
    mocks.set_mocks(recorder, project="pipe", stack=stack, preview=False)
    pulumi.runtime.set_all_config(
        {f"pipe:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in CONFIG[stack].items()}
    )

    run: Any = pulumi.runtime
    run.test(lambda: runpy.run_path("__main__.py") and None)()
    return recorder


def labels(inputs: dict[str, Any]) -> dict[str, str]:
    return {entry["label"]: entry["value"] for entry in inputs["labels"]}


def test_every_daemon_is_hardened(program: Program) -> None:
    for name, inputs in program.daemons().items():
        assert inputs["readOnly"] is True, name
        assert inputs["capabilities"] == {"drops": ["ALL"]}, name
        assert inputs["securityOpts"] == ["no-new-privileges:true"], name
        assert inputs["memory"] == inputs["memorySwap"] > 0, name
        assert inputs["restart"] == "always", name
        assert inputs["healthcheck"]["tests"][0] == "CMD", name
        assert inputs["logOpts"].keys() == {"max-size", "max-file"}, name
        assert not inputs.get("privileged"), name
        assert "user" not in inputs, f"{name}: the image's own unprivileged user"
        assert all(mount.get("readOnly") for mount in inputs["mounts"] if mount["target"] == "/etc/pipe"), name


def test_secrets_are_in_uploads_only(program: Program) -> None:
    for name, inputs in program.of(CONTAINER).items():
        rest = {key: value for key, value in inputs.items() if key != "uploads"}
        assert "SECRET" not in json.dumps(rest, default=str), name
    uploads = [upload for inputs in program.of(CONTAINER).values() for upload in inputs.get("uploads", [])]
    assert any("SECRET" in str(upload["content"]) for upload in uploads)
    assert {upload["permissions"] for upload in uploads} == {"0640"}


def test_carriers_are_never_started(program: Program) -> None:
    for name, inputs in program.of(CONTAINER).items():
        if name.endswith("-config"):
            assert inputs["start"] is inputs["mustRun"] is False, name
            assert inputs["networkMode"] == "none", name


def test_everything_carries_the_labels(program: Program, stack: str) -> None:
    made = {**program.of(CONTAINER), **program.of(VOLUME), **program.of("docker:index/network:Network")}
    assert made
    for name, inputs in made.items():
        assert labels(inputs)["pipe.stack"] == stack, name
        assert labels(inputs)["pipe.component"], name
        assert inputs["name"].startswith(f"pipe-{stack}"), name


def test_nothing_listens_beyond_the_bind_address(program: Program) -> None:
    ports = [port for inputs in program.daemons().values() for port in inputs.get("ports", [])]
    assert {port["ip"] for port in ports} == {"127.0.0.1"}
    external = [port["external"] for port in ports]
    assert len(set(external)) == len(external)


def test_the_number_of_members_is_the_one_configured(program: Program, stack: str) -> None:
    daemons = program.daemons()
    expected = {"dev": (2, 1), "prod": (3, 3)}[stack]
    assert (
        sum(name.startswith("member-") for name in daemons),
        sum(name.startswith("etcd-") for name in daemons),
    ) == expected


def test_no_member_takes_a_property_of_another(program: Program) -> None:
    """Otherwise one that is replaced would have all of them replaced at once."""
    for name, inputs in program.daemons().items():
        if name.startswith("member-"):
            others = [f"id of {other}" for other in program.daemons() if other != name]
            assert not any(other in json.dumps(inputs, default=str) for other in others), name


def test_whatever_makes_a_container_anew_is_in_its_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would end a leader that has not handed over."""
    monkeypatch.setattr("pathlib.Path.write_text", lambda *_args, **_kwargs: 0)
    before = evaluate("dev", Program()).generations()
    assert evaluate("dev", Program()).generations() == before
    labels = Names.labels
    for name, value in {
        "infra.containers.HEALTH_INTERVAL": "31s",
        "infra.cluster.member.STOP_GRACE_S": 121,
        "infra.naming.Names.labels": lambda self, component: {**labels(self, component), "more": "of them"},
    }.items():
        with monkeypatch.context() as changed:
            changed.setattr(name, value)
            assert not set(evaluate("dev", Program()).generations()) & set(before), name


def test_what_changes_in_place_is_not_in_the_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.write_text", lambda *_args, **_kwargs: 0)
    before = evaluate("dev", Program())
    monkeypatch.setitem(CONFIG["dev"], "database", {"memory_mb": 2048})
    after = evaluate("dev", Program())
    assert before.daemons()["member-0"]["memory"] != after.daemons()["member-0"]["memory"] == 2048
    assert before.generations() == after.generations()


def test_all_of_a_member_changes_in_its_own_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a change that fails half-way leaves the files and the agent of those after it as they were."""
    monkeypatch.setattr("pathlib.Path.write_text", lambda *_args, **_kwargs: 0)
    program = evaluate("prod", Program())
    for name, before in {"member-1": (), "member-2": ("member-1-joined",), "member-0": ("member-2-joined",)}.items():
        own = f"{name}-config", name, name.replace("member", "agent")
        first = [*before, f"{name}-membership"]
        found = program.order(*first, *own)
        assert (found[: len(first)], sorted(found[len(first) :])) == (first, sorted(own))


def test_in_a_new_cluster_nobody_waits_for_files_until_it_is_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.write_text", lambda *_args, **_kwargs: 0)
    program = evaluate("prod", Program(runs=False))
    carriers = [f"member-{index}-config" for index in range(3)]
    assert program.order(*carriers, "member-0")[-1] == "member-0"
