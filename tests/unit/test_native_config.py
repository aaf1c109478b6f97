"""The rendered configuration says what the settings say, and only that."""

from __future__ import annotations

import configparser
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from infra.archive import member_conf, repository_conf, scheduler_command, snooze_fields
from infra.cluster.config import Logins, bootstrap_sql, etcd_yml, haproxy_cfg, patroni_yml
from infra.cluster.parameters import dynamic_config, first_dynamic_config, memory_parameters
from infra.paths import LOG_DIR
from infra.settings import BackupSettings, DatabaseSettings, Settings, load

LOGINS = Logins(replicator="replicator-secret", rewind="rewind-secret", provisioner_verifier="SCRAM-SHA-256$v")


def settings(**sections: dict[str, Any]) -> Settings:
    return load("dev", {"environment": "dev", "network": {"port_base": 15400}, **sections})


def ini(text: str) -> dict[str, dict[str, list[str]]]:
    """pgBackRest allows a key more than once."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in filter(None, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]")
            found[section] = {}
        else:
            key, _, value = line.partition("=")
            found[section].setdefault(key, []).append(value)
    return found


def test_etcd_takes_only_peers_and_clients_with_a_certificate() -> None:
    document = json.loads(etcd_yml("etcd-1", ["etcd-0", "etcd-1", "etcd-2"], "dev"))
    assert document["client-transport-security"]["client-cert-auth"] is True
    assert document["peer-transport-security"]["client-cert-auth"] is True
    assert document["initial-cluster"].count("https://") == 3
    assert document["advertise-client-urls"] == "https://etcd-1:2379"


def test_patroni_lets_nobody_in_without_tls_and_the_superuser_only_by_socket() -> None:
    rules = json.loads(patroni_yml(settings(), "member-0", ["etcd-0"], LOGINS))["postgresql"]["pg_hba"]
    hosts = [rule for rule in rules if rule.startswith("host ")]
    assert all(rule.endswith(" reject") for rule in hosts), "a plain `host` line may only refuse"
    assert rules.index("host all postgres all reject") < rules.index("hostssl all all all scram-sha-256")
    assert rules[-1] == "hostnossl all all all reject"


def test_replication_and_rewind_check_the_certificate_of_the_server() -> None:
    login = json.loads(patroni_yml(settings(), "member-0", ["etcd-0"], LOGINS))["postgresql"]["authentication"]
    for role in ("replication", "rewind"):
        assert login[role]["sslmode"] == "verify-full"
    assert "password" not in login["superuser"]


def test_a_dynamic_setting_is_none_of_a_members_own() -> None:
    one, other = (
        patroni_yml(settings(database={"max_connections": n}), "member-0", ["etcd-0"], LOGINS) for n in (100, 120)
    )
    assert one == other, "or every member would be replaced for what Patroni changes while they run"


def test_bootstrap_knows_the_verifier_and_no_password() -> None:
    text = bootstrap_sql(LOGINS)
    assert "SCRAM-SHA-256$v" in text
    assert "secret" not in text


@pytest.mark.parametrize(("fallback", "rule"), [(True, 1), (False, 0)])
def test_read_only_endpoint_falls_back_only_where_told(fallback: bool, rule: int) -> None:
    text = haproxy_cfg(settings(proxy={"read_only_fallback": fallback}), ["member-0", "member-1"])
    assert text.count("use_backend primary if { nbsrv(replicas) eq 0 }") == rule
    assert text.count("on-marked-down shutdown-sessions") == 2
    assert text.count("server member-1 member-1:5432 check port 8008 check-ssl verify required") == 2


@pytest.mark.parametrize("memory_mb", [256, 512, 2048, 65536])
def test_memory_settings_leave_room_within_the_limit(memory_mb: int) -> None:
    database = DatabaseSettings(memory_mb=memory_mb)
    megabytes = {
        name: float(value[:-2]) / (1024 if value.endswith("kB") else 1)
        for name, value in memory_parameters(database).items()
    }
    assert megabytes["shared_buffers"] == pytest.approx(memory_mb / 4)
    assert megabytes["shared_buffers"] + megabytes["work_mem"] * database.max_connections / 2 <= memory_mb * 1.01 + 50
    assert megabytes["maintenance_work_mem"] * 4 < memory_mb


def test_own_parameters_win_over_computed_ones() -> None:
    dcs = dynamic_config(settings(database={"parameters": {"work_mem": "7MB"}}), {})
    assert dcs["postgresql"]["parameters"]["work_mem"] == "7MB"


def test_the_log_goes_to_the_container_s_output_and_into_memory_a_file_a_minute() -> None:
    parameters = dynamic_config(settings(), {})["postgresql"]["parameters"]
    assert (parameters["logging_collector"], parameters["log_destination"]) == ("on", "stderr,jsonlog")
    # A name that comes again is written over, never added to; the names are those that images/member links.
    assert (parameters["log_rotation_age"], parameters["log_truncate_on_rotation"]) == ("1min", "on")
    assert (parameters["log_directory"], parameters["log_filename"]) == (LOG_DIR, "minute-%M.log")
    assert f'"{LOG_DIR}/minute-$minute.log"' in (Path("images") / "member").read_text()


def test_a_member_finds_in_its_configuration_how_to_reach_another() -> None:
    """sql/provisioner/server_logins.sql reads it there, as JSON."""
    document = json.loads(patroni_yml(settings(), "member-0", ["etcd-0"], LOGINS))
    rewind = document["postgresql"]["authentication"]["rewind"]
    assert (rewind["username"], rewind["password"]) == ("pipe_rewind", LOGINS.rewind)
    assert (rewind["sslmode"], rewind["sslrootcert"]) == ("verify-full", "/etc/pipe/ca.pem")


def test_the_log_takes_nothing_out_of_a_statement() -> None:
    parameters = dynamic_config(settings(), {})["postgresql"]["parameters"]
    assert (parameters["log_statement"], parameters["log_min_duration_statement"]) == ("none", -1)
    # Neither the statement that failed, nor the row that was refused, nor what a crashed process ran.
    assert (parameters["log_min_error_statement"], parameters["log_error_verbosity"]) == ("panic", "terse")
    assert parameters["log_parameter_max_length"] == parameters["log_parameter_max_length_on_error"] == 0


def test_archive_command_comes_only_when_the_stanza_is_there() -> None:
    before, after = (
        config["postgresql"]["parameters"]
        for config in (first_dynamic_config(settings()), dynamic_config(settings(), {}))
    )
    assert before["archive_mode"] == after["archive_mode"] == "on", "changing it later would need a restart"
    assert "archive_command" not in before
    assert after["archive_command"] == "pgbackrest --stanza=dev archive-push %p"


def test_only_the_repository_holds_the_passphrase_and_its_own_path() -> None:
    member, repository = ini(member_conf(settings())), ini(repository_conf(settings(), "the-passphrase", "server"))
    assert not any("cipher" in key or key == "repo1-path" for key in member["global"])
    assert repository["global"]["repo1-cipher-pass"] == ["the-passphrase"]
    assert repository["global"]["repo1-retention-full-type"] == ["time"]
    assert repository["global"]["repo1-retention-full"] == ["30"]


def test_every_member_may_push_and_every_agent_is_asked() -> None:
    repository = ini(repository_conf(settings(database={"replicas": 2}), "p", "scheduler"))
    assert repository["global"]["tls-server-auth"] == ["member-0=dev", "member-1=dev", "member-2=dev"]
    assert [repository["dev"][f"pg{i}-host"] for i in (1, 2, 3)] == [["agent-0"], ["agent-1"], ["agent-2"]]
    assert {repository["dev"][f"pg{i}-host-type"][0] for i in (1, 2, 3)} == {"tls"}


@pytest.mark.parametrize("replicas", [1, 2])
def test_no_backup_waits_for_a_replica_that_lies_behind(replicas: int) -> None:
    delayed = settings(database={"replicas": replicas, "delayed_replica_s": 3600}, failover={"synchronous": "off"})
    repository = ini(repository_conf(delayed, "p", "scheduler"))
    hosts = [value for key, (value, *_) in repository["dev"].items() if key.endswith("-host")]
    assert hosts == [f"agent-{i}" for i in range(replicas)]
    assert f"member-{replicas}=dev" in repository["global"]["tls-server-auth"], "it fetches WAL all the same"


def test_wal_is_dropped_only_where_that_was_asked_for() -> None:
    assert "archive-push-queue-max" not in ini(member_conf(settings()))["global"]
    asked = settings(backup={"beyond_wal_bound": "drop", "wal_bound_mb": 100})
    assert ini(member_conf(asked))["global"]["archive-push-queue-max"] == ["100MB"]


def test_the_last_replica_lies_behind_and_takes_no_part() -> None:
    delayed = settings(database={"replicas": 2, "delayed_replica_s": 3600})
    found = [json.loads(patroni_yml(delayed, f"member-{i}", ["etcd-0"], LOGINS)) for i in range(3)]
    assert ["tags" in document for document in found] == [False, False, True]
    assert found[2]["tags"] == {"nofailover": True, "noloadbalance": True, "nosync": True}
    assert found[2]["postgresql"]["recovery_conf"]["recovery_min_apply_delay"] == "3600s"
    assert found[2]["postgresql"]["parameters"]["hot_standby_feedback"] == "off"
    assert found[0]["postgresql"]["recovery_conf"] == found[1]["postgresql"]["recovery_conf"]


@pytest.mark.parametrize(
    ("cron", "fields"),
    [
        ("0 0 * * *", ["0", "0", "*", "*", "*"]),
        ("30 6,18 * * 1-5", ["30", "6,18", "*", "*", "1,2,3,4,5"]),
        ("*/15 * 1 * *", ["0,15,30,45", "*", "1", "*", "*"]),
        ("0 8-18/4 */10 * *", ["0", "8,12,16", "1,11,21,31", "*", "*"]),
    ],
)
def test_schedule_keeps_its_meaning(cron: str, fields: list[str]) -> None:
    assert snooze_fields(cron) == fields


def test_a_backup_type_without_a_schedule_is_not_scheduled() -> None:
    backup = BackupSettings(drill_schedule=None)
    assert scheduler_command("dev", backup) == ["dev", "volume", "full", "0", "0", "*", "*", "*"]
    three = dataclasses.replace(backup, differential_schedule="0 12 * * *", incremental_schedule="30 * * * *")
    words = ["full", "0", "0", "*", "*", "*", "diff", "0", "12", "*", "*", "*", "incr", "30", "*", "*", "*", "*"]
    assert scheduler_command("dev", three) == ["dev", "volume", *words]
    drilled = scheduler_command("dev", BackupSettings())
    assert drilled == ["dev", "volume", "full", "0", "0", "*", "*", "*", "drill", "0", "3", "*", "*", "0"]


def test_files_can_be_read_by_what_reads_them() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(repository_conf(settings(), "p", "scheduler"))
    assert parser["dev"]["pg1-path"] == "/var/lib/postgresql/data"
