"""What `make up` leaves: a replicated, closed cluster, as the outputs describe it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import psycopg
import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader
from tests.fixtures.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("shared")]

COMPONENTS = ["agent", "agent", "etcd", "member", "member", "proxy", "repository", "scheduler"]


def test_the_parts_are_there_and_labelled(stack: Stack) -> None:
    assert sorted(c.labels["pipe.component"] for c in stack.containers()) == COMPONENTS
    assert stack.outputs["cluster"]["members"] == [f"pipe-{stack.name}-member-{i}" for i in (0, 1)]
    assert stack.outputs["cluster"]["scope"] == stack.outputs["backup"]["stanza"] == stack.name


def test_one_member_leads_and_one_streams(stack: Stack) -> None:
    assert_replicated(stack, replicas=1)
    encrypted = "SELECT s.ssl FROM pg_stat_replication AS r JOIN pg_stat_ssl AS s USING (pid)"
    assert stack.sql(encrypted, leader(stack)) == ["t"]


def test_what_the_primary_writes_the_replica_reads(stack: Stack) -> None:
    with stack.connect("app") as primary, stack.connect("app", "read_only") as replica:
        assert replica.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        row = primary.execute("INSERT INTO pipe.organizations (name) VALUES ('one') RETURNING id").fetchone()
        assert row is not None
        seen = eventually(
            lambda: replica.execute("SELECT name FROM pipe.organizations WHERE id = %s", row).fetchone(),
            lambda found: found is not None,
            timeouts.REPLAYED,
            "the row on the replica",
        )
        assert seen == ("one",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            replica.execute("INSERT INTO pipe.organizations (name) VALUES ('two')")


def test_data_checksums_are_on(stack: Stack) -> None:
    assert stack.sql("SHOW data_checksums") == ["on"]


def test_only_scram_and_only_tls(stack: Stack) -> None:
    stored = "SELECT DISTINCT left(rolpassword, 14) FROM pg_authid WHERE rolpassword IS NOT NULL"
    assert stack.sql(stored) == ["SCRAM-SHA-256$"]
    uri = stack.outputs["connections"]["app"]["read_write"].replace("verify-full", "disable")
    with pytest.raises(psycopg.OperationalError, match=r"rejects connection|no encryption"):
        psycopg.connect(uri, connect_timeout=timeouts.CONNECT)


def test_a_client_that_trusts_another_authority_refuses_the_server(stack: Stack) -> None:
    system = ssl.get_default_verify_paths().openssl_cafile
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(
            stack.outputs["connections"]["app"]["read_write"], sslrootcert=system, connect_timeout=timeouts.CONNECT
        )


@pytest.mark.parametrize("user", ["postgres", "pipe_owner", "pipe_replicator", "pipe_rewind"])
def test_who_has_no_business_on_the_network_is_turned_away(stack: Stack, user: str) -> None:
    uri = stack.outputs["connections"]["app"]["read_write"].replace("pipe_app", user)
    with pytest.raises(psycopg.OperationalError, match=r"rejects connection|authentication failed|not permitted"):
        psycopg.connect(uri.replace("verify-full", "require"), connect_timeout=timeouts.CONNECT)


def test_the_provisioner_is_the_only_superuser_that_can_come_by_network(stack: Stack) -> None:
    assert stack.sql("SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY 1") == [
        "pipe_provisioner",
        "postgres",
    ]


def generated_secrets(stack: Stack) -> list[str]:
    """Return every generated password and the private keys' bodies, from the state itself."""
    state = json.loads(stack.pulumi("stack", "export", "--show-secrets"))

    def values() -> Iterator[str]:
        for resource in state["deployment"]["resources"]:
            outputs = resource.get("outputs", {})
            for key in ("result", "privateKeyPemPkcs8"):
                if key in outputs:
                    found = outputs[key]
                    text = json.loads(found["plaintext"]) if isinstance(found, dict) else str(found)
                    yield text.splitlines()[1] if "\n" in text else text

    found = list(values())
    assert len(found) > 10, "the state should hold passwords and keys"
    return found


