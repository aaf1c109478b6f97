"""``pipe:patroni:*`` and ``pipe:pgbackrest:*`` against a real cluster of two members."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from provider.patroni.dynamic_config import TAKEN_BACK
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.commands import executed
from tests.fixtures.freezing import frozen
from tests.provider.airgap.harness import Failed, bare
from tests.provider.pipe.authority import Authority
from tests.provider.pipe.cluster import READY_SECONDS, STANZA, Cluster
from tests.provider.pipe.driver import PipePlugin

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("patroni")]
ARCHIVE_COMMAND = f"pgbackrest --stanza={STANZA} archive-push %p"


def member(patroni: Cluster, index: int) -> dict[str, Any]:
    return {
        "member": f"member-{index}",
        "endpoint": patroni.endpoints[index],
        "containerId": patroni.members[index].id,
        "timeoutSeconds": READY_SECONDS,
    }


def config(patroni: Cluster, restart: str = "pending", **parameters: Any) -> dict[str, Any]:
    return {
        "endpoints": list(patroni.endpoints),
        "containers": [str(member.name) for member in patroni.members],
        "config": {"maximum_lag_on_failover": 1048576, "postgresql": {"parameters": parameters}},
        "restart": restart,
    }


def reloaded(patroni: Cluster, parameter: str, value: str, index: int = 0) -> None:
    """A member's PostgreSQL shows the value, at the latest a moment after the provider is done."""
    shown = partial(patroni.psql, f"SHOW {parameter}", index)
    eventually(shown, value.__eq__, timeouts.RELOAD, f"{parameter} of member-{index} is {value}")


@pytest.fixture(scope="module", autouse=True)
def ready(patroni: Cluster) -> None:
    """Both members lead or stream: the first thing that the provider itself waits for."""
    plugin = PipePlugin(patroni.config)
    lives = [plugin.live("patroni:Member", f"member-{index}") for index in range(2)]
    threads = [threading.Thread(target=live.up, args=(member(patroni, i),)) for i, live in enumerate(lives)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {live.id for live in lives} == {"member-0", "member-1"}, plugin.messages
    done = {f'member "member-{i}" {words}' for i in range(2) for words in ("leads", "streams")}
    assert len(done & set(plugin.messages)) == 2
    assert len(plugin.messages) > 2, "what the members did before was told too"
    plugin.stop()


def test_member_is_unchanged_and_waits_again_for_a_new_container(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:Member")
    assert live.up(member(patroni, 0)) == "create"
    assert live.up(member(patroni, 0)) == "same"
    assert live.up(member(patroni, 0) | {"containerId": "another"}) == "update"
    assert live.refresh() == "same"


def test_member_that_never_answers_is_named_with_its_state(operator: PipePlugin, patroni: Cluster) -> None:
    wrong = member(patroni, 0) | {"endpoint": "https://127.0.0.1:1", "timeoutSeconds": 1}
    with pytest.raises(Failed) as failed:
        operator.live("patroni:Member").up(wrong)
    lines = str(failed.value).splitlines()
    assert lines[0] == 'member "member-0" neither leads nor streams after 1 s: it does not answer: connection refused'
    assert lines[1].startswith("HINT: its log says: ")
    assert lines[2] == f"HINT: all of it: docker logs {patroni.members[0].id[:12]}"
    assert lines[3:] == [
        "HINT: no other member was changed after it; mend the configuration or set it back, then run up again"
    ]


def test_config_is_applied_without_a_restart_and_reaches_every_member(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, log_min_duration_statement="2s"))
    assert live.up(config(patroni, log_min_duration_statement="3s")) == "update"
    assert live.state["pendingRestart"] == []
    for index in range(2):
        reloaded(patroni, "log_min_duration_statement", "3s", index)
    assert live.refresh() == "same"
    assert live.up(config(patroni, log_min_duration_statement="3s")) == "same"


def test_config_shows_drift_of_owned_keys_only(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, log_lock_waits="on"))
    other = operator.live("patroni:DynamicConfig", "other")
    other.up(config(patroni, log_temp_files="1MB"))
    assert live.refresh() == "same"
    other.up(config(patroni, log_temp_files="1MB", log_lock_waits="off"))

    assert live.refresh() == "changed"
    assert bare(live.state)["config"]["postgresql"]["parameters"] == {"log_lock_waits": "off"}
    assert live.up(config(patroni, log_lock_waits="on")) == "update"
    reloaded(patroni, "log_lock_waits", "on")


def test_a_key_that_is_taken_out_falls_back_to_the_default(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, deadlock_timeout="7s", log_autovacuum_min_duration="9s"))
    assert live.up(config(patroni, log_autovacuum_min_duration="9s")) == "update"
    reloaded(patroni, "deadlock_timeout", "1s")
    reloaded(patroni, "log_autovacuum_min_duration", "9s")