def test_no_secret_shows_in_inspect_logs_or_process_lists(stack: Stack) -> None:
    secrets = generated_secrets(stack)
    for container in stack.containers(running=False):
        texts = {
            "inspect": json.dumps(container.attrs),
            "logs": stack.logs(str(container.name).removeprefix(f"pipe-{stack.name}-")),
        }
        if container.status == "running":
            texts["processes"] = json.dumps(container.top(ps_args="-eo pid,args"))
        for where, text in texts.items():
            assert not [s for s in secrets if s in text], f"{container.name}: a secret in its {where}"


def test_secrets_are_encrypted_in_the_state_and_hidden_in_the_outputs(stack: Stack) -> None:
    exported, shown = stack.pulumi("stack", "export"), stack.pulumi("stack", "output", "--json")
    for secret in generated_secrets(stack):
        assert secret not in exported
        assert secret not in shown
    assert json.loads(shown)["connections"] == "[secret]"


def test_files_of_a_daemon_are_readable_by_its_group_only_and_not_writable(stack: Stack) -> None:
    for component in ("member-0", "etcd-0", "proxy-0", "repository"):
        assert stack.execute(component, "stat", "-c", "%a %U:%G", "/etc/pipe") == (0, "750 root:root\n"), component
        _, files = stack.execute(component, "sh", "-c", "stat -c '%a %U:%G' /etc/pipe/*")
        assert set(files.splitlines()) == {"640 root:root"}, component
        assert stack.execute(component, "sh", "-c", "echo x >> /etc/pipe/ca.pem")[0] != 0, component


def test_containers_run_without_rights(stack: Stack) -> None:
    for container in stack.containers():
        host, config = container.attrs["HostConfig"], container.attrs["Config"]
        assert config["User"] in ("postgres", "etcd", "haproxy"), container.name
        assert host["ReadonlyRootfs"], container.name
        assert host["CapDrop"] == ["ALL"], container.name
        assert "no-new-privileges:true" in host["SecurityOpt"], container.name
        assert host["Memory"] > 0, container.name
        assert host["LogConfig"]["Config"]["max-size"], container.name
        component = str(container.name).removeprefix(f"pipe-{stack.name}-")
        _, status = stack.execute(component, "grep", "-E", "^(CapEff|NoNewPrivs)", "/proc/1/status")
        assert status.split() == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"], container.name


def test_memory_settings_follow_the_container(stack: Stack) -> None:
    limit = stack.container("member-0").attrs["HostConfig"]["Memory"]
    buffers = int(stack.sql("SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers'")[0])
    assert buffers * 4 == limit


def test_the_patroni_interface_lets_nobody_change_anything_without_a_certificate(stack: Stack) -> None:
    request = (
        "curl -s -o /dev/null -w %{http_code} --cacert /etc/pipe/ca.pem -X PATCH -d {} https://member-0:8008/config"
    )
    assert stack.execute("member-1", *request.split()) == (0, "403")


def test_every_daemon_becomes_healthy(stack: Stack) -> None:
    def unhealthy() -> list[str]:
        found = stack.containers()
        return [f"{c.name}: {c.attrs['State']['Health']['Status']}" for c in found if c.health != "healthy"]

    eventually(unhealthy, lambda seen: seen == [], timeouts.REJOIN, "every container healthy")


def test_the_proxies_looks_at_the_members_leave_nothing_in_their_logs(stack: Stack) -> None:
    members = ("member-0", "member-1")
    before = {member: len(stack.logs(member)) for member in members}

    def since() -> list[str]:
        return [stack.logs(member)[before[member] :] for member in members]

    # In two loops of Patroni a proxy looks ten times or more.
    looked = eventually(
        since,
        lambda texts: all(text.count("no action. I am") >= 2 for text in texts),
        timeouts.REJOIN,
        "two loops of Patroni on each member",
    )
    assert not any("Traceback" in text for text in looked)