def test_what_a_killed_run_left_is_proved_and_taken_back(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, deadlock_timeout="2s", timezone="UTC"))
    killed = config(patroni, deadlock_timeout="3s", timezone="Mars/Olympus", log_timezone="Mars/Olympus")
    # Stored in full, while the state knows nothing of it.
    operator.live("patroni:DynamicConfig", "killed").up(killed)

    with pytest.raises(Failed) as failed:
        live.up(killed)

    text = str(failed.value)
    assert "refuses log_timezone, timezone" in text
    assert text.endswith(f"HINT: {TAKEN_BACK}")
    live.refresh()
    assert bare(live.state)["config"]["postgresql"]["parameters"] == {"deadlock_timeout": "2s", "timezone": "UTC"}
    for index in range(2):
        reloaded(patroni, "deadlock_timeout", "2s", index)
    assert patroni.psql("SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL") == "0"


def test_a_member_whose_file_did_not_get_the_value_is_told_again(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, deadlock_timeout="2s"))
    operator.live("patroni:DynamicConfig", "killed").up(config(patroni, deadlock_timeout="4s"))
    reloaded(patroni, "deadlock_timeout", "4s")
    # As where Patroni compared while PostgreSQL was starting: it has the new configuration, the file the old one.
    old = "sed -i \"s/^deadlock_timeout = .*/deadlock_timeout = '2s'/\" \"$(psql -XAtqc 'SHOW config_file')\""
    assert executed(patroni.members[0], "bash", "-c", f"{old} && psql -XAtqc 'SELECT pg_reload_conf()'")[0] == 0
    reloaded(patroni, "deadlock_timeout", "2s")

    assert live.up(config(patroni, deadlock_timeout="4s")) == "update"

    reloaded(patroni, "deadlock_timeout", "4s")


def test_what_concerns_no_file_is_not_refused_for_a_member_that_stands_still(
    operator: PipePlugin, patroni: Cluster
) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, timezone="UTC"))
    wanted = config(patroni, timezone="UTC")
    wanted["config"]["maximum_lag_on_failover"] = 2097152
    replica = next(index for index in range(2) if patroni.psql("SELECT pg_is_in_recovery()", index) == "t")
    with frozen(patroni.members[replica]):
        assert live.up(wanted) == "update"
    assert live.refresh() == "same"


def test_what_is_taken_back_and_was_not_there_before_is_not_waited_for(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, timezone="UTC"))
    with pytest.raises(Failed):
        live.up(config(patroni, timezone="Mars/Olympus", geqo_threshold=11))
    for index in range(2):
        reloaded(patroni, "geqo_threshold", "12", index)
    assert not [text for text in operator.messages if "as configured" in text]


def test_what_postgresql_has_anyway_is_not_waited_for(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, work_mem="5MB"))
    # The same in other words, and a default: Patroni writes neither.
    assert live.up(config(patroni, work_mem="5120kB", geqo_threshold="12")) == "update"
    assert not [text for text in operator.messages if "as configured" in text]


def test_a_restart_is_pending_until_it_is_asked_for_and_then_rolls(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, max_connections=100))
    assert live.up(config(patroni, max_connections=110)) == "update"
    assert live.state["pendingRestart"] == ["member-0", "member-1"]
    assert patroni.psql("SHOW max_connections") == "100"
    warning = 'member "member-0" must restart before these parameters take effect: max_connections'
    assert any(message.startswith(warning) for message in operator.messages)

    operator.engine.lines.clear()
    assert live.up(config(patroni, "rolling", max_connections=110)) == "update"
    assert live.state["pendingRestart"] == []
    assert [patroni.psql("SHOW max_connections", i) for i in range(2)] == ["110", "110"]
    told = [message for message in operator.messages if message.startswith("restarts") or "hands over bef" in message]
    assert len(told) == 2
    assert told[0].endswith("(replica), 1 of 2")
    assert told[1].endswith("leads and hands over before it restarts")
    assert live.up(config(patroni, "rolling", max_connections=110)) == "same"


def test_a_replica_shows_what_postgresql_does_not_start_with_and_comes_back(
    operator: PipePlugin, patroni: Cluster
) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, max_locks_per_transaction=128))
    assert live.up(config(patroni, max_locks_per_transaction=100_000_000)) == "update", "it waits for a restart"
    replica = next(index for index in range(2) if patroni.psql("SELECT pg_is_in_recovery()", index) == "t")
    ctl = ["patronictl", "-c", "/etc/pipe/patroni.yml", "restart", STANZA, f"member-{replica}", "--pending", "--force"]
    _, said = executed(patroni.members[replica], *ctl, user="postgres")
    assert f"Failed: restart for member member-{replica}" in said
    assert patroni.psql("SHOW max_locks_per_transaction", 1 - replica) == "128"

    assert live.up(config(patroni, max_locks_per_transaction=128)) == "update"
    operator.live("patroni:Member", "again").up(member(patroni, replica))
    assert patroni.psql("SHOW max_locks_per_transaction", replica) == "128"


def test_a_lowered_limit_reaches_the_replicas_too(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("patroni:DynamicConfig")
    live.up(config(patroni, "rolling", max_connections=90))
    assert live.state["pendingRestart"] == []
    assert [patroni.psql("SHOW max_connections", i) for i in range(2)] == ["90", "90"]


def test_changes_need_the_operators_certificate(patroni: Cluster) -> None:
    plugin = PipePlugin({"patroniCa": patroni.config["patroniCa"]})
    with pytest.raises(Failed, match=r"refused PATCH /config with status 403.*\nHINT: changes need the operator's"):
        plugin.live("patroni:DynamicConfig").up(config(patroni, log_lock_waits="on"))
    plugin.stop()


def test_a_server_of_another_authority_is_refused(patroni: Cluster) -> None:
    plugin = PipePlugin(patroni.config | {"patroniCa": Authority().certificate})
    with pytest.raises(Failed, match=r"its certificate is refused: .*\nHINT: one side's certificate is not signed by"):
        plugin.live("patroni:DynamicConfig").up(config(patroni))
    plugin.stop()


def test_an_operator_of_another_authority_is_refused(patroni: Cluster) -> None:
    other = Authority().issue("operator")
    pair = {"patroniClientCertificate": other.certificate, "patroniClientKey": other.key}
    plugin = PipePlugin(patroni.config | pair)
    with pytest.raises(Failed, match="it refuses the client certificate"):
        plugin.live("patroni:DynamicConfig").up(config(patroni))
    plugin.stop()


def test_stanza_and_first_backup(operator: PipePlugin, patroni: Cluster) -> None:
    where = {"container": patroni.repository.name, "stanza": STANZA}
    stanza, backup = operator.live("pgbackrest:Stanza"), operator.live("pgbackrest:FirstBackup")
    assert stanza.up(where) == "create"
    assert stanza.state["systemId"].isdigit()
    assert stanza.refresh() == "same"
    assert operator.live("pgbackrest:Stanza", "again").up(where) == "create"

    with pytest.raises(Failed, match=r"archiving to the stanza .* does not work: \[\d+\]"):
        backup.up(where | {"timeoutSeconds": 1})
    archiving = operator.live("patroni:DynamicConfig")
    archiving.up(config(patroni, archive_command=ARCHIVE_COMMAND))
    assert backup.up(where) == "create"
    assert backup.state["label"].endswith("F")
    assert backup.refresh() == "same"
    again = operator.live("pgbackrest:FirstBackup", "again")
    again.up(where)
    assert again.state["label"] == backup.state["label"]


def test_a_container_that_is_gone_is_named(operator: PipePlugin) -> None:
    with pytest.raises(Failed, match='there is no container "nowhere"'):
        operator.live("pgbackrest:Stanza").up({"container": "nowhere", "stanza": "x"})


def test_no_container_is_replaced_while_patroni_is_paused(operator: PipePlugin, patroni: Cluster) -> None:
    pause = operator.live("patroni:DynamicConfig", "pause")
    shared = {"endpoints": list(patroni.endpoints), "containers": [str(member.name) for member in patroni.members]}
    live = operator.live("patroni:Membership", "paused")
    inputs = {
        "member": "member-1",
        "scope": STANZA,
        "endpoints": list(patroni.endpoints),
        "endpoint": patroni.endpoints[1],
        "generation": "a",
    }
    live.up(inputs)
    pause.up(shared | {"config": {"pause": True}})
    try:
        assert live.up(inputs) == "same", "nothing is to be replaced"
        with pytest.raises(Failed) as failed:
            live.up(inputs | {"generation": "b"})
    finally:
        pause.up(shared | {"config": {"pause": False}})
    assert str(failed.value) == (
        'Patroni is paused, and the container of member "member-1" is to be replaced: its PostgreSQL would not start '
        "again\nHINT: run `bin/patronictl resume`, then up again"
    )
    eventually(
        lambda: live.up(inputs | {"generation": "b"}), lambda done: done == "update", timeouts.RELOAD, "it goes on"
    )


def test_membership_waits_until_the_cluster_has_forgotten(operator: PipePlugin, patroni: Cluster) -> None:
    """Last, because it takes a member away."""
    short = operator.live("patroni:DynamicConfig")
    names = [str(member.name) for member in patroni.members]
    short.up(
        {
            "endpoints": list(patroni.endpoints),
            "containers": names,
            "config": {"ttl": 20, "loop_wait": 2, "retry_timeout": 3},
        }
    )
    leader = 0 if patroni.psql("SELECT pg_is_in_recovery()") == "f" else 1
    live = operator.live("patroni:Membership")
    inputs = {"member": f"member-{1 - leader}", "scope": STANZA, "endpoints": list(patroni.endpoints)}
    assert live.up(inputs) == "create"
    slots = "SELECT count(*) FROM pg_replication_slots"
    assert patroni.psql(slots, leader) == "1"
    patroni.members[1 - leader].stop(timeout=30)
    live.destroy()
    ask = ("curl", "-s", "--cacert", "/etc/pipe/ca.pem", "https://localhost:8008/cluster")
    _, cluster = executed(patroni.members[leader], *ask)
    assert f'"member-{leader}"' in cluster
    assert f"member-{1 - leader}" not in cluster

    gone = operator.live("patroni:Membership", "gone")
    gone.up(inputs | {"endpoints": ["https://127.0.0.1:1"]})
    gone.destroy()
